/**
 * `copy`: an ordinary file without the native shim. Linear memory is plain memory; node:fs moves bytes.
 *
 * What is always true
 *   - Writes go to the file at once (fs.writev) and into the frame that shows the range, so views and files agree.
 *   - A frame holds one segment; a block of it is read at first touch, never earlier. Frames are bounded; a lent one is pinned.
 *   - Stores through a writable view are in the frame only; `flush` writes that range, and a frame that is given up is written first.
 */
import { STATE_REPAIRS_OFF, WINDOW_PTR_MIN } from '../../assembly/plan.js';
import { Bank } from '../bank.js';
import { Bio } from '../bio.js';
import { PmsegError } from '../errors.js';
import type { BadRange, Geometry, Granularity, Medium, Mode } from '../medium.js';
import type { FsFile } from './poolfile.js';
import { lostError, unreadable } from './repair.js';

/** Bytes of frames, unless one or two segments take more. */
const FRAMES_SIZE = 64 * 1024 * 1024;
/** Unit of reading into a frame. */
const BLOCK_SIZE = 65536;

interface Frame {
  readonly ptr: number;
  segmentId: number;
  pins: number;
  /** 1 = the block holds the medium's bytes (or newer ones). */
  readonly valid: Uint8Array;
  /** Ranges of the segment that a writable view may have changed: [off, len]. */
  dirty: [number, number][];
}

export class CopyMedium implements Medium {
  readonly mode: Mode = 'copy';
  readonly granularity: Granularity = 'page';
  readonly forced = false;
  readonly banks = [new Bank(0)];
  readonly #file: FsFile;
  #geometry: Geometry = { segmentsOff: 0, segmentSize: 0, segmentCount: 0 };
  #frameCount = 0;
  /** By segment, least recently used first. */
  readonly #frames = new Map<number, Frame>();

  constructor(file: FsFile) {
    this.#file = file;
  }

