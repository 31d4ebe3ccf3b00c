/**
 * A walk over the records of a log, in order, as far as they are valid.
 *
 * What is always true
 *   - Bytes are copied to the arena first and judged there: nobody can change them between the check and the use.
 *   - The walk starts at the beginning of a segment, where an epoch record says which epoch holds; from there on each record is valid only
 *     under the epoch of the one before it, or opens a later one.
 *   - It ends at the first thing that is not a valid record, or that the medium has lost. What that means (tail, damage) is the caller's to
 *     decide; lost bytes behind the record that is asked for end nothing.
 */
import { LOG_HEADER_SIZE, LOG_KIND_DATA, LOG_KIND_END, LOG_LEN_KIND_OFF, LOG_LEN_MASK, LOG_SEED_EPOCH_OFF } from '../../assembly/media.js';
import * as plan from '../../assembly/plan.js';
import { Bio } from '../bio.js';
import type { Engine } from '../engine.js';
import { PmsegError } from '../errors.js';
import { CURSOR_OFF } from '../scratch.js';
import { isReadable } from '../slots.js';

/** A segment of a log and its place in the chain: position = index · dataSize + offset. */
export interface LogSegment {
  readonly id: number;
  readonly index: number;
}

/** Most bytes read ahead at once, and how many at first: a short log should not cost a window. */
const WINDOW_SIZE = 1024 * 1024;
const FIRST_SIZE = 64 * 1024;
/**
 * The owner record of a log's segment, read afresh: it says the generation that the records must have.
 * @throws PmsegError ERR_PMSEG_DAMAGED when it cannot be had: records sealed or judged under anything else would be lost
 */
export function ownerPtr(engine: Engine, id: number): number {
  const { slotClass, ptr } = engine.slots.load(engine.slots.owner(id));
  if (!isReadable(slotClass)) throw new PmsegError('ERR_PMSEG_DAMAGED', `segment ${id} has lost its owner record`, { segmentId: id });
  return ptr;
}

/** Longest record's payload, whatever the segment size: it must fit into the arena beside everything else. */
export const RECORD_LEN_MAX = 32 * 1024 * 1024;

export class LogWalk {
  readonly #engine: Engine;
  readonly #nextOf: (segment: LogSegment) => LogSegment | undefined;
  /** Reads end here; moves when the log grows. */
  readonly #limit: () => number;
  readonly #cursorPtr: number;
  #segment: LogSegment;
  /** Offset in the segment's data of the next record. */
  #off = 0;
  /** What the window holds: bytes [#begin, #begin + #have) of the current segment's data. */
  #window: Bio;
  #begin = 0;
  #have = 0;
  /** Bytes to read next; doubles as the walk goes on. */
  #ahead = FIRST_SIZE;
  /** The data record just stepped over. */
  position = 0;
  payloadPtr = 0;
  payloadLen = 0;
  /** Why the walk ended at `lost`, or why there is no proof. */
  lost: PmsegError | undefined;

  /**
   * @param first the segment to begin with
   * @param nextOf the segment that follows another one in the log, asked when its records are used up
   * @param limit position behind which nothing is read
   */
  constructor(engine: Engine, first: LogSegment, nextOf: (segment: LogSegment) => LogSegment | undefined, limit: () => number) {
    this.#engine = engine;
    this.#segment = first;
    this.#nextOf = nextOf;
    this.#limit = limit;
    // Looked at before anything is taken of the arena: it may be lost.
    const firstOwnerPtr = ownerPtr(engine, first.id);
    this.#window = Bio.allocate(engine.bank, [WINDOW_SIZE]);
    try {
      this.#cursorPtr = engine.bank.arena.allocate(plan.CURSOR_SIZE);
    } catch (error) {
      this.#window.release();
      throw error;
    }
    engine.bank.core.logCursorInit(this.#cursorPtr, firstOwnerPtr, engine.superblock.epoch);
  }

  /** The segment that the walk is in. */
  get segment(): LogSegment {
    return this.#segment;
  }

  /** Offset in the current segment's data of what comes next. */
  get off(): number {
    return this.#off;
  }

  /** Position of what comes next. */
  get end(): number {
    return this.segment.index * this.#engine.dataSize + this.#off;
  }

  #cursorF64(off: number): number {
    return this.#engine.bank.view.getFloat64(this.#cursorPtr + off, true);
  }

