/**
 * The engine of one open pool: medium, barrier, slots and superblock, and the bytes of segments by id. Pool, Segment, Log and Object are
 * shapes over it; rules about bytes are the core's, loops and barriers are here.
 *
 * What is always true
 *   - Data goes through `copyToBio` and `copyFromBio`; nobody else touches a segment's data area.
 *   - A write that fails for want of room fails alone; any other failed write halts the pool, as a failed drain does.
 */
import * as media from '../assembly/media.js';
import * as plan from '../assembly/plan.js';
import * as verdicts from '../assembly/verdicts.js';
import type { Bank } from './bank.js';
import { Barrier } from './barrier.js';
import { Bio } from './bio.js';
import { PmsegError, checkRange, errnos, typeError, type PmsegCode } from './errors.js';
import { assertNotLost, touchLent } from './lent.js';
import type { BadRange, Medium } from './medium.js';
import { Ledger } from './ledger.js';
import { readSuperblock, uuidBytes, writeSuperblock, type Superblock } from './records.js';
import { OWNER_ID_OFF, UUID_OFF } from './scratch.js';
import { Slots, isReadable, type Slot } from './slots.js';

/** What a superblock's verdict means to a user. */
const SUPERBLOCK_ERRORS = new Map<number, [PmsegCode, string]>([
  [verdicts.BAD_MAGIC, ['ERR_PMSEG_NOT_POOL', 'is not a pool']],
  [verdicts.BAD_VERSION, ['ERR_PMSEG_VERSION', 'has a format version that this release does not know']],
  [verdicts.BAD_INCOMPAT, ['ERR_PMSEG_VERSION', 'uses features that this release does not know']],
  [verdicts.BAD_RO_COMPAT, ['ERR_PMSEG_READ_ONLY', 'uses features that this release must not write; open it read-only']],
  [verdicts.BAD_TRUNCATED, ['ERR_PMSEG_TRUNCATED', 'is shorter than the pool in it']],
  [verdicts.BAD_SIZE, ['ERR_PMSEG_DAMAGED', 'is longer than the pool in it']],
]);

/** Name of a verdict, for messages. */
export function verdictName(verdict: number): string {
  return Object.entries(verdicts).find(([, value]) => value === verdict)?.[0] ?? `verdict ${verdict}`;
}

export class Engine {
  readonly medium: Medium;
  readonly bank: Bank;
  readonly barrier: Barrier;
  readonly slots: Slots;
  /** As it is in force; changes with `updateSuperblock`. */
  readonly superblock: Superblock;
  /** Bytes of data in each segment. */
  dataSize = 0;
  /** What was stored and is not known to be durable yet, and what was repaired. */
  readonly ledger: Ledger;
  readonly #superblockSlot: Slot;
  #closed = false;
  /** Told which segments were given back, by whatever path, so that handles on their last life are closed. */
  onRelease: ((segmentIds: readonly number[]) => void) | undefined;

  /**
   * Reads and judges the superblock. Writes nothing, and leaves everything else to `attach`, so that what is no pool is never locked.
   * @throws PmsegError ERR_PMSEG_NOT_POOL, _CORRUPT, _DAMAGED, _VERSION, _TRUNCATED, _READ_ONLY
   */
  constructor(medium: Medium) {
    this.medium = medium;
    this.bank = medium.banks[0] as Bank;
    this.barrier = new Barrier(medium, this.bank);
    this.slots = new Slots(medium, this.bank, this.barrier);
    this.ledger = new Ledger(medium, this.bank, this.barrier);
    if (medium.size < media.COPY_SIZE) {
      throw new PmsegError('ERR_PMSEG_NOT_POOL', `${this.#name} has ${medium.size} bytes; a pool has more`, {
        path: medium.path,
        length: medium.size,
      });
    }
    const lastPage = Math.floor(medium.size / media.COPY_SIZE) * media.COPY_SIZE;
    this.#superblockSlot = this.slots.superblock(lastPage);
    this.superblock = this.#readSuperblock();
  }

