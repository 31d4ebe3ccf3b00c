/**
 * Segment: a contiguous run of bytes of a pool, with its own metadata and explicit barriers.
 *
 * What is always true
 *   - Offsets count from the beginning of the data; nothing here reads or writes outside [0, dataSize).
 *   - On byte-addressable media `copyFromBio` returns durable; on page granularity it has stored and flushed, and `{ persist: true }` or a
 *     later barrier makes it durable.
 *   - Segments of objects and logs are theirs to write; through this class they can be read.
 */
import { TYPE_CACHE_DATA, TYPE_LOG, TYPE_OBJECT } from '../assembly/media.js';
import { linkSegment, readInfo } from './allocator.js';
import { Bio } from './bio.js';
import type { Degraded } from './catalog.js';
import type { Core } from './core.js';
import type { Engine } from './engine.js';
import { PmsegError, checkOptions, checkRange, typeError } from './errors.js';
import { touch } from './lent.js';
import * as nodeio from './nodeio.js';
import type { BadRange } from './medium.js';
import { isReadable, type SlotKind } from './slots.js';
import { SLOT_EQUAL } from '../assembly/plan.js';

export type SegmentType = 'free' | 'cache-data' | 'object' | 'log';

const TYPE_NAMES: Record<number, SegmentType> = { [TYPE_CACHE_DATA]: 'cache-data', [TYPE_OBJECT]: 'object', [TYPE_LOG]: 'log' };

/** Bytes of a segment, lent: no copy. Release it; the pool cannot be closed while views are lent. */
export class View {
  /** Read-only by contract unless lent with `{ write: true }`. A byte that the medium has lost reads as zero here: `verify()` tells. */
  readonly bytes: Uint8Array<ArrayBufferLike>;
  readonly #write: boolean;
  readonly #assertGood: () => void;
  #giveBack: (() => void) | undefined;

  constructor(bytes: Uint8Array<ArrayBufferLike>, write: boolean, assertGood: () => void, giveBack: () => void) {
    this.bytes = bytes;
    this.#write = write;
    this.#assertGood = assertGood;
    this.#giveBack = giveBack;
  }

