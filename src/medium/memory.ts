/**
 * `memory`: a medium in plain linear memory, of any granularity, whose operations can be watched and made to fail. For tests.
 *
 * What is always true
 *   - It keeps nothing: what it holds is gone with it, unless `image()` was taken.
 *   - Every store, flush and drain passes `onOperation` before it takes effect; an exception from there fails the operation.
 *   - Stores through a writable view cannot be watched one by one: they show as one store of the whole range when it is flushed.
 */
import * as plan from '../../assembly/plan.js';
import { BANK_SIZE, Bank } from '../bank.js';
import type { Bio } from '../bio.js';
import { rangeError } from '../errors.js';
import type { BadRange, Geometry, Granularity, Medium, Mode } from '../medium.js';

/** One operation on the medium. Offsets in the pool; `bytes` of a store are a copy. */
export type Operation =
  | { readonly kind: 'store'; readonly off: number; readonly bytes: Uint8Array }
  | { readonly kind: 'flush'; readonly off: number; readonly len: number }
  /**
   * `behind`: how many of the operations before it came after it had begun, and are not covered by it. With `range`, it covers only what was
   * stored there: a durable write is no barrier for others.
   */
  | { readonly kind: 'drain'; readonly behind: number; readonly range?: { readonly off: number; readonly len: number } };

export interface MemoryOptions {
  granularity?: Granularity;
  writable?: boolean;
  onOperation?: (operation: Operation) => void;
}

export class MemoryMedium implements Medium {
  readonly mode: Mode = 'memory';
  readonly granularity: Granularity;
  readonly forced = false;
  readonly writable: boolean;
  readonly path = undefined;
  readonly size: number;
  readonly banks = [new Bank(0)];
  /** Operations so far. */
  readonly counts = { stores: 0, flushes: 0, drains: 0 };
  readonly #onOperation: ((operation: Operation) => void) | undefined;
  #geometry: Geometry = { segmentsOff: 0, segmentSize: 0, segmentCount: 0 };
  /** Ranges that writable views were lent of. */
  #lent: [number, number][] = [];

  /** @param content bytes of the medium, copied; or its size, all zero */
  constructor(content: number | Uint8Array, options: MemoryOptions = {}) {
    this.size = typeof content === 'number' ? content : content.byteLength;
    if (!Number.isSafeInteger(this.size) || this.size < 0 || this.size > BANK_SIZE - plan.WINDOW_PTR_MIN) {
      throw rangeError(`a medium in memory has 0 to ${BANK_SIZE - plan.WINDOW_PTR_MIN} bytes, not ${this.size}`);
    }
    this.granularity = options.granularity ?? 'cache-line';
    this.writable = options.writable ?? true;
    this.#onOperation = options.onOperation;
    if (typeof content !== 'number') this.#bank.bytes.set(content, plan.WINDOW_PTR_MIN);
  }