  #cursorU32(off: number): number {
    return this.#engine.bank.view.getUint32(this.#cursorPtr + off, true);
  }

  /** Sequence of the next data record; 0 when no record has told yet. */
  get sequence(): number {
    return this.#cursorF64(plan.CURSOR_SEQUENCE_OFF);
  }

  /** Epoch of the last record; 0 before the first. */
  get epoch(): number {
    return Number(this.#engine.bank.view.getBigUint64(this.#cursorPtr + LOG_SEED_EPOCH_OFF, true));
  }

  /** Durable-up-to position that the last record carries. */
  get durablePos(): number {
    return this.#cursorF64(plan.CURSOR_DURABLE_POS_OFF);
  }

  /**
   * Steps over one data record (and the epoch and end records before it).
   * @returns `record`; `end` behind the last valid record of the last segment's written part or at the limit; `invalid` where something else
   *   lies; `lost` where the medium cannot deliver the next record
   */
  next(): 'record' | 'end' | 'invalid' | 'lost' {
    const { dataSize, bank } = this.#engine;
    for (;;) {
      const remain = dataSize - this.#off;
      if (remain < LOG_HEADER_SIZE) {
        if (!this.#enterNext()) return 'end';
        continue;
      }
      if (this.end >= this.#limit()) return 'end';
      let ptr: number;
      try {
        ptr = this.#fetch(remain);
      } catch (error) {
        this.lost = asLost(error);
        return 'lost';
      }
      const position = this.end;
      const size = bank.core.logStep(this.#cursorPtr, ptr, Math.min(remain, this.#begin + this.#have - this.#off), this.#off === 0);
      if (size === 0) return 'invalid';
      const kind = this.#cursorU32(plan.CURSOR_KIND_OFF);
      this.#off = kind === LOG_KIND_END ? dataSize : this.#off + size;
      if (kind !== LOG_KIND_DATA) continue;
      this.position = position;
      this.payloadPtr = ptr + LOG_HEADER_SIZE;
      this.payloadLen = this.#cursorU32(plan.CURSOR_LEN_OFF);
      return 'record';
    }
  }

  /** Whether the current segment was left for good: its end record (or too little room for one) has been stepped over. */
  get segmentDone(): boolean {
    return this.#engine.dataSize - this.#off < LOG_HEADER_SIZE;
  }

  #enterNext(): boolean {
    const next = this.#nextOf(this.#segment);
    if (!next) return false;
    this.#segment = next;
    this.#off = this.#begin = this.#have = 0;
    this.#engine.bank.core.logCursorSegment(this.#cursorPtr, ownerPtr(this.#engine, this.#segment.id));
    return true;
  }

  /** Makes the window hold the record at `#off` as far as its header can be believed; returns its address. */
  #fetch(remain: number): number {
    this.#require(LOG_HEADER_SIZE, remain);
    const { bank } = this.#engine;
    const header = this.#addressOf(this.#off);
    const len = bank.view.getUint32(header + LOG_LEN_KIND_OFF, true) & LOG_LEN_MASK;
    const size = bank.core.logRecordSize(len);
    // A record that does not fit, or is longer than any that is written, is invalid whatever its bytes are: no need to read them.
    if (size <= remain && len <= RECORD_LEN_MAX) this.#require(size, remain);
    return this.#addressOf(this.#off);
  }

  #addressOf(off: number): number {
    return this.#engine.bank.view.getUint32(this.#window.tablePtr, true) + (off - this.#begin);
  }

  /** Makes `size` bytes at `#off` be in the window. */
  #require(size: number, remain: number): void {
    const engine = this.#engine;
    if (this.#off >= this.#begin && this.#off + size <= this.#begin + this.#have) return;
    if (size > this.#window.size) {
      this.#window.release();
      this.#window = Bio.allocate(engine.bank, [Math.ceil(size / WINDOW_SIZE) * WINDOW_SIZE]);
    }
    // Nothing behind the limit: what is appended there later would be judged by what lay there before.
    const len = Math.min(this.#window.size, remain, Math.max(size, Math.min(this.#ahead, this.#limit() - this.end)));
    this.#ahead = Math.min(WINDOW_SIZE, 2 * this.#ahead);
    this.#have = 0;
    this.#have = this.#copy(size, len);
    this.#begin = this.#off;
  }

  /** Copies up to `len` bytes at `#off` into the window, at least `size`, as far as the medium has them; how many. */
  #copy(size: number, len: number): number {
    const { id } = this.segment;
    try {
      this.#engine.copyToBio(id, this.#off, len, this.#window, 0);
      return len;
    } catch (error) {
      const good = (asLost(error).offset ?? 0) - this.#off;
      const less = good > size && good < len ? good : size;
      this.#engine.copyToBio(id, this.#off, less, this.#window, 0);
      return less;
    }
  }

  /**
   * Where the walk stopped at something invalid: whether a later record of this segment proves that bytes here had been durable. Lost bytes
   * there may have been that record: doubt is damage.
   * @returns position of the record that proves it or of the first lost byte, or -1
   */
  proof(): number {
    try {
      return this.#proof();
    } catch (error) {
      this.lost = asLost(error);
      return this.lostPosition;
    }
  }

  /** Position of the first lost byte. */
  get lostPosition(): number {
    return this.end + Math.max(0, (this.lost?.offset ?? this.#off) - this.#off);
  }

  /** Whether the walk stopped before a run of zeros: nothing was ever written there. */
  isZeroAhead(): boolean {
    const probe = new Uint8Array(Math.min(64, this.#engine.dataSize - this.#off));
    this.#engine.copyToBio(this.segment.id, this.#off, probe.byteLength, Bio.from(probe), 0);
    return probe.every((byte) => byte === 0);
  }

  #proof(): number {
    const engine = this.#engine;
    const remain = engine.dataSize - this.#off;
    // The whole rest of the segment, in its own address range: a proof is looked for once, at recovery.
    const { medium } = engine;
    const { dataOff } = engine.superblock;
    const { id } = this.segment;
    const bank = medium.bankOf(id);
    const ptr = medium.acquire(id, dataOff + this.#off, remain, false) + dataOff + this.#off;
    try {
      if (bank !== engine.bank)
        bank.subarray(this.#proofCursorPtr, plan.CURSOR_SIZE).set(engine.bank.subarray(this.#cursorPtr, plan.CURSOR_SIZE));
      const off = bank.core.logProof(bank === engine.bank ? this.#cursorPtr : this.#proofCursorPtr, ptr, remain, this.end);
      if (off >= 0) return this.end + off;
      engine.assertGood(id, this.#off, remain);
      return -1;
    } finally {
      medium.release(id);
    }
  }

  /** A place for a copy of the cursor in another bank. */
  get #proofCursorPtr(): number {
    return plan.SCRATCH_PTR + CURSOR_OFF;
  }

  /** Gives the arena memory back. */
  release(): void {
    this.#window.release();
    this.#engine.bank.arena.release(this.#cursorPtr);
  }
}

/** An error that says bytes are lost; any other is thrown on. */
function asLost(error: unknown): PmsegError {
  if (error instanceof PmsegError && error.code === 'ERR_PMSEG_MEDIA') return error;
  throw error;
}
