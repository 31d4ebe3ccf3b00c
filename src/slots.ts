/**
 * Slots: one record, two copies, each in its own 4 KiB page.
 *
 * What is always true
 *   - At rest both copies hold the same bytes. One flipped bit at rest never reverts a state.
 *   - An update writes the new record over one copy and drains; only then is it in force. Then it writes the same bytes over the other
 *     copy; that write is durable before the next update of the slot begins.
 *   - The newest copy that verifies is never the one that is overwritten first, so some copy verifies at every moment.
 *   - The state of a slot (newest copy, seq, drains begun at the last write) lives in bank 0, where all threads see it.
 */
import * as media from '../assembly/media.js';
import * as plan from '../assembly/plan.js';
import type { Bank } from './bank.js';
import type { Barrier } from './barrier.js';
import { Bio } from './bio.js';
import { PmsegError, doAll } from './errors.js';
import type { Medium } from './medium.js';
import { META_IMAGE_OFF, SUPERBLOCK_IMAGE_OFF, TABLE_OFF } from './scratch.js';

export type SlotKind = 'superblock' | 'info' | 'owner';

/** Where a slot's copies and its state are. */
export interface Slot {
  readonly kind: SlotKind;
  readonly segmentId: number | undefined;
  /** Offsets of the two copies in the pool. */
  readonly offs: readonly [number, number];
  /** Bytes of the record. */
  readonly size: number;
  /** Where the copies' images are read to, in bank 0. */
  readonly imagePtrs: readonly [number, number];
  /** Index of the state's first word in `bank.words`. */
  readonly stateIndex: number;
}

/** What the two copies say. */
export interface Loaded {
  /** plan.SLOT_… */
  readonly slotClass: number;
  /** Index of the newest copy that verifies; meaningless when none does. */
  readonly newest: number;
  readonly seq: number;
  /** Where the newest copy's image is, in bank 0, until the next load. */
  readonly ptr: number;
  /** Whether the medium could deliver both copies; a torn copy can be read, a poisoned one cannot. */
  readonly delivered: boolean;
}

export interface Update {
  readonly slot: Slot;
  /** Writes the whole record at `ptr` of bank 0, which holds `slot.size` zero bytes; the seal comes after it. */
  fill(ptr: number): void;
}

/** Whether a class of slot has a record in force. */
export function isReadable(slotClass: number): boolean {
  return slotClass === plan.SLOT_EQUAL || slotClass === plan.SLOT_STEP || slotClass === plan.SLOT_SINGLE;
}

function isDamage(slotClass: number): boolean {
  return slotClass === plan.SLOT_SPLIT || slotClass === plan.SLOT_LOST;
}

/** How often a slot that a writer may be changing is read. */
const READS_MAX = 100;

function pack(slotClass: number, newest: number, seq: number): number {
  return seq | (newest << plan.SLOT_INDEX_SHIFT) | (slotClass << plan.SLOT_CLASS_SHIFT);
}

export class Slots {
  readonly #medium: Medium;
  readonly #bank: Bank;
  readonly #barrier: Barrier;
  #segmentsOff = 0;
  #segmentSize = 0;
  /** Slots whose second copy could not be written, by their state's index. */
  readonly #missed = new Map<number, Slot>();
  /** Offsets of copies that could not be read: only a write of the whole page needs nothing of what was there. */
  readonly #unread = new Set<number>();

  constructor(medium: Medium, bank: Bank, barrier: Barrier) {
    this.#medium = medium;
    this.#bank = bank;
    this.#barrier = barrier;
  }

  /** Slots that an update left with one good copy. */
  get missed(): readonly Slot[] {
    return [...this.#missed.values()];
  }

  /** Tells where the segments are, once the superblock is known. */
  attach(segmentsOff: number, segmentSize: number): void {
    this.#segmentsOff = segmentsOff;
    this.#segmentSize = segmentSize;
  }

  superblock(poolSize: number): Slot {
    const imagePtr = this.#bank.scratchPtr + SUPERBLOCK_IMAGE_OFF;
    return {
      kind: 'superblock',
      segmentId: undefined,
      offs: [0, poolSize - media.COPY_SIZE],
      size: media.SUPERBLOCK_SIZE,
      imagePtrs: [imagePtr, imagePtr + media.COPY_SIZE],
      stateIndex: (plan.STATE_PTR + plan.STATE_SUPERBLOCK_SLOT_OFF) / 4,
    };
  }

  info(segmentId: number): Slot {
    return this.#ofSegment(segmentId, 'info', media.SEGMENT_INFO_OFF, media.INFO_SIZE, 0);
  }

  owner(segmentId: number): Slot {
    return this.#ofSegment(segmentId, 'owner', media.SEGMENT_OWNER_OFF, media.OWNER_SIZE, 1);
  }

  #ofSegment(segmentId: number, kind: SlotKind, homeOff: number, size: number, slotIndex: number): Slot {
    const off = this.#segmentsOff + segmentId * this.#segmentSize + homeOff;
    const imagePtr = this.#bank.scratchPtr + META_IMAGE_OFF + homeOff;
    return {
      kind,
      segmentId,
      offs: [off, off + media.COPY_SIZE],
      size,
      imagePtrs: [imagePtr, imagePtr + media.COPY_SIZE],
      stateIndex: (plan.SLOTS_PTR + (segmentId * plan.SLOTS_PER_SEGMENT + slotIndex) * plan.SLOT_STATE_SIZE) / 4,
    };
  }