  /**
   * Runs a call that reads or fills the bytes (`fs.readSync`, a hash, a decoder) and passes its result on, a promise too; lost bytes are an
   * error here as they are in a copy. The kernel answers EFAULT, or moves fewer bytes, where it meets a lost page.
   * @throws PmsegError ERR_PMSEG_MEDIA when the medium has lost any byte of the view, before, during or after the call
   */
  use<T>(call: (bytes: Uint8Array<ArrayBufferLike>) => T): T {
    let result: T;
    try {
      result = call(this.bytes);
    } catch (error) {
      throw this.#failed(error);
    }
    if (result instanceof Promise) {
      const checked = result.then(
        (value: unknown) => {
          this.#assertGood();
          return value;
        },
        (error: unknown) => {
          throw this.#failed(error);
        },
      );
      return checked as T;
    }
    // A short count says nothing about why; the pages do.
    if (typeof result === 'number' && result < this.bytes.byteLength) touch(this.bytes, this.#write);
    this.#assertGood();
    return result;
  }

  /** The error to throw for one of a call: the medium's, if it is the medium's fault. */
  #failed(error: unknown): unknown {
    if ((error as NodeJS.ErrnoException | undefined)?.code === 'EFAULT') touch(this.bytes, this.#write);
    try {
      this.#assertGood();
    } catch (lost) {
      return lost;
    }
    return error;
  }

  /** Gives the view back; `bytes` must not be used any more. A second call does nothing. */
  release(): void {
    this.#giveBack?.();
    this.#giveBack = undefined;
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** What a segment needs of its pool. */
export interface SegmentOwner {
  readonly engine: Engine;
  segment(id: number): Segment;
  /** Counts views that are lent. */
  lend(segmentId: number, count: 1 | -1): void;
  repair(range: BadRange): Repair;
}

/** What a repair did. */
export interface Repair {
  /** Ranges of the pool that could not be read any more and were written anew, as zeros. What was in them is gone. */
  readonly zeroed: readonly BadRange[];
  /** Records of which a copy was among them, and was written again from the good one. */
  readonly completed: readonly Degraded[];
}

export class Segment {
  readonly id: number;
  readonly #pool: SegmentOwner;
  #freed = false;
  /** Known to be raw; the type cannot change while the segment is in use. */
  #raw = false;

  constructor(pool: SegmentOwner, id: number) {
    this.#pool = pool;
    this.id = id;
  }

  get #engine(): Engine {
    if (this.#freed) throw new PmsegError('ERR_PMSEG_CLOSED', `segment ${this.id} was freed`, { segmentId: this.id });
    this.#pool.engine.assertOpen();
    return this.#pool.engine;
  }

  /** Bytes of data: segment size less metadata. */
  get dataSize(): number {
    return this.#pool.engine.dataSize;
  }

  /** The core of the bank in which the segment is seen. */
  get core(): Core {
    return this.#engine.medium.bankOf(this.id).core;
  }

  /** From the medium. */
  get type(): SegmentType {
    return TYPE_NAMES[readInfo(this.#engine, this.id).type] ?? 'free';
  }

  /** The next segment of the chain, from the medium; `undefined` at its end. */
  get next(): Segment | undefined {
    const { next } = readInfo(this.#engine, this.id);
    return next === undefined ? undefined : this.#pool.segment(next);
  }

  /**
   * Links to the next segment, or to none. In force and durable on return: persist the data of `next` first.
   * @throws PmsegError ERR_PMSEG_READ_ONLY for segments of objects and logs; _NO_ENTRY when `next` is free
   */
  setNext(next: Segment | undefined): void {
    const engine = this.#writable();
    if (next !== undefined && !(next instanceof Segment)) throw typeError('next', 'a Segment or undefined', next);
    if (next === this) throw new PmsegError('ERR_PMSEG_DAMAGED', `segment ${this.id} cannot follow itself`, { segmentId: this.id });
    if (next && next.#pool !== this.#pool)
      throw new PmsegError('ERR_PMSEG_NO_ENTRY', 'the next segment belongs to another pool', { segmentId: next.id });
    if (next) void next.#writable();
    linkSegment(engine, this.id, next?.id);
  }

  /**
   * This segment and those that follow it.
   * @throws PmsegError ERR_PMSEG_DAMAGED when the chain runs in a circle
   */
  *chain(): Generator<Segment> {
    const seen = new Set<number>();
    for (let segment: Segment | undefined = this; segment; segment = segment.next) {
      if (seen.has(segment.id))
        throw new PmsegError('ERR_PMSEG_DAMAGED', `the chain of segment ${this.id} comes back to segment ${segment.id}`, {
          segmentId: segment.id,
        });
      seen.add(segment.id);
      yield segment;
    }
  }

  /** Raw segments of a writable pool only. */
  #writable(): Engine {
    const engine = this.#engine;
    engine.assertWritable();
    if (this.#raw) return engine;
    const { type } = readInfo(engine, this.id);
    if (type !== TYPE_CACHE_DATA) {
      throw new PmsegError(
        'ERR_PMSEG_READ_ONLY',
        `segment ${this.id} belongs to ${TYPE_NAMES[type] === 'log' ? 'a log' : 'an object'}: write through that`,
        { segmentId: this.id },
      );
    }
    this.#raw = true;
    return engine;
  }

  /**
   * Copies `len` bytes at `off` into a bio, at `bioOff` from its position, which does not move.
   * @throws RangeError outside the data; PmsegError ERR_PMSEG_SHORT_COPY (nothing copied), _MEDIA (what was copied is not good)
   */
  copyToBio(off: number, len: number, bio: Bio, bioOff = 0): void {
    this.#engine.copyToBio(this.id, off, len, bio, bioOff);
  }

  /**
   * Stores `len` bytes of a bio, from `bioOff` after its position, which does not move, at `off`.
   * @param options.persist wait until they are durable, whatever the granularity
   * @throws RangeError outside the data; PmsegError ERR_PMSEG_SHORT_COPY (nothing stored), _NO_SPACE, _MEDIA, _HALTED, _READ_ONLY
   */
  copyFromBio(off: number, len: number, bio: Bio, bioOff = 0, options: { persist?: boolean } = {}): void {
    this.#writable().copyFromBio(this.id, off, len, bio, bioOff, checkOptions(options).persist ?? false);
  }

  /** A bio of one piece or several in this segment's bank: the cheapest to copy. Contents undefined; release it. */
  bio(...lens: number[]): Bio {
    return Bio.allocate(this.#engine.medium.bankOf(this.id), lens);
  }

  /** Fills `view` from `off` on, as far as there is data: bytes read. */
  read(view: ArrayBufferView, off: number): number {
    return nodeio.read(this, view, off);
  }

  /** As `read`, into several views. */
  readv(views: readonly ArrayBufferView[], off: number): number {
    return nodeio.readv(this, views, off);
  }

  /** Stores `view` at `off`, as far as there is room: bytes written. Not durable on page granularity before a barrier. */
  write(view: ArrayBufferView, off: number): number {
    return nodeio.write(this, view, off);
  }

  /** As `write`, from several views. */
  writev(views: readonly ArrayBufferView[], off: number): number {
    return nodeio.writev(this, views, off);
  }

  /**
   * Lends the bytes themselves. Read-only by contract: stores through such a view are undefined. With `{ write: true }` they survive the
   * death of the process, may reach the medium early, and are durable after `persist` of their range.
   */
  view(off: number, len: number, options: { write?: boolean } = {}): View {
    const write = checkOptions(options).write ?? false;
    const engine = write ? this.#writable() : this.#engine;
    checkRange('view', off, len, this.dataSize);
    const { medium } = engine;
    const { dataOff } = engine.superblock;
    const ptr = medium.acquire(this.id, dataOff + off, len, write) + dataOff + off;
    this.#pool.lend(this.id, 1);
    return new View(
      medium.bankOf(this.id).subarray(ptr, len),
      write,
      () => engine.assertGood(this.id, off, len),
      () => {
        medium.release(this.id);
        this.#pool.lend(this.id, -1);
      },
    );
  }

  /** Starts moving what was stored through a writable view of this range to the persistence domain. */
  flush(off = 0, len = this.dataSize - off): void {
    this.#writable().flush(this.id, off, len);
  }

  /** Waits for everything stored or flushed before, in the whole pool. */
  drain(): void {
    this.#engine.drain();
  }

  /** Flush and drain: after it the range is durable. Blocks this thread; milliseconds on page granularity. */
  persist(off = 0, len = this.dataSize - off): void {
    const engine = this.#writable();
    const since = engine.ledger.repairs;
    engine.flush(this.id, off, len);
    engine.barrier.drain();
    engine.assertKept(this.id, off, len, since);
  }

  /** As `persist`, off this thread; callers that arrive while a barrier is in flight share the next one. */
  async persistAsync(off = 0, len = this.dataSize - off): Promise<void> {
    const engine = this.#writable();
    const since = engine.ledger.repairs;
    engine.flush(this.id, off, len);
    await engine.barrier.drainAsync();
    engine.assertKept(this.id, off, len, since);
  }

  /** Starts reading a range ahead, off this thread: a cold page fault would block it. */
  prefetch(off = 0, len = this.dataSize - off): Promise<void> {
    checkRange('prefetch', off, len, this.dataSize);
    return this.#engine.prefetch(this.id, off, len);
  }

  /** As `Pool.repair`, for a range of this segment's data. */
  repair(off = 0, len = this.dataSize - off): Repair {
    const engine = this.#engine;
    checkRange('repair', off, len, this.dataSize);
    return this.#pool.repair({ off: engine.poolOff(this.id, off), len });
  }

  /** CRC-32C (standard form) of a range. */
  crc32c(off = 0, len = this.dataSize - off): number {
    const engine = this.#engine;
    checkRange('crc', off, len, this.dataSize);
    const { medium } = engine;
    const { dataOff } = engine.superblock;
    const bank = medium.bankOf(this.id);
    const ptr = medium.acquire(this.id, dataOff + off, len, false) + dataOff + off;
    try {
      const crc = bank.core.crc32cStandard(0, ptr, len);
      engine.assertGood(this.id, off, len);
      return crc;
    } finally {
      medium.release(this.id);
    }
  }

  /**
   * Looks at the segment's metadata and at what the medium is known to have lost.
   * @returns the slots of which only one copy is good
   * @throws PmsegError ERR_PMSEG_DAMAGED when a slot has none, ERR_PMSEG_MEDIA when bytes of the data are lost
   */
  verify(): { degraded: SlotKind[] } {
    const engine = this.#engine;
    const { info, owner } = engine.slots.loadSegment(this.id);
    const degraded: SlotKind[] = [];
    for (const [kind, { slotClass }] of [
      ['info', info],
      ['owner', owner],
    ] as const) {
      if (!isReadable(slotClass))
        throw new PmsegError('ERR_PMSEG_DAMAGED', `segment ${this.id} has lost its ${kind} record`, { segmentId: this.id });
      if (slotClass !== SLOT_EQUAL) degraded.push(kind);
    }
    engine.assertGood(this.id, 0, this.dataSize);
    return { degraded };
  }

  /** Called by the pool when the segment is given back. */
  markFreed(): void {
    this.#freed = true;
  }
}