  /**
   * Makes sure that what is read from here on is on the medium: what a writer that died, or whose persist failed, left in the page cache
   * may not be. The superblock first, for the clean mark itself may be such a page.
   */
  readFromMedium(): void {
    const { medium } = this;
    for (const off of this.#superblockSlot.offs) medium.dropCache(off, media.COPY_SIZE);
    if (!this.#readSuperblock().clean) medium.dropCache();
  }

  /** Reads the superblock again, now that nobody else can change it, and lays out the banks. */
  attach(): void {
    Object.assign(this.superblock, this.#readSuperblock());
    const { medium, bank } = this;
    // A medium in memory can be opened again: what an earlier pool object left in the shared state is not this one's.
    bank.words[(plan.STATE_PTR + plan.STATE_FLAGS_OFF) / 4] = 0;
    bank.bytes.fill(0, plan.BITMAP_PTR, plan.BITMAP_PTR + Math.ceil(this.superblock.segmentCount / 8));
    const { segmentsOff, segmentSize, segmentCount, dataOff, uuid } = this.superblock;
    this.dataSize = bank.core.segmentDataSize(segmentSize, dataOff);
    this.slots.attach(segmentsOff, segmentSize);
    medium.attach({ segmentsOff, segmentSize, segmentCount });
    bank.bytes.set(uuidBytes(uuid) as Uint8Array, this.uuidPtr);
  }

  get #name(): string {
    return this.medium.path ?? 'the medium';
  }

  #readSuperblock(): Superblock {
    const slot = this.#superblockSlot;
    const { slotClass, ptr, delivered } = this.slots.load(slot);
    const at = { path: this.medium.path, offset: 0, length: media.SUPERBLOCK_SIZE };
    const { core } = this.bank;
    if (slotClass === plan.SLOT_SPLIT)
      throw new PmsegError('ERR_PMSEG_DAMAGED', `the two superblocks of ${this.#name} belong to different states`, at);
    if (!isReadable(slotClass)) {
      if (!delivered) throw this.#superblockUnread();
      if (!slot.imagePtrs.some((copyPtr) => core.superblockMagic(copyPtr)))
        throw new PmsegError('ERR_PMSEG_NOT_POOL', `${this.#name} is not a pool`, at);
      throw new PmsegError('ERR_PMSEG_CORRUPT', `both superblocks of ${this.#name} are corrupt`, at);
    }
    const verdict = core.superblockCheck(ptr, this.medium.size, this.medium.writable);
    if (verdict !== verdicts.FINE) {
      const [code, what] = SUPERBLOCK_ERRORS.get(verdict) ?? [
        'ERR_PMSEG_DAMAGED',
        `has a superblock that contradicts itself (${verdictName(verdict)})`,
      ];
      throw new PmsegError(code, `${this.#name} ${what}`, at);
    }
    return readSuperblock(this.bank.view, ptr);
  }

  #superblockUnread(): PmsegError {
    return new PmsegError('ERR_PMSEG_MEDIA', `the medium cannot deliver the superblocks of ${this.#name}`, {
      path: this.medium.path,
      offset: 0,
      length: media.SUPERBLOCK_SIZE,
      errno: errnos.EIO,
    });
  }

  /** Where the pool's uuid is, in bank 0. */
  get uuidPtr(): number {
    return this.bank.scratchPtr + UUID_OFF;
  }

  /** Writes an owner id to where the core reads it; returns that address. */
  ownerIdPtr(ownerId: bigint): number {
    const ptr = this.bank.scratchPtr + OWNER_ID_OFF;
    this.bank.view.setBigUint64(ptr, ownerId, true);
    return ptr;
  }