  /** Reads both copies of a slot and remembers what they say. A copy that the medium cannot deliver counts as lost. */
  load(slot: Slot): Loaded {
    let loaded = this.#loadOnce(slot);
    // Copies that do not fit together may have been read around another process's updates. Damage reads the same twice.
    for (let tries = 1; isDamage(loaded.slotClass) && tries < READS_MAX; tries++) {
      const before = this.#imagesOf(slot);
      loaded = this.#loadOnce(slot);
      if (Buffer.compare(before, this.#imagesOf(slot)) === 0) break;
    }
    return loaded;
  }

  #imagesOf({ imagePtrs, size }: Slot): Buffer {
    return Buffer.concat(imagePtrs.map((ptr) => this.#bank.subarray(ptr, size)));
  }

  #loadOnce(slot: Slot): Loaded {
    const delivered = slot.offs.map((off, index) => this.#readImage(off, slot.imagePtrs[index] as number, slot.size));
    return this.#classify(slot, !delivered.includes(false));
  }

  /** Starts moving both copies to the persistence domain, whoever stored them. A copy that the medium has lost is not in force: it can stay so. */
  flush(slot: Slot): void {
    for (const off of slot.offs) {
      try {
        this.#barrier.store(() => this.#medium.flush(off, slot.size));
      } catch (error) {
        if (!(error instanceof PmsegError) || error.code !== 'ERR_PMSEG_MEDIA') throw error;
      }
    }
  }

  /** Reads all metadata of a segment at once and returns what its info and its owner slot say. */
  loadSegment(segmentId: number): { info: Loaded; owner: Loaded } {
    const [info, owner] = [this.info(segmentId), this.owner(segmentId)];
    const imagePtr = info.imagePtrs[0];
    try {
      this.#medium.read(info.offs[0], this.#bank, imagePtr, media.DATA_OFF);
    } catch (error) {
      if (!(error instanceof PmsegError) || error.code !== 'ERR_PMSEG_MEDIA') throw error;
      return { info: this.load(info), owner: this.load(owner) };
    }
    const loaded = { info: this.#classify(info, true), owner: this.#classify(owner, true) };
    if (isDamage(loaded.info.slotClass)) loaded.info = this.load(info);
    if (isDamage(loaded.owner.slotClass)) loaded.owner = this.load(owner);
    return loaded;
  }

  /** Whether the medium delivered the bytes. */
  #readImage(off: number, ptr: number, size: number): boolean {
    try {
      this.#medium.read(off, this.#bank, ptr, size);
      this.#unread.delete(off);
      return true;
    } catch (error) {
      if (!(error instanceof PmsegError) || error.code !== 'ERR_PMSEG_MEDIA') throw error;
      this.#unread.add(off);
      // Not zero, for zero would say "never written", and nothing that verifies.
      this.#bank.bytes.fill(0xff, ptr, ptr + size);
      return false;
    }
  }

  #classify(slot: Slot, delivered: boolean): Loaded {
    const known = this.#bank.words[slot.stateIndex] as number;
    const found = this.#bank.core.slotClassify(slot.imagePtrs[0], slot.imagePtrs[1], slot.size);
    // What cannot be read now does not change what is known: an older copy must not pass for the newest because that one was not delivered.
    const isKnown = !delivered && isReadable(known >>> plan.SLOT_CLASS_SHIFT);
    const bits = isKnown && (found & plan.SLOT_SEQ_MASK) !== (known & plan.SLOT_SEQ_MASK) ? pack(plan.SLOT_LOST, 0, 0) : found;
    // The second word stays: zero after open, which no drain covers but the first of this pool object, so what a process left
    // undrained when it died is drained before its slot is updated.
    if (!isKnown) this.#bank.words[slot.stateIndex] = bits;
    const newest = (bits >>> plan.SLOT_INDEX_SHIFT) & 1;
    return {
      slotClass: bits >>> plan.SLOT_CLASS_SHIFT,
      newest,
      seq: bits & plan.SLOT_SEQ_MASK,
      ptr: slot.imagePtrs[newest] as number,
      delivered,
    };
  }

  /** The class that the last load or update of this slot left. */
  slotClass(slot: Slot): number {
    return (this.#bank.words[slot.stateIndex] as number) >>> plan.SLOT_CLASS_SHIFT;
  }

  /**
   * Updates slots together: all first copies, one drain, all second copies. Each slot is atomic by itself and in force when this
   * returns; the second copies' drain rides on the next barrier. Costs one drain, two when a second copy of these slots is still on its way.
   * @throws PmsegError ERR_PMSEG_NO_SPACE when a copy could not be stored: slots then hold the old or the new record
   */
  update(updates: readonly Update[]): void {
    if (updates.length === 0) return;
    if (updates.some(({ slot }) => !this.#barrier.covers(this.#bank.words[slot.stateIndex + 1] as number))) this.#barrier.drain();
    const stride = Math.max(...updates.map(({ slot }) => Math.ceil(slot.size / 64) * 64));
    const recordsPtr = this.#bank.arena.allocate(stride * updates.length);
    try {
      updates.forEach(({ slot, fill }, i) => {
        const ptr = recordsPtr + i * stride;
        this.#bank.bytes.fill(0, ptr, ptr + slot.size);
        fill(ptr);
        this.#bank.core.metaSeal(ptr, slot.size, ((this.#bank.words[slot.stateIndex] as number) + 1) & plan.SLOT_SEQ_MASK);
      });
      try {
        updates.forEach(({ slot }, i) => this.#writeCopy(slot, this.#olderCopy(slot), recordsPtr + i * stride));
      } catch (error) {
        // Some first copies may have been stored: what holds is what can be read back, and it is not durable before the next drain. Where
        // it cannot be read back, what was known still names the copy that may be overwritten.
        for (const { slot } of updates) this.#bank.words[slot.stateIndex + 1] = this.#barrier.begun;
        doAll(
          updates.map(
            ({ slot }) =>
              () =>
                void this.load(slot),
          ),
          error,
        );
      }
      this.#barrier.drain();
      updates.forEach(({ slot }, i) => this.#finish(slot, recordsPtr + i * stride));
    } finally {
      this.#bank.arena.release(recordsPtr);
    }
  }

  /** The copy that may be overwritten: never the newest one that verifies. */
  #olderCopy(slot: Slot): number {
    const bits = this.#bank.words[slot.stateIndex] as number;
    return bits >>> plan.SLOT_CLASS_SHIFT === plan.SLOT_EQUAL ? 0 : 1 - ((bits >>> plan.SLOT_INDEX_SHIFT) & 1);
  }

  /** After the drain: the record is in force; write the same bytes over the other copy. */
  #finish(slot: Slot, recordPtr: number): void {
    const newest = this.#olderCopy(slot);
    const seq = this.#bank.bytes[recordPtr + media.META_SEQ_OFF] as number;
    const { words } = this.#bank;
    words[slot.stateIndex] = pack(plan.SLOT_SINGLE, newest, seq);
    try {
      this.#writeCopy(slot, 1 - newest, recordPtr);
    } catch (error) {
      if (this.#barrier.halted) throw error;
      // The update is in force and durable; only its second copy is missing, for want of room or because its page is lost. That is
      // `degraded`, not a failure of the update.
      this.#missed.set(slot.stateIndex, slot);
      return;
    }
    this.#settle(slot, newest, seq);
  }

  /** Both copies are written. */
  #settle(slot: Slot, newest: number, seq: number): void {
    this.#missed.delete(slot.stateIndex);
    this.#bank.words[slot.stateIndex] = pack(plan.SLOT_EQUAL, newest, seq);
    this.#bank.words[slot.stateIndex + 1] = this.#barrier.begun;
  }

  #writeCopy(slot: Slot, index: number, recordPtr: number): void {
    const off = slot.offs[index] as number;
    if (this.#unread.has(off)) return this.#writePage(off, recordPtr, slot.size);
    const bio = Bio.over(this.#bank, this.#bank.scratchPtr + TABLE_OFF, recordPtr, slot.size);
    this.#barrier.store(() => this.#medium.write(off, bio, 0, slot.size));
  }

  /** Writes a copy and the zeros behind it, as one page. */
  #writePage(off: number, recordPtr: number, size: number): void {
    const ptr = this.#bank.arena.allocate(media.COPY_SIZE);
    try {
      this.#bank.bytes.fill(0, ptr + size, ptr + media.COPY_SIZE).copyWithin(ptr, recordPtr, recordPtr + size);
      const bio = Bio.over(this.#bank, this.#bank.scratchPtr + TABLE_OFF, ptr, media.COPY_SIZE);
      this.#barrier.store(() => this.#medium.write(off, bio, 0, media.COPY_SIZE));
      this.#unread.delete(off);
    } finally {
      this.#bank.arena.release(ptr);
    }
  }

  /**
   * Writes the newest copy over the other one: completes updates that a crash cut short, or repairs degraded slots. The newest copies are
   * durable: an update drains its first copy, and an opening drains what it found before it completes anything. The writes ride on the
   * next barrier.
   */
  complete(slots: readonly Slot[]): void {
    for (const slot of slots) {
      const { slotClass, newest, seq, ptr, delivered } = this.load(slot);
      if (slotClass !== plan.SLOT_STEP && slotClass !== plan.SLOT_SINGLE) continue;
      const off = slot.offs[1 - newest] as number;
      // A page that cannot be read takes no part of a page either; the other copy has all that was in it.
      if (!delivered || this.#medium.badOffset(off, slot.size) >= 0)
        this.#barrier.store(() => this.#medium.repair(off, media.COPY_SIZE, true));
      this.#unread.delete(off);
      this.#writeCopy(slot, 1 - newest, ptr);
      this.#settle(slot, newest, seq);
    }
  }
}
