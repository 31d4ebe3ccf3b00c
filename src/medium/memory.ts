/**
 * `memory`: a medium in plain linear memory, of any granularity, whose operations can be watched and made to fail. For tests.
 *
 * What is always true
 *   - It keeps nothing: what it holds is gone with it, unless `image()` was taken.
 *   - Every store, flush and drain passes `onOperation` before it takes effect; an exception from there fails the operation.
 */
import { WINDOW_PTR_MIN } from '../../assembly/plan.js';
import { BANK_SIZE, Bank } from '../bank.js';
import type { Bio } from '../bio.js';
import { rangeError } from '../errors.js';
import type { BadRange, Geometry, Granularity, Medium, Mode } from '../medium.js';

/** One operation on the medium. Offsets in the pool; `bytes` of a store are a copy. */
export type Operation =
  | { readonly kind: 'store'; readonly off: number; readonly bytes: Uint8Array }
  | { readonly kind: 'flush'; readonly off: number; readonly len: number }
  | { readonly kind: 'drain' };

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

  /** @param content bytes of the medium, copied; or its size, all zero */
  constructor(content: number | Uint8Array, options: MemoryOptions = {}) {
    this.size = typeof content === 'number' ? content : content.byteLength;
    if (!Number.isSafeInteger(this.size) || this.size < 0 || this.size > BANK_SIZE - WINDOW_PTR_MIN) {
      throw rangeError(`a medium in memory has 0 to ${BANK_SIZE - WINDOW_PTR_MIN} bytes, not ${this.size}`);
    }
    this.granularity = options.granularity ?? 'cache-line';
    this.writable = options.writable ?? true;
    this.#onOperation = options.onOperation;
    if (typeof content !== 'number') this.#bank.bytes.set(content, WINDOW_PTR_MIN);
  }

  get #bank(): Bank {
    return this.banks[0] as Bank;
  }

  /** A copy of all bytes as loads see them now. */
  image(): Uint8Array<ArrayBuffer> {
    return this.#bank.bytes.slice(WINDOW_PTR_MIN, WINDOW_PTR_MIN + this.size) as Uint8Array<ArrayBuffer>;
  }

  /** Puts other bytes in place of all, as a reboot would find them. For media that no pool has open. */
  restore(image: Uint8Array): void {
    if (image.byteLength !== this.size) throw rangeError(`the image has ${image.byteLength} bytes, the medium ${this.size}`);
    this.#bank.bytes.set(image, WINDOW_PTR_MIN);
  }

  attach(geometry: Geometry): void {
    this.#geometry = geometry;
  }

  read(off: number, bank: Bank, ptr: number, len: number): void {
    bank.bytes.set(this.#bank.subarray(WINDOW_PTR_MIN + off, len), ptr);
  }

  write(off: number, bio: Bio, bioOff: number, len: number): void {
    let at = off;
    for (const slice of bio.slices(bioOff, len)) {
      this.#onOperation?.({ kind: 'store', off: at, bytes: slice.slice() });
      this.counts.stores++;
      this.#bank.bytes.set(slice, WINDOW_PTR_MIN + at);
      at += slice.byteLength;
    }
    this.flush(off, len);
  }

  writeDurable(off: number, bio: Bio, bioOff: number, len: number): void {
    this.write(off, bio, bioOff, len);
    this.drain();
  }

  flush(off: number, len: number): void {
    this.#onOperation?.({ kind: 'flush', off, len });
    this.counts.flushes++;
  }

  drain(): void {
    this.#onOperation?.({ kind: 'drain' });
    this.counts.drains++;
  }

  async drainAsync(): Promise<void> {
    await Promise.resolve();
    this.drain();
  }

  bankOf(): Bank {
    return this.#bank;
  }

  acquire(segmentId: number): number {
    return WINDOW_PTR_MIN + this.#geometry.segmentsOff + segmentId * this.#geometry.segmentSize;
  }

  release(): void {
    // Nothing moves.
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

  seekData(off: number): number {
    return off;
  }

  dropCache(): void {
    // There is no cache.
  }

  close(): void {
    // The memory goes with the object.
  }
}
