/**
 * Memory that is a medium's: views over a mapping that programs pass to copies, to node:fs, to sockets.
 *
 * What is always true
 *   - A byte that the medium has lost reads as zero there, so whoever takes bytes from caller memory asks here, after taking them.
 *   - Memory of nobody's is good.
 */
import { PmsegError, errnos } from './errors.js';
import type { Medium } from './medium.js';

/** Media by the buffers of their banks. */
const lenders = new WeakMap<ArrayBufferLike, Medium>();

/** Smallest page of any machine: touching every one of these touches every page. */
const TOUCH_STEP = 4096;

/** Says that a linear memory shows a medium. */
export function registerLender(buffer: ArrayBufferLike, medium: Medium): void {
  lenders.set(buffer, medium);
}

/** What was lost of some views: the medium, and the first offset in it; `undefined` when all is good or nobody's. */
export function lostOf(views: readonly Uint8Array<ArrayBufferLike>[]): { medium: Medium; off: number } | undefined {
  for (const view of views) {
    const medium = lenders.get(view.buffer);
    const off = medium?.offsetOf(view) ?? -1;
    if (!medium || off < 0) continue;
    const bad = medium.badOffset(off, view.byteLength);
    if (bad >= 0) return { medium, off: bad };
  }
  return undefined;
}

/**
 * Looks at caller memory after it was read.
 * @throws PmsegError ERR_PMSEG_MEDIA when it is a medium's, and lost: what was read are zeros
 */
export function assertNotLost(views: readonly Uint8Array<ArrayBufferLike>[]): void {
  const lost = lostOf(views);
  if (!lost) return;
  const { medium, off } = lost;
  throw new PmsegError('ERR_PMSEG_MEDIA', `${medium.path ?? 'the medium'} has lost bytes at ${off}, which were to be read through a view`, {
    path: medium.path,
    offset: off,
    errno: errnos.EIO,
  });
}

/**
 * Touches every page of a view, so that those that the medium cannot deliver are on record: a kernel copy fails on them without saying where.
 * @param write also stores: a byte that is there, over itself, without losing what another thread stores
 */
export function touch(view: Uint8Array<ArrayBufferLike>, write: boolean): void {
  for (let off = 0; off < view.byteLength; off += TOUCH_STEP - ((view.byteOffset + off) % TOUCH_STEP)) {
    if (write) Atomics.or(view, off, 0);
    else Atomics.load(view, off);
  }
}

/** Touches those views that are a medium's. */
export function touchLent(views: readonly Uint8Array<ArrayBufferLike>[]): void {
  for (const view of views) if (lenders.has(view.buffer)) touch(view, false);
}
