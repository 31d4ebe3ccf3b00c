/**
 * What `dax` and `file` share: the pool's segments mapped over the banks' linear memories by the native shim.
 *
 * What is always true
 *   - A bank's window is mapped at first use; until then it is plain zero memory that nobody has been given.
 *   - A range that has faulted stays bad until it is repaired: the page that was put there instead is not the medium.
 */
import { STATE_FAULTS_OFF, STATE_PTR, STATE_REPAIRS_OFF } from '../../assembly/plan.js';
import { Bank } from '../bank.js';
import type { Bio } from '../bio.js';
import { PmsegError, doAll, errnos, systemError } from '../errors.js';
import { registerLender, touch } from '../lent.js';
import type { BadRange, Geometry, Granularity, Medium, Mode } from '../medium.js';
import { MAP_HOW, type Native } from '../native.js';
import { planWindows, windowPtr, type Windows } from './plan.js';
import type { NativeFile } from './poolfile.js';
import { joined, lostError, unreadable } from './repair.js';
import { keepSignal } from './signal.js';
import { assertSpace } from './space.js';

/** Bytes from which on a copy by the shim is cheaper than `set` from shared memory, which V8 does word by word (bench/copy.mjs). */
const SHIM_COPY_MIN = 512;

export abstract class Mapped implements Medium {
  abstract readonly mode: Mode;
  abstract readonly granularity: Granularity;
  readonly forced: boolean;
  readonly banks: Bank[] = [new Bank(0)];
  protected readonly native: Native;
  protected readonly file: NativeFile;
  /** How writable pools are mapped. */
  readonly #how: number;
  readonly #pageSize: number;
  protected geometry: Geometry = { segmentsOff: 0, segmentSize: 0, segmentCount: 0 };
  protected windows: Windows = { segmentsPerBank: 1, bankCount: 1 };
  /** Mapping ids by bank; `undefined` = not mapped yet. */
  protected readonly maps: (number | undefined)[] = [];
  /** Work that keeps a mapping from being undone. */
  readonly #prefetches = new Set<Promise<number>>();

  constructor(native: Native, file: NativeFile, how: number, forced: boolean) {
    this.native = native;
    this.file = file;
    this.#how = how;
    this.#pageSize = native.cpu().pageSize;
    this.forced = forced;
  }

  get path(): string {
    return this.file.path;
  }
  get size(): number {
    return this.file.size;
  }
  get writable(): boolean {
    return this.file.writable;
  }

  attach(geometry: Geometry): void {
    this.geometry = geometry;
    this.windows = planWindows(geometry);
    assertSpace(this.windows.bankCount - this.banks.length, this.path);
    while (this.banks.length < this.windows.bankCount) this.banks.push(new Bank(this.banks.length));
  }

  read(off: number, bank: Bank, ptr: number, len: number): void {
    try {
      this.file.read(off, bank.subarray(ptr, len));
    } catch (error) {
      if (error instanceof PmsegError && error.code === 'ERR_PMSEG_MEDIA') this.#enter(unreadable(this.file, off, len));
      throw error;
    }
  }

