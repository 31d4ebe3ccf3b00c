/** The shapes of node:fs (`read`, `readv`, `write`, `writev`) over bios: short counts at the end of the data, nothing else. */
import { Bio } from './bio.js';
import { checkWhole } from './errors.js';
import type { Segment } from './segment.js';

/** How much of a transfer fits between `off` and the end of the data. */
function fitting(segment: Segment, bio: Bio, off: number): number {
  checkWhole('offset', off, 0, Number.MAX_SAFE_INTEGER);
  return Math.min(bio.size, Math.max(0, segment.dataSize - off));
}

export function readv(segment: Segment, views: readonly ArrayBufferView[], off: number): number {
  const bio = Bio.from(views);
  const len = fitting(segment, bio, off);
  segment.copyToBio(Math.min(off, segment.dataSize), len, bio);
  return len;
}

export function read(segment: Segment, view: ArrayBufferView, off: number): number {
  return readv(segment, [view], off);
}

export function writev(segment: Segment, views: readonly ArrayBufferView[], off: number): number {
  const bio = Bio.from(views);
  const len = fitting(segment, bio, off);
  segment.copyFromBio(Math.min(off, segment.dataSize), len, bio);
  return len;
}

export function write(segment: Segment, view: ArrayBufferView, off: number): number {
  return writev(segment, [view], off);
}