  get #bank(): Bank {
    return this.banks[0] as Bank;
  }

  /** A copy of all bytes as loads see them now. */
  image(): Uint8Array<ArrayBuffer> {
    return this.#bank.bytes.slice(plan.WINDOW_PTR_MIN, plan.WINDOW_PTR_MIN + this.size) as Uint8Array<ArrayBuffer>;
  }

  /** Puts other bytes in place of all, as a reboot would find them. For media that no pool has open. */
  restore(image: Uint8Array): void {
    if (image.byteLength !== this.size) throw rangeError(`the image has ${image.byteLength} bytes, the medium ${this.size}`);
    this.#bank.bytes.set(image, plan.WINDOW_PTR_MIN);
  }

  /** The bytes themselves at `off`, not copied: for tests that change what a pool will find there. Passes no `onOperation`. */
  bytes(off: number, len: number): Uint8Array<ArrayBufferLike> {
    if (off < 0 || len < 0 || off + len > this.size) throw rangeError(`${off}+${len} is not inside a medium of ${this.size} bytes`);
    return this.#bank.subarray(plan.WINDOW_PTR_MIN + off, len);
  }

  /** Forgets what the last pool left in linear memory beside the medium, as the next process would not find it. */
  reboot(): void {
    const { bytes } = this.#bank;
    bytes.fill(0, plan.STATE_PTR + plan.STATE_FAULTS_OFF, plan.STATE_PTR + plan.STATE_SUPERBLOCK_SLOT_OFF + plan.SLOT_STATE_SIZE);
    bytes.fill(0, plan.SLOTS_PTR, plan.SLOTS_PTR + this.#geometry.segmentCount * plan.SLOTS_PER_SEGMENT * plan.SLOT_STATE_SIZE);
  }

  attach(geometry: Geometry): void {
    this.#geometry = geometry;
    this.#lent = [];
  }

  read(off: number, bank: Bank, ptr: number, len: number): void {
    bank.bytes.set(this.#bank.subarray(plan.WINDOW_PTR_MIN + off, len), ptr);
  }

  write(off: number, bio: Bio, bioOff: number, len: number): void {
    let at = off;
    for (const slice of bio.slices(bioOff, len)) {
      this.#onOperation?.({ kind: 'store', off: at, bytes: slice.slice() });
      this.counts.stores++;
      this.#bank.bytes.set(slice, plan.WINDOW_PTR_MIN + at);
      at += slice.byteLength;
    }
    this.flush(off, len);
  }

  writeDurable(off: number, bio: Bio, bioOff: number, len: number): void {
    this.write(off, bio, bioOff, len);
    // A file system that is asked for one durable write owes nothing to the others; a fence waits for all.
    this.#drained(0, this.granularity === 'page' ? { off, len } : undefined);
  }

  flush(off: number, len: number): void {
    for (const [lentOff, lentLen] of this.#lent) {
      const [from, to] = [Math.max(off, lentOff), Math.min(off + len, lentOff + lentLen)];
      if (from >= to) continue;
      this.#onOperation?.({ kind: 'store', off: from, bytes: this.bytes(from, to - from).slice() });
      this.counts.stores++;
    }
    this.#onOperation?.({ kind: 'flush', off, len });
    this.counts.flushes++;
  }

  drain(): void {
    this.#drained(0);
  }

  async drainAsync(): Promise<void> {
    const begun = this.#operationCount;
    await new Promise((resolve) => setImmediate(resolve));
    this.#drained(this.#operationCount - begun);
  }

  get #operationCount(): number {
    const { stores, flushes, drains } = this.counts;
    return stores + flushes + drains;
  }

  #drained(behind: number, range?: { off: number; len: number }): void {
    this.#onOperation?.(range ? { kind: 'drain', behind, range } : { kind: 'drain', behind });
    this.counts.drains++;
  }

  bankOf(): Bank {
    return this.#bank;
  }

  acquire(segmentId: number, off: number, len: number, writable: boolean): number {
    const begin = this.#geometry.segmentsOff + segmentId * this.#geometry.segmentSize;
    if (writable) this.#lent.push([begin + off, len]);
    return plan.WINDOW_PTR_MIN + begin;
  }

  release(): void {
    // Nothing moves.
  }

  copyOut(bank: Bank, ptr: number, slices: readonly Uint8Array<ArrayBufferLike>[]): void {
    bank.copyOut(ptr, slices);
  }

  async prefetch(): Promise<void> {
    // It is all here.
  }

  badOffset(): number {
    return -1;
  }

  badRanges(): BadRange[] {
    return [];
  }

  offsetOf(): number {
    return -1;
  }

  repair(): BadRange[] {
    return [];
  }

  seekData(off: number): number {
    return off;
  }

  unwritten(): number {
    return 0;
  }

  dropCache(): void {
    // There is no cache.
  }

  close(): void {
    // The memory goes with the object.
  }
}
