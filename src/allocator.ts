/**
 * Allocation and release of segments.
 *
 * What is always true
 *   - The bitmap in bank 0 gives each id to one caller; the medium follows: owner record first (with the next generation), then the info,
 *     whose single slot update is the allocation. Between the two the segment is still free.
 *   - Releasing is one slot update of the info; the id can be taken again only after it is durable.
 *   - Before the high-water mark rises, free records are durable in every segment that it passes.
 */
import * as media from '../assembly/media.js';
import * as plan from '../assembly/plan.js';
import { Bio } from './bio.js';
import type { Engine } from './engine.js';
import { PmsegError, errnos } from './errors.js';
import { readOwner, writeOwnerHead, type Owner, type OwnerHead } from './records.js';
import { TABLE_OFF } from './scratch.js';
import { isReadable, type Update } from './slots.js';

/** What new segments are for. */
export interface Purpose {
  /** media.TYPE_… other than free. */
  readonly type: number;
  /** Zero for raw segments. */
  readonly ownerId: bigint;
  /** Chain index of the first. */
  readonly chainIndex: number;
  /** Makes the first segment a visible head at once (a new log, which has no data to wait for). */
  readonly head?: OwnerHead;
  /** Told what the head's record says before it is stored: it must not have to be read once it is in force. */
  readonly onHead?: (owner: Owner) => void;
}

/** Slots updated together; bounds the arena that one update takes. */
const BATCH_COUNT = 256;

function* batches<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < items.length; i += BATCH_COUNT) yield items.slice(i, i + BATCH_COUNT);
}

/** The update that gives a segment's info a type and a next segment. */
function infoUpdate(engine: Engine, segmentId: number, type: number, next: number | undefined): Update {
  return { slot: engine.slots.info(segmentId), fill: (ptr) => engine.bank.core.infoFill(ptr, segmentId, type, next ?? -1) };
}

/**
 * Takes `count` segments, lowest free ids first, linked in this order. In use and durable on return; costs two drains a batch.
 * @throws PmsegError ERR_PMSEG_FULL when there are not as many; ERR_PMSEG_NO_SPACE when the file system has no room for their metadata
 */
export function allocateSegments(engine: Engine, count: number, purpose: Purpose): number[] {
  const { bank, superblock } = engine;
  const ids: number[] = [];
  try {
    while (ids.length < count) {
      const id = bank.core.bitmapTake(plan.BITMAP_PTR, superblock.segmentCount);
      if (id < 0) {
        throw new PmsegError('ERR_PMSEG_FULL', `the pool has no ${count} free segments of its ${superblock.segmentCount}`, {
          path: engine.medium.path,
          errno: errnos.ENOSPC,
        });
      }
      ids.push(id);
    }
    const highest = ids.reduce((max, id) => Math.max(max, id), -1);
    if (highest >= superblock.highWater) raiseHighWater(engine, highest);
    const order = new Map(ids.map((id, i) => [id, i]));
    for (const batch of batches(ids)) {
      engine.slots.update(batch.map((id) => ownerUpdate(engine, id, purpose, order.get(id) as number)));
      engine.slots.update(batch.map((id) => infoUpdate(engine, id, purpose.type, ids[(order.get(id) as number) + 1])));
    }
  } catch (error) {
    undoAllocation(engine, ids);
    throw error;
  }
  return ids;
}

/** The update that begins a segment's next life. */
function ownerUpdate(engine: Engine, id: number, purpose: Purpose, order: number): Update {
  const { bank, slots } = engine;
  const slot = slots.owner(id);
  const { slotClass, ptr } = slots.load(slot);
  if (!isReadable(slotClass)) throw new PmsegError('ERR_PMSEG_DAMAGED', `segment ${id} has lost its owner record`, { segmentId: id });
  const generation = readOwner(bank.view, ptr).generation + 1;
  if (generation > Number.MAX_SAFE_INTEGER)
    throw new PmsegError('ERR_PMSEG_DAMAGED', `segment ${id} has had its last life: its generation cannot rise`, { segmentId: id });
  const { type, ownerId, chainIndex, head, onHead } = purpose;
  return {
    slot,
    fill: (recordPtr) => {
      bank.core.ownerFill(recordPtr, engine.uuidPtr, id, type, engine.ownerIdPtr(ownerId), generation, chainIndex + order);
      if (!head || order !== 0) return;
      writeOwnerHead(bank.view, recordPtr, head);
      onHead?.(readOwner(bank.view, recordPtr));
    },
  };
}

