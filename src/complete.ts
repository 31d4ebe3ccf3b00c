/**
 * Records after lost pages were written anew: what had a copy there gets it again from the other one.
 *
 * What is always true: only a copy that cannot be verified is written over, and only with one that can.
 */
import * as media from '../assembly/media.js';
import * as plan from '../assembly/plan.js';
import type { Degraded } from './catalog.js';
import type { Engine } from './engine.js';
import type { BadRange } from './medium.js';
import type { Slot } from './slots.js';

/** Completes the slots that have a copy in ranges which were just written as zeros; which they were. Durable on return. */
export function completeZeroed(engine: Engine, zeroed: readonly BadRange[]): Degraded[] {
  const { slots, superblock } = engine;
  const hit = (slot: Slot): boolean => slot.offs.some((at) => zeroed.some(({ off, len }) => off < at + slot.size && at < off + len));
  const single: Slot[] = [];
  for (const id of segmentsOf(engine, zeroed)) {
    // Above the mark both copies are zero, and right.
    if (id >= superblock.highWater) continue;
    for (const slot of [slots.info(id), slots.owner(id)])
      if (hit(slot) && slots.load(slot).slotClass === plan.SLOT_SINGLE) single.push(slot);
  }
  slots.complete(single);
  const completed: Degraded[] = single.map(({ kind, segmentId }) => ({ kind, segmentId }));
  const lastCopy = engine.superblock.poolSize - media.COPY_SIZE;
  if (zeroed.some(({ off, len }) => off < media.COPY_SIZE || off + len > lastCopy) && engine.completeSuperblock())
    completed.push({ kind: 'superblock', segmentId: undefined });
  if (completed.length > 0) engine.barrier.drain();
  return completed;
}

/** Segments that the ranges touch. */
function segmentsOf({ superblock }: Engine, ranges: readonly BadRange[]): Set<number> {
  const { segmentsOff, segmentSize, segmentCount } = superblock;
  const ids = new Set<number>();
  for (const { off, len } of ranges) {
    const last = Math.min(segmentCount - 1, Math.floor((off + len - 1 - segmentsOff) / segmentSize));
    for (let id = Math.max(0, Math.floor((off - segmentsOff) / segmentSize)); id <= last; id++) ids.add(id);
  }
  return ids;
}