  /** Class of the superblock's slot: one readable copy of two is `degraded`. */
  get superblockClass(): number {
    return this.slots.slotClass(this.#superblockSlot);
  }

  /**
   * Changes the superblock: one slot update, in force and durable on return.
   * @throws PmsegError ERR_PMSEG_READ_ONLY when there is no later epoch: only an image made for the purpose gets there
   */
  updateSuperblock(changes: Partial<Pick<Superblock, 'clean' | 'highWater' | 'epoch'>>): void {
    const next = { ...this.superblock, ...changes };
    if (next.epoch > Number.MAX_SAFE_INTEGER)
      throw new PmsegError('ERR_PMSEG_READ_ONLY', `${this.#name} has used up its epochs: it can only be read`, { path: this.medium.path });
    const { slotClass, ptr } = this.slots.load(this.#superblockSlot);
    if (!isReadable(slotClass)) throw this.#superblockUnread();
    const record = this.bank.bytes.slice(ptr, ptr + media.SUPERBLOCK_SIZE);
    this.slots.update([
      {
        slot: this.#superblockSlot,
        fill: (recordPtr) => {
          this.bank.bytes.set(record, recordPtr);
          writeSuperblock(this.bank.view, recordPtr, next);
        },
      },
    ]);
    Object.assign(this.superblock, changes);
  }

  /** Writes the superblock's newest copy over the other one, unless they are the same; whether it did. */
  completeSuperblock(): boolean {
    const { slotClass } = this.slots.load(this.#superblockSlot);
    this.slots.complete([this.#superblockSlot]);
    return slotClass !== plan.SLOT_EQUAL;
  }

  /**
   * Starts moving metadata to the persistence domain. On cache lines only a flush does that: what a process stored just before it died is
   * seen by the next one and still not durable, and no drain covers it. Before the clean mark was stored, all else was durable.
   */
  flushMetadata(): void {
    if (this.medium.granularity !== 'cache-line') return;
    this.slots.flush(this.#superblockSlot);
    if (this.superblock.clean) return;
    for (let id = 0; id < this.superblock.highWater; id++) {
      this.slots.flush(this.slots.info(id));
      this.slots.flush(this.slots.owner(id));
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @throws PmsegError ERR_PMSEG_CLOSED */
  assertOpen(): void {
    if (this.#closed) throw new PmsegError('ERR_PMSEG_CLOSED', 'the pool is closed', { path: this.medium.path });
  }

  /** @throws PmsegError ERR_PMSEG_CLOSED, _READ_ONLY, _HALTED */
  assertWritable(): void {
    this.assertOpen();
    if (!this.medium.writable)
      throw new PmsegError('ERR_PMSEG_READ_ONLY', `${this.#name} is open for reading only`, {
        path: this.medium.path,
        errno: errnos.EROFS,
      });
    this.barrier.assertRunning();
  }

  /** Marks the engine closed; the medium is the pool's to close. */
  markClosed(): void {
    this.#closed = true;
    this.bank.stateOr(plan.STATE_FLAGS_OFF, plan.STATE_CLOSED);
  }

  /** Offset in the pool of a place in a segment's data. */
  poolOff(segmentId: number, off: number): number {
    const { segmentsOff, segmentSize, dataOff } = this.superblock;
    return segmentsOff + segmentId * segmentSize + dataOff + off;
  }

  /**
   * Copies `len` bytes of a segment's data at `off` into a bio at `bioOff` from its position, which does not move.
   * @throws PmsegError ERR_PMSEG_SHORT_COPY before anything is copied; ERR_PMSEG_MEDIA when the medium lost a byte of the range
   */
  copyToBio(segmentId: number, off: number, len: number, bio: Bio, bioOff: number): void {
    this.assertOpen();
    checkRange('segment', off, len, this.dataSize);
    if (!(bio instanceof Bio)) throw typeError('bio', 'a Bio', bio);
    bio.check(bioOff, len);
    if (len === 0) return;
    const { dataOff } = this.superblock;
    const bank = this.medium.bankOf(segmentId);
    try {
      const dataPtr = this.medium.acquire(segmentId, dataOff + off, len, false) + dataOff;
      try {
        if (bio.bank === bank) {
          const result = bank.core.copyToBio(dataPtr, this.dataSize, off, len, bio.tablePtr, bio.pieces.length, bio.pos + bioOff);
          if (result < 0 && result !== verdicts.EFAULT)
            throw new PmsegError('ERR_PMSEG_IO', 'the core refused the copy', { errno: -result });
        } else {
          this.medium.copyOut(bank, dataPtr + off, bio.slices(bioOff, len));
        }
        if (bank.core.faultCount() !== 0) this.assertGood(segmentId, off, len);
        if (!bio.bank) assertNotLost(bio.slices(bioOff, len));
      } finally {
        this.medium.release(segmentId);
      }
    } catch (error) {
      throw this.#locate(error, segmentId, off, len);
    }
  }

  /**
   * Stores `len` bytes of a bio at `bioOff` from its position, which does not move, into a segment's data at `off`, and flushes.
   * @param durable also wait, on page granularity too
   * @throws PmsegError ERR_PMSEG_SHORT_COPY before anything is copied; _NO_SPACE, _MEDIA for this operation alone; _HALTED
   */
  copyFromBio(segmentId: number, off: number, len: number, bio: Bio, bioOff: number, durable: boolean): void {
    this.assertWritable();
    checkRange('segment', off, len, this.dataSize);
    if (!(bio instanceof Bio)) throw typeError('bio', 'a Bio', bio);
    bio.check(bioOff, len);
    if (len === 0) return;
    const poolOff = this.poolOff(segmentId, off);
    try {
      this.#store(segmentId, off, len, () => {
        if (durable) this.medium.writeDurable(poolOff, bio, bioOff, len);
        else this.medium.write(poolOff, bio, bioOff, len);
      });
    } catch (error) {
      // The kernel could not read the caller's memory, or not write to the medium; it does not say which.
      if (error instanceof PmsegError && error.errno === errnos.EFAULT && !bio.bank) {
        touchLent(bio.slices(bioOff, len));
        assertNotLost(bio.slices(bioOff, len));
      }
      throw error;
    }
    if (!bio.bank) assertNotLost(bio.slices(bioOff, len));
    if (durable) return;
    // On byte-addressable media what is left is a fence: durable on return, as the kernel's copy is.
    if (this.medium.granularity === 'page') this.ledger.stored(poolOff, len);
    else this.barrier.drain();
  }

  /**
   * Waits until everything stored or flushed before is durable.
   * @throws PmsegError ERR_PMSEG_MEDIA when the medium has lost some of it, as often as asked until that is repaired
   */
  drain(): void {
    this.assertWritable();
    this.barrier.drain();
    this.#assertSettled();
  }

  /** As `drain`, off this thread. */
  async drainAsync(): Promise<void> {
    this.assertWritable();
    await this.barrier.drainAsync();
    this.#assertSettled();
  }

  #assertSettled(): void {
    const lost = this.ledger.settle();
    if (!lost) return;
    const { segmentsOff, segmentSize } = this.superblock;
    const segmentId = Math.floor((lost.off - segmentsOff) / segmentSize);
    this.assertGood(segmentId, lost.off - this.poolOff(segmentId, 0), lost.len);
  }

  /**
   * Looks at a range after a persist of it.
   * @param since `ledger.repairs` before the persist
   * @throws PmsegError ERR_PMSEG_MEDIA when a byte of the range is bad, or was repaired since: what was stored may have gone with the old page
   */
  assertKept(segmentId: number, off: number, len: number, since: number): void {
    this.assertGood(segmentId, off, len);
    if (!this.ledger.repairedSince(since, this.poolOff(segmentId, off), len)) return;
    throw new PmsegError('ERR_PMSEG_MEDIA', `segment ${segmentId}: ${off}+${len} was repaired before it was durable: store it again`, {
      path: this.medium.path,
      segmentId,
      offset: off,
      length: len,
      errno: errnos.EIO,
    });
  }

  /** Brings a range of a segment's data back if it is lost, as zeros if it must be. */
  bringBack(segmentId: number, off: number, len: number): void {
    const poolOff = this.poolOff(segmentId, off);
    if (this.medium.badOffset(poolOff, len) >= 0) this.repair(poolOff, len, true);
  }

  /** See `Pool.repair`. Offsets count from the beginning of the pool. */
  repair(off: number, len: number, zero: boolean): BadRange[] {
    this.assertOpen();
    checkRange('repair', off, len, this.medium.size);
    if (len === 0) return [];
    // Zeros are stores: not where nothing may be stored.
    const mayStore = this.medium.writable && !this.barrier.halted;
    this.ledger.repaired(off, len);
    try {
      return this.medium.repair(off, len, false);
    } catch (error) {
      if (!zero || !mayStore || !(error instanceof PmsegError) || error.code !== 'ERR_PMSEG_MEDIA') throw error;
    }
    let made: BadRange[] = [];
    this.barrier.store(() => (made = this.medium.repair(off, len, true)));
    return made;
  }

  /** Starts moving what was stored through a writable view. */
  flush(segmentId: number, off: number, len: number): void {
    this.assertWritable();
    checkRange('segment', off, len, this.dataSize);
    if (len === 0) return;
    const poolOff = this.poolOff(segmentId, off);
    this.#store(segmentId, off, len, () => this.medium.flush(poolOff, len));
    if (this.medium.granularity === 'page') this.ledger.stored(poolOff, len);
  }

  /** Starts reading ahead of loads. */
  async prefetch(segmentId: number, off: number, len: number): Promise<void> {
    try {
      await this.medium.prefetch(this.poolOff(segmentId, off), len);
    } catch (error) {
      if (!this.#closed) this.assertGood(segmentId, off, len);
      throw this.#locate(error, segmentId, off, len);
    }
  }

  #store(segmentId: number, off: number, len: number, store: () => void): void {
    try {
      this.barrier.store(store);
    } catch (error) {
      throw this.#locate(error, segmentId, off, len);
    }
  }

  /** @throws PmsegError ERR_PMSEG_MEDIA when a byte of the range is bad */
  assertGood(segmentId: number, off: number, len: number): void {
    const begin = this.poolOff(segmentId, off);
    const bad = this.medium.badOffset(begin, len);
    if (bad < 0) return;
    const at = Math.max(0, bad - begin) + off;
    throw new PmsegError('ERR_PMSEG_MEDIA', `segment ${segmentId}: the medium has lost bytes at offset ${at} of ${off}+${len}`, {
      path: this.medium.path,
      segmentId,
      offset: at,
      length: len,
      errno: errnos.EIO,
    });
  }

  /** Gives an error of the medium, which knows pool offsets, the coordinates of the segment. */
  #locate(error: unknown, segmentId: number, offset: number, length: number): unknown {
    if (!(error instanceof PmsegError) || error.segmentId !== undefined) return error;
    return new PmsegError(error.code, `segment ${segmentId} offset ${offset} length ${length}: ${error.message}`, {
      path: error.path,
      errno: error.errno,
      segmentId,
      offset,
      length,
      cause: error,
    });
  }
}
