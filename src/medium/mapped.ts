/**
 * What `dax` and `file` share: the pool's segments mapped over the banks' linear memories by the native shim.
 *
 * What is always true
 *   - A bank's window is mapped at first use; until then it is plain zero memory that nobody has been given.
 *   - A range that has faulted stays bad until it is repaired: the page that was put there instead is not the medium.
 */
import { STATE_FAULTS_OFF, STATE_PTR } from '../../assembly/plan.js';
import { Bank } from '../bank.js';
import type { Bio } from '../bio.js';
import { PmsegError, doAll, errnos, systemError } from '../errors.js';
import type { BadRange, Geometry, Granularity, Medium, Mode } from '../medium.js';
import { MAP_HOW, type Native } from '../native.js';
import { planWindows, windowPtr, type Windows } from './plan.js';
import type { NativeFile } from './poolfile.js';

/** Most bad ranges that are listed. */
const BAD_RANGES_MAX = 4096;

export abstract class Mapped implements Medium {
  abstract readonly mode: Mode;
  abstract readonly granularity: Granularity;
  readonly forced: boolean;
  readonly banks: Bank[] = [new Bank(0)];
  protected readonly native: Native;
  protected readonly file: NativeFile;
  /** How writable pools are mapped. */
  readonly #how: number;
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
    while (this.banks.length < this.windows.bankCount) this.banks.push(new Bank(this.banks.length));
  }

  read(off: number, bank: Bank, ptr: number, len: number): void {
    this.file.read(off, bank.subarray(ptr, len));
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

  badOffset(off: number, len: number): number {
    const place = this.place(off);
    if (!place || place.bank.stateLoad(STATE_FAULTS_OFF) === 0) return -1;
    const bad = this.native.badTest(place.id, place.mapOff, len);
    if (bad === -errnos.ENOENT) return -1;
    // Who cannot be told that a range is good must take it for bad.
    return bad < 0 ? off : off + (bad - place.mapOff);
  }

  badRanges(): BadRange[] {
    const bankLen = this.windows.segmentsPerBank * this.geometry.segmentSize;
    return this.maps.flatMap((id, index) => {
      if (id === undefined || (this.banks[index] as Bank).stateLoad(STATE_FAULTS_OFF) === 0) return [];
      const pairs = new Float64Array(2 * BAD_RANGES_MAX);
      const found = this.native.badRanges(id, pairs);
      if (found < 0) throw systemError('list bad ranges', -found, { path: this.path });
      const count = Math.min(found, BAD_RANGES_MAX);
      const base = this.geometry.segmentsOff + index * bankLen;
      return Array.from({ length: count }, (_, i) => ({
        off: base + (pairs[2 * i] as number),
        len: pairs[2 * i + 1] as number,
      }));
    });
  }

  async prefetch(off: number, len: number): Promise<void> {
    this.acquire(Math.floor((off - this.geometry.segmentsOff) / this.geometry.segmentSize));
    const place = this.place(off);
    if (!place) return;
    const running = this.native.prefetchAsync(place.id, place.mapOff, len);
    this.#prefetches.add(running);
    const result = await running.finally(() => this.#prefetches.delete(running));
    if (result < 0) throw systemError('prefetch', -result, { path: this.path, offset: off, length: len });
  }

  seekData(off: number): number {
    return this.file.seekData(off);
  }

  dropCache(off?: number, len?: number): void {
    this.file.dropCache(off, len);
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
