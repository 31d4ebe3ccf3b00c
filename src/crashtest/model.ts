/**
 * What a medium may hold after power loss: which bytes are durable, and which pieces are not, with every value that each may have.
 *
 * A piece is what arrives whole or not at all: an aligned word of 8 bytes where lines of 64 bytes are flushed (`cache-line`, `byte`), a sector of
 * 512 bytes where pages of 4 KiB are written (`page`).
 *
 * What is always true
 *   - A piece that is not durable has one of the values that it had since it last was, independently of all other pieces. This is weaker than any
 *     processor or disk that keeps some order, so what survives here survives there.
 *   - A drain makes durable what was stored before it began: everything on `page` and `byte` granularity, on `cache-line` what had been
 *     flushed before it began, with the value that it had when it was flushed.
 *   - Only what was stored is kept here; all other bytes are the base's, read when they are first needed.
 */
import type { Granularity } from '../medium.js';
import type { Operation } from '../medium/memory.js';

/** Bytes of a piece. */
export const PIECE_SIZES: Record<Granularity, number> = { byte: 8, 'cache-line': 8, page: 512 };
const LINE_SIZE = 64;

/** A value of a piece, and the operation that stored it. */
export interface Value {
  readonly bytes: Uint8Array;
  readonly stamp: number;
  /** Of the bytes and their place: images are told apart by the sum of these. */
  readonly hash: Hash;
}

/** Two words of 32 bits. */
export type Hash = readonly [number, number];

/** A piece that is not durable: its durable value, then the newer ones, oldest first. At least two. */
export interface Piece {
  readonly off: number;
  readonly values: Value[];
}

/** A piece whose durable value has changed. */
export interface Settled {
  readonly off: number;
  readonly from: Value;
  readonly to: Value;
}

export class Model {
  readonly #granularity: Granularity;
  readonly #pieceSize: number;
  readonly #base: (off: number, len: number) => Uint8Array;
  /** Pieces that are not durable, by offset. */
  readonly pieces = new Map<number, Piece>();
  /** Operations applied. */
  #count = 0;
  /** Lines flushed since the last drain that covered it: the operations that flushed them. */
  #flushes = new Map<number, number[]>();

  /** @param base durable bytes at an offset, as they are now, for pieces that were never stored or have become durable */
  constructor(granularity: Granularity, base: (off: number, len: number) => Uint8Array) {
    this.#granularity = granularity;
    this.#pieceSize = PIECE_SIZES[granularity];
    this.#base = base;
  }

  /** A model that goes its own way from here. */
  fork(): Model {
    const twin = new Model(this.#granularity, this.#base);
    for (const [off, { values }] of this.pieces) twin.pieces.set(off, { off, values: [...values] });
    twin.#count = this.#count;
    twin.#flushes = new Map([...this.#flushes].map(([line, stamps]) => [line, [...stamps]]));
    return twin;
  }

  /** Takes one operation; returns what became durable with it, which the caller puts into the base. */
  apply(operation: Operation): Settled[] {
    this.#count++;
    if (operation.kind === 'store') this.#store(operation.off, operation.bytes);
    else if (operation.kind === 'flush') this.#flush(operation.off, operation.len);
    else return this.#drain(this.#count - operation.behind, operation.range);
    return [];
  }

  #store(begin: number, bytes: Uint8Array): void {
    const size = this.#pieceSize;
    const end = begin + bytes.byteLength;
    for (let off = Math.floor(begin / size) * size; off < end; off += size) {
      const piece = this.pieces.get(off);
      const newest = piece ? (piece.values.at(-1) as Value).bytes : this.#base(off, size);
      const value = newest.slice();
      const [from, to] = [Math.max(begin, off), Math.min(end, off + size)];
      value.set(bytes.subarray(from - begin, to - begin), from - off);
      if (sameBytes(newest, value)) continue;
      const stored = { bytes: value, stamp: this.#count, hash: hashOf(off, value) };
      if (piece) piece.values.push(stored);
      else this.pieces.set(off, { off, values: [{ bytes: newest.slice(), stamp: 0, hash: hashOf(off, newest) }, stored] });
    }
  }

  #flush(begin: number, len: number): void {
    if (this.#granularity !== 'cache-line') return;
    for (let line = Math.floor(begin / LINE_SIZE) * LINE_SIZE; line < begin + len; line += LINE_SIZE) {
      const stamps = this.#flushes.get(line);
      if (stamps) stamps.push(this.#count);
      else this.#flushes.set(line, [this.#count]);
    }
  }

  /** `covered`: operations numbered below it are, as far as they stored into the range. */
  #drain(covered: number, range?: { readonly off: number; readonly len: number }): Settled[] {
    const settled: Settled[] = [];
    for (const [off, piece] of this.pieces) {
      if (range && (off >= range.off + range.len || off + this.#pieceSize <= range.off)) continue;
      const durableStamp = this.#granularity === 'cache-line' ? this.#flushedBefore(off, covered) : covered;
      const keep = piece.values.findLastIndex(({ stamp }, i) => i === 0 || stamp < durableStamp);
      if (keep === 0) continue;
      const [from, to] = [piece.values[0] as Value, piece.values[keep] as Value];
      piece.values.splice(0, keep);
      if (piece.values.length === 1) this.pieces.delete(off);
      settled.push({ off, from, to });
    }
    if (this.#granularity === 'cache-line' && !range) this.#forgetFlushes(covered);
    return settled;
  }

  /** The last flush of a piece's line before an operation; 0 for none. */
  #flushedBefore(off: number, covered: number): number {
    return this.#flushes.get(Math.floor(off / LINE_SIZE) * LINE_SIZE)?.findLast((stamp) => stamp < covered) ?? 0;
  }

  #forgetFlushes(covered: number): void {
    for (const [line, stamps] of this.#flushes) {
      const later = stamps.filter((stamp) => stamp >= covered);
      if (later.length > 0) this.#flushes.set(line, later);
      else this.#flushes.delete(line);
    }
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.byteLength; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Well mixed, so that sums (exclusive or) of many tell images apart. */
function hashOf(off: number, bytes: Uint8Array): Hash {
  let [a, b] = [Math.imul(off + 1, 0x9e3779b1), Math.imul(off + 1, 0x85ebca77)];
  for (let i = 0; i < bytes.byteLength; i++) {
    const byte = bytes[i] as number;
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte, 0x5bd1e995);
    b ^= b >>> 13;
  }
  return [mixed(a), mixed(b)];
}

function mixed(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}
