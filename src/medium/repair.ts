/**
 * What media share when lost pages are brought back: finding them, and saying that they stay lost.
 */
import { PmsegError, errnos } from '../errors.js';
import type { BadRange } from '../medium.js';
import type { PoolFile } from './poolfile.js';

/** Unit in which a file is asked whether it can be read; no page of any machine is smaller. */
const PAGE_SIZE = 4096;
/** Bytes of good file that one question covers. */
const STEP_SIZE = 1024 * 1024;

/** Ranges of a file that cannot be read, in whole pages. */
export function unreadable(file: PoolFile, off: number, len: number): BadRange[] {
  const lost: BadRange[] = [];
  const end = Math.min(Math.ceil((off + len) / PAGE_SIZE) * PAGE_SIZE, file.size);
  for (let at = Math.floor(off / PAGE_SIZE) * PAGE_SIZE; at < end; at += STEP_SIZE) {
    const stop = Math.min(at + STEP_SIZE, end);
    if (file.canRead(at, stop - at)) continue;
    for (let page = at; page < stop; page += PAGE_SIZE) {
      const size = Math.min(PAGE_SIZE, stop - page);
      if (!file.canRead(page, size)) lost.push({ off: page, len: size });
    }
  }
  return joined(lost);
}

/** Ranges in order, those that touch or overlap made one. */
export function joined(ranges: readonly BadRange[]): BadRange[] {
  const result: BadRange[] = [];
  for (const { off, len } of [...ranges].sort((a, b) => a.off - b.off)) {
    const last = result.at(-1);
    if (last && off <= last.off + last.len) last.len = Math.max(last.len, off + len - last.off);
    else result.push({ off, len });
  }
  return result;
}

/** A range that could not be brought back. */
export function lostError(path: string | undefined, { off, len }: BadRange): PmsegError {
  return new PmsegError('ERR_PMSEG_MEDIA', `${path ?? 'the medium'}: the medium cannot deliver ${len} bytes at ${off}`, {
    path,
    offset: off,
    length: len,
    errno: errnos.EIO,
  });
}