  get path(): string {
    return this.#file.path;
  }
  get size(): number {
    return this.#file.size;
  }
  get writable(): boolean {
    return this.#file.writable;
  }
  get #bank(): Bank {
    return this.banks[0] as Bank;
  }

  attach(geometry: Geometry): void {
    this.#geometry = geometry;
    this.#frameCount = Math.max(2, Math.floor(FRAMES_SIZE / geometry.segmentSize));
  }

  read(off: number, bank: Bank, ptr: number, len: number): void {
    this.#file.read(off, bank.subarray(ptr, len));
  }

  write(off: number, bio: Bio, bioOff: number, len: number): void {
    const slices = bio.slices(bioOff, len);
    this.#file.write(off, slices);
    this.#mirror(off, slices, len);
  }

  writeDurable(off: number, bio: Bio, bioOff: number, len: number): void {
    const slices = bio.slices(bioOff, len);
    this.#file.writeDurable(off, slices);
    this.#mirror(off, slices, len);
  }

  /** Puts what was written into the frame too, where its blocks are loaded; other blocks will be read from the file. */
  #mirror(off: number, slices: readonly Uint8Array[], len: number): void {
    const { segmentsOff, segmentSize } = this.#geometry;
    if (segmentSize === 0 || off < segmentsOff) return;
    const frame = this.#frames.get(Math.floor((off - segmentsOff) / segmentSize));
    if (!frame) return;
    const begin = (off - segmentsOff) % segmentSize;
    let at = begin;
    for (const slice of slices) {
      this.#bank.bytes.set(slice, frame.ptr + at);
      at += slice.byteLength;
    }
    // A block that was written only in part and is not loaded must still be read; what it gets is what the file now holds.
    for (let block = Math.ceil(begin / BLOCK_SIZE); (block + 1) * BLOCK_SIZE <= begin + len; block++) frame.valid[block] = 1;
  }

  flush(off: number, len: number): void {
    const { segmentsOff, segmentSize } = this.#geometry;
    const frame = this.#frames.get(Math.floor((off - segmentsOff) / segmentSize));
    if (!frame) return;
    const begin = (off - segmentsOff) % segmentSize;
    const rest: [number, number][] = [];
    for (const [dirtyOff, dirtyLen] of frame.dirty) {
      const [from, to] = [Math.max(dirtyOff, begin), Math.min(dirtyOff + dirtyLen, begin + len)];
      if (from >= to) {
        rest.push([dirtyOff, dirtyLen]);
        continue;
      }
      this.#writeFrame(frame, from, to - from);
      // A lent view may be stored to again, so its range stays dirty until the frame is given back.
      if (frame.pins > 0) rest.push([dirtyOff, dirtyLen]);
      else {
        if (dirtyOff < from) rest.push([dirtyOff, from - dirtyOff]);
        if (to < dirtyOff + dirtyLen) rest.push([to, dirtyOff + dirtyLen - to]);
      }
    }
    frame.dirty = rest;
  }

  #writeFrame(frame: Frame, off: number, len: number): void {
    const { segmentsOff, segmentSize } = this.#geometry;
    this.#file.write(segmentsOff + frame.segmentId * segmentSize + off, [this.#bank.subarray(frame.ptr + off, len)]);
  }

  drain(): void {
    this.#file.drain();
  }

  drainAsync(): Promise<void> {
    return this.#file.drainAsync();
  }

  bankOf(): Bank {
    return this.#bank;
  }

  acquire(segmentId: number, off: number, len: number, writable: boolean): number {
    const frame = this.#frameOf(segmentId);
    this.#load(frame, off, len);
    if (writable && len > 0) frame.dirty = withRange(frame.dirty, off, len);
    frame.pins++;
    return frame.ptr;
  }

  release(segmentId: number): void {
    const frame = this.#frames.get(segmentId);
    if (frame && frame.pins > 0) frame.pins--;
  }

  /** The frame of a segment; the least recently used one that nobody holds makes room. */
  #frameOf(segmentId: number): Frame {
    let frame = this.#frames.get(segmentId);
    if (frame) {
      this.#frames.delete(segmentId);
    } else if (this.#frames.size < this.#frameCount) {
      const { segmentSize } = this.#geometry;
      const ptr = WINDOW_PTR_MIN + this.#frames.size * segmentSize;
      frame = { ptr, segmentId, pins: 0, valid: new Uint8Array(Math.ceil(segmentSize / BLOCK_SIZE)), dirty: [] };
    } else {
      const victim = [...this.#frames.values()].find(({ pins }) => pins === 0);
      if (!victim) throw new PmsegError('ERR_PMSEG_BUSY', `all ${this.#frameCount} frames are lent: release views first`, { segmentId });
      for (const [off, len] of victim.dirty) this.#writeFrame(victim, off, len);
      this.#frames.delete(victim.segmentId);
      frame = victim;
      frame.segmentId = segmentId;
      frame.valid.fill(0);
      frame.dirty = [];
    }
    this.#frames.set(segmentId, frame);
    return frame;
  }

  #load(frame: Frame, off: number, len: number): void {
    const { segmentsOff, segmentSize } = this.#geometry;
    const base = segmentsOff + frame.segmentId * segmentSize;
    const end = Math.ceil((off + len) / BLOCK_SIZE);
    for (let block = Math.floor(off / BLOCK_SIZE); block < end; block++) {
      if (frame.valid[block]) continue;
      let count = 1;
      while (block + count < end && !frame.valid[block + count]) count++;
      this.read(base + block * BLOCK_SIZE, this.#bank, frame.ptr + block * BLOCK_SIZE, count * BLOCK_SIZE);
      frame.valid.fill(1, block, block + count);
      block += count - 1;
    }
  }

  copyOut(bank: Bank, ptr: number, slices: readonly Uint8Array<ArrayBufferLike>[]): void {
    bank.copyOut(ptr, slices);
  }

  async prefetch(off: number, len: number): Promise<void> {
    const { segmentsOff, segmentSize } = this.#geometry;
    this.#load(this.#frameOf(Math.floor((off - segmentsOff) / segmentSize)), (off - segmentsOff) % segmentSize, len);
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

  repair(off: number, len: number, zero: boolean): BadRange[] {
    this.#bank.stateAdd(STATE_REPAIRS_OFF, 1);
    const lost = unreadable(this.#file, off, len);
    const [first] = lost;
    if (first && !zero) throw lostError(this.path, first);
    for (const range of lost) {
      this.#file.recreate(range.off, range.len);
      if (!this.#file.canRead(range.off, range.len)) throw lostError(this.path, range);
    }
    return lost;
  }

  seekData(off: number): number {
    return this.#file.seekData(off);
  }

  unwritten(): number {
    return this.#file.unwritten();
  }

  dropCache(off?: number, len?: number): void {
    this.#file.dropCache(this.banks[0] as Bank, off, len);
  }

  close(): void {
    this.#file.close();
  }
}

/** Ranges with one more, joined with those that it touches: a range lent a thousand times is one range. */
function withRange(ranges: readonly [number, number][], off: number, len: number): [number, number][] {
  const apart = ranges.filter(([from, size]) => from > off + len || from + size < off);
  const touching = ranges.filter(([from, size]) => !(from > off + len || from + size < off));
  const begin = Math.min(off, ...touching.map(([from]) => from));
  const end = Math.max(off + len, ...touching.map(([from, size]) => from + size));
  return [...apart, [begin, end - begin]];
}