  /** Enters ranges on which a kernel copy failed: no signal did it. */
  #enter(ranges: readonly BadRange[]): void {
    for (const { off, len } of ranges) {
      const place = this.placeOf(off);
      if (place) this.native.badMark(place.id, place.mapOff, len);
    }
  }

  abstract write(off: number, bio: Bio, bioOff: number, len: number): void;
  abstract writeDurable(off: number, bio: Bio, bioOff: number, len: number): void;
  abstract flush(off: number, len: number): void;
  abstract drain(): void;
  abstract drainAsync(): Promise<void>;

  bankOf(segmentId: number): Bank {
    return this.banks[Math.floor(segmentId / this.windows.segmentsPerBank)] as Bank;
  }

  acquire(segmentId: number): number {
    const index = Math.floor(segmentId / this.windows.segmentsPerBank);
    const bank = this.banks[index] as Bank;
    if (this.maps[index] === undefined) this.#map(index, bank);
    return bank.windowPtr + (segmentId % this.windows.segmentsPerBank) * this.geometry.segmentSize;
  }

  release(): void {
    // Mapped segments stay where they are until close.
  }

  #map(index: number, bank: Bank): void {
    const { segmentsPerBank } = this.windows;
    const { segmentsOff, segmentSize, segmentCount } = this.geometry;
    const fileOff = segmentsOff + index * segmentsPerBank * segmentSize;
    const len = Math.min(segmentsPerBank, segmentCount - index * segmentsPerBank) * segmentSize;
    const address = this.native.address(bank.bytes);
    if (address < 0) throw systemError('find the memory of', -address, { path: this.path });
    bank.windowPtr = windowPtr(address, fileOff);
    const how = this.writable ? this.#how : MAP_HOW.private;
    const id = this.native.map(bank.bytes, bank.windowPtr, len, this.file.fd, fileOff, how, STATE_PTR + STATE_FAULTS_OFF);
    if (id === -errnos.ERANGE) this.file.verify();
    if (id < 0) throw systemError('mmap', -id, { path: this.path, offset: fileOff, length: len });
    this.maps[index] = id;
    registerLender(bank.memory.buffer, this);
    keepSignal(this.native);
  }

  copyOut(bank: Bank, ptr: number, slices: readonly Uint8Array<ArrayBufferLike>[]): void {
    if (slices.every(({ byteLength }) => byteLength < SHIM_COPY_MIN)) return bank.copyOut(ptr, slices);
    const id = this.maps[bank.index] as number;
    let mapOff = ptr - bank.windowPtr;
    for (const slice of slices) {
      const result = this.native.copyOut(id, mapOff, slice, 0, slice.byteLength);
      if (result < 0) throw systemError('copy', -result, { path: this.path, length: slice.byteLength });
      mapOff += slice.byteLength;
    }
  }

  /** The mapping that shows a pool offset, and the offset in it; `undefined` outside the segments or before first use. */
  protected place(off: number): { id: number; bank: Bank; mapOff: number } | undefined {
    const { segmentsOff, segmentSize, segmentCount } = this.geometry;
    if (off < segmentsOff || off >= segmentsOff + segmentCount * segmentSize) return undefined;
    const bankLen = this.windows.segmentsPerBank * segmentSize;
    const index = Math.floor((off - segmentsOff) / bankLen);
    const id = this.maps[index];
    return id === undefined ? undefined : { id, bank: this.banks[index] as Bank, mapOff: (off - segmentsOff) % bankLen };
  }

  /** As `place`; maps what is not mapped yet. */
  protected placeOf(off: number): ReturnType<Mapped['place']> {
    const { segmentsOff, segmentSize, segmentCount } = this.geometry;
    if (off < segmentsOff || off >= segmentsOff + segmentCount * segmentSize) return undefined;
    this.acquire(Math.floor((off - segmentsOff) / segmentSize));
    return this.place(off);
  }

  offsetOf(bytes: Uint8Array<ArrayBufferLike>): number {
    const index = this.banks.findIndex((bank) => bank.memory.buffer === bytes.buffer);
    const bank = this.banks[index];
    if (!bank || this.maps[index] === undefined || bytes.byteOffset < bank.windowPtr) return -1;
    const off = this.geometry.segmentsOff + index * this.windows.segmentsPerBank * this.geometry.segmentSize;
    return off + (bytes.byteOffset - bank.windowPtr);
  }

  /** User code can replace the SIGBUS handler (`process.on('SIGBUS')`); before every barrier ours is put in front again. */
  protected keepGuard(): void {
    const result = this.maps.length > 0 && this.native.guard() !== 1 ? this.native.guardInstall() : 0;
    if (result < 0) throw systemError('sigaction', -result, { path: this.path });
  }

  /** @throws PmsegError ERR_PMSEG_MEDIA when a byte of the range is bad */
  protected assertGood(off: number, len: number): void {
    const bad = this.badOffset(off, len);
    if (bad >= 0)
      throw new PmsegError('ERR_PMSEG_MEDIA', `${this.path}: the medium has lost bytes at ${bad}`, {
        path: this.path,
        offset: bad,
        length: len,
        errno: errnos.EIO,
      });
  }

  /**
   * Runs a store to a range, or a flush of it. That proves something only if the range was good before and is after, and if nobody repaired
   * it between: the store may have gone to a page that is no more.
   * @throws PmsegError ERR_PMSEG_MEDIA
   */
  protected guarded(off: number, len: number, store: () => void): void {
    const repairs = this.#repairCount;
    this.assertGood(off, len);
    store();
    this.assertGood(off, len);
    if (this.#repairCount !== repairs)
      throw new PmsegError('ERR_PMSEG_MEDIA', `${this.path}: pages were repaired while bytes were stored at ${off}: store them again`, {
        path: this.path,
        offset: off,
        length: len,
        errno: errnos.EIO,
      });
  }

  get #repairCount(): number {
    return (this.banks[0] as Bank).stateLoad(STATE_REPAIRS_OFF);
  }

  /** Faults in a bank. Adding nothing orders the load after the caller's stores, which a mere load is not. */
  #faulted(bank: Bank): boolean {
    return bank.stateAdd(STATE_FAULTS_OFF, 0) !== 0;
  }

  badOffset(off: number, len: number): number {
    const place = this.place(off);
    if (!place || !this.#faulted(place.bank)) return -1;
    const bad = this.native.badTest(place.id, place.mapOff, len);
    if (bad === -errnos.ENOENT) return -1;
    // Who cannot be told that a range is good must take it for bad.
    return bad < 0 ? off : off + (bad - place.mapOff);
  }

  badRanges(): BadRange[] {
    this.keepGuard();
    const bankLen = this.windows.segmentsPerBank * this.geometry.segmentSize;
    return this.maps.flatMap((id, index) => {
      if (id === undefined || !this.#faulted(this.banks[index] as Bank)) return [];
      const base = this.geometry.segmentsOff + index * bankLen;
      const pairs = this.#badPairs(id);
      return Array.from({ length: pairs.length / 2 }, (_, i) => ({
        off: base + (pairs[2 * i] as number),
        len: pairs[2 * i + 1] as number,
      }));
    });
  }

  /** All bad ranges of a mapping, however many there are. */
  #badPairs(id: number): Float64Array {
    for (let room = 64; ; ) {
      const pairs = new Float64Array(2 * room);
      const count = this.native.badRanges(id, pairs);
      if (count < 0) throw systemError('list bad ranges', -count, { path: this.path });
      if (count <= room) return pairs.subarray(0, 2 * count);
      room = count + 64;
    }
  }

  /** Bad pages of a mapping between two page-aligned offsets in it. */
  #badIn(id: number, from: number, to: number): BadRange[] {
    const ranges: BadRange[] = [];
    for (let at = this.native.badTest(id, from, to - from); at >= 0; ) {
      ranges.push({ off: at, len: this.#pageSize });
      at += this.#pageSize;
      at = at < to ? this.native.badTest(id, at, to - at) : -1;
    }
    return joined(ranges);
  }

  repair(off: number, len: number, zero: boolean): BadRange[] {
    const page = this.#pageSize;
    const begin = Math.floor(off / page) * page;
    const end = Math.min(Math.ceil((off + len) / page) * page, this.size);
    this.file.verify();
    (this.banks[0] as Bank).stateAdd(STATE_REPAIRS_OFF, 1);
    const lost = this.#showAgain(begin, end);
    const [first] = lost;
    if (!first) return [];
    if (!zero) throw lostError(this.path, first);
    for (const range of lost) this.file.recreate(range.off, range.len);
    const [still] = this.#showAgain(begin, end);
    if (still) throw lostError(this.path, still);
    return lost;
  }

  /** Maps a page-aligned range of the file again where it is mapped, and returns what the medium still cannot deliver of it. */
  #showAgain(begin: number, end: number): BadRange[] {
    const bankLen = this.windows.segmentsPerBank * this.geometry.segmentSize;
    const lost = unreadable(this.file, begin, end - begin);
    this.maps.forEach((id, index) => {
      const bank = this.banks[index] as Bank;
      const base = this.geometry.segmentsOff + index * bankLen;
      const mapLen = Math.min(bankLen, (this.geometry.segmentCount - index * this.windows.segmentsPerBank) * this.geometry.segmentSize);
      const [from, to] = [Math.max(begin, base), Math.min(end, base + mapLen)];
      if (id === undefined || from >= to) return;
      const result = this.native.remap(id, from - base, to - from);
      if (result === -errnos.ERANGE) this.file.verify();
      if (result < 0) throw systemError('mmap', -result, { path: this.path, offset: from, length: to - from });
      touch(bank.subarray(bank.windowPtr + (from - base), to - from), false);
      for (const range of this.#badIn(id, from - base, to - base)) lost.push({ off: base + range.off, len: range.len });
    });
    const ranges = joined(lost);
    // A page that a kernel copy could not read may still have been loaded, from a cache: it stays bad.
    this.#enter(ranges);
    return ranges;
  }

  async prefetch(off: number, len: number): Promise<void> {
    const place = this.placeOf(off);
    if (!place) return;
    const running = this.native.prefetchAsync(place.id, place.mapOff, len);
    this.#prefetches.add(running);
    const result = await running.finally(() => this.#prefetches.delete(running));
    if (result < 0) touch(place.bank.subarray(place.bank.windowPtr + place.mapOff, len), false);
    this.assertGood(off, len);
    if (result < 0) throw systemError('prefetch', -result, { path: this.path, offset: off, length: len });
  }

  seekData(off: number): number {
    return this.file.seekData(off);
  }

  unwritten(off: number, len: number): number {
    return this.file.unwritten(off, len);
  }

  dropCache(off?: number, len?: number): void {
    this.file.dropCache(this.banks[0] as Bank, off, len);
  }

  close(): void {
    const steps = this.maps.flatMap((id) => (id === undefined ? [] : [() => this.#unmap(id)]));
    this.maps.length = 0;
    doAll([...steps, () => this.file.close()]);
  }

  #unmap(id: number): void {
    const result = this.native.unmap(id);
    if (result === -errnos.EBUSY && this.#prefetches.size > 0) {
      // It goes when they are done; an error then is nobody's to see, and pages that stay mapped are only read.
      void Promise.allSettled(this.#prefetches).then(() => this.native.unmap(id));
    } else if (result < 0) throw systemError('unmap', -result, { path: this.path });
  }
}
