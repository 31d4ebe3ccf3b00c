/**
 * What the page cache says, held against what the medium holds.
 *
 * After a failed write-back the kernel keeps the page, calls it clean, and serves it to every reader although the medium never got it; a
 * later fdatasync succeeds. Dropping the cache takes such a page away, unless somebody has it mapped. What cannot be dropped is compared with
 * the medium (O_DIRECT) and, where it differs, overwritten by what the medium holds, as if power had been lost.
 *
 * What is always true: nothing is changed but pages whose bytes the medium does not have.
 */
import type { Bank } from '../bank.js';
import { PmsegError, errnos } from '../errors.js';

/** Bytes that are compared at once. */
const STEP_SIZE = 1024 * 1024;
/** Unit of the comparison; O_DIRECT takes multiples of the device's sector, at most 4 KiB. */
const UNIT_SIZE = 4096;

/** How the file is reached. Reads fill the whole view or throw. */
export interface CachedFile {
  readonly path: string;
  readonly size: number;
  /** Through the page cache. */
  read(off: number, bytes: Uint8Array): void;
  write(off: number, slices: readonly Uint8Array[]): void;
  /** Opens the same file past the page cache: reader and closer; `undefined` where the file system has no such thing. */
  openDirect(): DirectFile | undefined;
  /** Pages of the range that are in the page cache; `undefined` where nobody can tell. */
  resident(off: number, len: number): number | undefined;
}

export interface DirectFile {
  read(off: number, bytes: Uint8Array): void;
  close(): void;
}

/**
 * Makes the cached pages of a range, which must be clean, say what the medium holds.
 * @param bank in whose arena the bytes are compared: a memory of its own would take another 8–10 GiB of address space
 * @param known whether a write-back is known to have failed; then doubt is an error
 * @returns whether anything was overwritten; a drain must follow
 * @throws PmsegError ERR_PMSEG_UNSUPPORTED where pages that may be lost can be neither dropped nor compared
 */
export function rollBackCache(file: CachedFile, bank: Bank, off: number, len: number, known: boolean): boolean {
  const steps = residentSteps(file, off, len);
  const first = steps.next();
  if (first.done) return false;
  const direct = file.openDirect();
  if (!direct) {
    if (!known) return false;
    throw new PmsegError(
      'ERR_PMSEG_UNSUPPORTED',
      `a persist of ${file.path} failed, and what the page cache holds of it can be neither dropped nor compared with the medium`,
      { path: file.path, offset: off, length: len, errno: errnos.EINVAL },
    );
  }
  let changed = false;
  let roomPtr: number | undefined;
  try {
    roomPtr = bank.arena.allocate(2 * STEP_SIZE + UNIT_SIZE);
    // Linear memory begins on a page, and O_DIRECT needs that of what it reads to.
    const pairPtr = Math.ceil(roomPtr / UNIT_SIZE) * UNIT_SIZE;
    for (let step: IteratorResult<[number, number], void> = first; !step.done; step = steps.next()) {
      const [at, size] = step.value;
      const [cached, held] = [bank.subarray(pairPtr, size), bank.subarray(pairPtr + STEP_SIZE, size)];
      file.read(at, cached);
      direct.read(at, held);
      if (Buffer.compare(cached, held) !== 0) changed = overwrite(file, at, cached, held) || changed;
    }
  } finally {
    if (roomPtr !== undefined) bank.arena.release(roomPtr);
    direct.close();
  }
  return changed;
}

/** Pieces of a range, of up to STEP_SIZE, that have pages in the cache: a large pool has few. */
function* residentSteps(file: CachedFile, off: number, len: number): Generator<[number, number], void> {
  if (len === 0 || file.resident(off, len) === 0) return;
  if (len <= STEP_SIZE) {
    yield [off, len];
    return;
  }
  const half = Math.ceil(len / 2 / STEP_SIZE) * STEP_SIZE;
  yield* residentSteps(file, off, half);
  yield* residentSteps(file, off + half, len - half);
}

/** Writes the units of `held` that differ over the cached ones. */
function overwrite(file: CachedFile, at: number, cached: Uint8Array, held: Uint8Array): boolean {
  for (let off = 0; off < cached.byteLength; off += UNIT_SIZE) {
    const [old, now] = [cached.subarray(off, off + UNIT_SIZE), held.subarray(off, off + UNIT_SIZE)];
    if (Buffer.compare(old, now) !== 0) file.write(at + off, [now]);
  }
  return true;
}