/** After a failed allocation: what was taken is given back, as far as that can be done now. */
function undoAllocation(engine: Engine, ids: readonly number[]): void {
  const { bank, slots, superblock, barrier } = engine;
  // Nothing can be stored any more; the next writable open frees what belongs to nobody.
  if (barrier.halted) return;
  const used: number[] = [];
  for (const id of ids) {
    const { slotClass, ptr } = id < superblock.highWater ? slots.load(slots.info(id)) : { slotClass: plan.SLOT_EMPTY, ptr: 0 };
    const free = slotClass === plan.SLOT_EMPTY || (isReadable(slotClass) && bank.core.infoType(ptr) === media.TYPE_FREE);
    if (free) bank.core.bitmapClear(plan.BITMAP_PTR, id);
    else used.push(id);
  }
  try {
    releaseSegments(engine, used);
  } catch (error) {
    // Want of room, again. They stay taken until the next writable open, which finds them orphaned; the first error is the one to report.
    if (!(error instanceof PmsegError) || error.code !== 'ERR_PMSEG_NO_SPACE') throw error;
  }
}

/** Raises the mark above `id`, in steps: free records first, durable, then the superblock. */
function raiseHighWater(engine: Engine, id: number): void {
  const { bank, medium, superblock, slots } = engine;
  const from = superblock.highWater;
  const to = Math.min(superblock.segmentCount, Math.ceil((id + 1) / media.HIGH_WATER_STEP) * media.HIGH_WATER_STEP);
  const imagePtr = bank.arena.allocate(media.DATA_OFF);
  try {
    for (let segmentId = from; segmentId < to; segmentId++) {
      bank.bytes.fill(0, imagePtr, imagePtr + media.DATA_OFF);
      for (let copy = 0; copy < media.COPY_COUNT; copy++) {
        const infoPtr = imagePtr + media.SEGMENT_INFO_OFF + copy * media.COPY_SIZE;
        bank.core.infoFill(infoPtr, segmentId, media.TYPE_FREE, -1);
        bank.core.metaSeal(infoPtr, media.INFO_SIZE, 1);
        const ownerPtr = imagePtr + media.SEGMENT_OWNER_OFF + copy * media.COPY_SIZE;
        bank.core.ownerFill(ownerPtr, engine.uuidPtr, segmentId, media.TYPE_FREE, engine.ownerIdPtr(0n), 0, 0);
        bank.core.metaSeal(ownerPtr, media.OWNER_SIZE, 1);
      }
      const bio = Bio.over(bank, bank.scratchPtr + TABLE_OFF, imagePtr, media.DATA_OFF);
      engine.barrier.store(() => medium.write(slots.info(segmentId).offs[0], bio, 0, media.DATA_OFF));
    }
    engine.barrier.drain();
  } finally {
    bank.arena.release(imagePtr);
  }
  for (let segmentId = from; segmentId < to; segmentId++) slots.loadSegment(segmentId);
  engine.updateSuperblock({ highWater: to });
}

/** Gives segments back. Free and durable on return; costs a drain a batch. */
export function releaseSegments(engine: Engine, ids: readonly number[]): void {
  for (const batch of batches(ids)) {
    engine.slots.update(batch.map((id) => infoUpdate(engine, id, media.TYPE_FREE, undefined)));
    for (const id of batch) engine.bank.core.bitmapClear(plan.BITMAP_PTR, id);
    engine.onRelease?.(batch);
  }
}

/** Type and next segment of a segment, from the medium. */
export function readInfo(engine: Engine, segmentId: number): { type: number; next: number | undefined } {
  const { slots, bank } = engine;
  const { slotClass, ptr } = slots.load(slots.info(segmentId));
  if (!isReadable(slotClass)) throw new PmsegError('ERR_PMSEG_DAMAGED', `segment ${segmentId} has lost its info`, { segmentId });
  const next = bank.core.infoNext(ptr);
  return { type: bank.core.infoType(ptr), next: next < 0 ? undefined : next };
}

/** Links a segment to the next of its chain, or to none. In force and durable on return. */
export function linkSegment(engine: Engine, segmentId: number, next: number | undefined): void {
  const { type } = readInfo(engine, segmentId);
  engine.slots.update([infoUpdate(engine, segmentId, type, next)]);
}

/**
 * Rewrites the head fields of an owner record: a commit, a trim, a seal. In force and durable on return.
 * @returns what it says now: from here on nothing may fail before the catalog knows it
 */
export function updateHead(engine: Engine, headId: number, changes: Partial<OwnerHead>): Owner {
  const { slots, bank } = engine;
  const slot = slots.owner(headId);
  const { slotClass, ptr } = slots.load(slot);
  if (!isReadable(slotClass))
    throw new PmsegError('ERR_PMSEG_DAMAGED', `segment ${headId} has lost its owner record`, { segmentId: headId });
  const record = bank.bytes.slice(ptr, ptr + media.OWNER_SIZE);
  const head = { ...readOwner(bank.view, ptr), ...changes };
  slots.update([
    {
      slot,
      fill: (recordPtr) => {
        bank.bytes.set(record, recordPtr);
        writeOwnerHead(bank.view, recordPtr, head);
      },
    },
  ]);
  return head;
}
