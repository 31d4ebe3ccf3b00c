/**
 * The one door to the native shim: types, names, and the reason when there is none.
 *
 * What is always true
 *   - Every call returns a number: ≥ 0 is the answer, < 0 a negated errno. Nothing throws; a wrong argument is -EINVAL.
 *   - A promise of an …Async call always resolves, to such a number.
 *   - Offsets and lengths are bytes, whole, 0 … 2^53; offsets of a mapping count from its beginning.
 *   - A mapping id works only in threads that have mapped or attached it, and is never used again after the last unmap.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What the addon's `abi()` must say; raised on both sides whenever a signature changes. */
export const NATIVE_ABI = 3;

/** How `map` lays a file over linear memory. */
export const MAP_HOW = {
  /** Stores reach the page cache, as in any writer of an ordinary file. */
  shared: 0,
  /** Over a read-only descriptor: stray stores stay in this process. */
  private: 1,
  /** DAX: stores reach the medium itself; -EOPNOTSUPP where the file is not on such a medium. */
  sync: 2,
} as const;

/** The unit in which stores become durable. */
export const GRANULARITY = { byte: 0, cacheLine: 1, page: 2 } as const;

// What `stat` fills, by index.
export const STAT_SIZE = 0;
export const STAT_INO = 1;
export const STAT_DEV = 2;
export const STAT_NLINK = 3;
/** 512-byte units that the file really has. */
export const STAT_BLOCKS = 4;
export const STAT_MODE = 5;
export const STAT_FIELDS = 6;

export interface Cpu {
  pageSize: number;
  /** The instruction that writes cache lines back. */
  flush: 'clwb' | 'clflushopt' | 'clflush';
  /** The platform flushes CPU caches on power failure: all its persistent memory regions say so, and there is one. */
  eadr: boolean;
}

export interface Native {
  abi(): number;
  /** `sysfs` is where to look for persistent memory regions; /sys unless told. */
  cpu(sysfs?: string): Cpu;

  // Descriptors: the shim's own, always close-on-exec; `fs` must not close them.
  open(path: string, flags: number, mode: number): number;
  dup(fd: number): number;
  close(fd: number): number;
  /** Fills STAT_FIELDS numbers. */
  stat(fd: number, out: Float64Array): number;

  // Mappings over linear memory.
  /** Native address of the first byte of a view. */
  address(view: Uint8Array): number;
  /**
   * Maps a file over part of a linear memory: id of the mapping. `memory` views the whole of a shared memory and is kept alive until the last
   * unmap; `faultsPtr` names the u32 in it, outside the mapped range, that counts faults. -ERANGE past the end of the file or of the memory,
   * -EINVAL for what is not page-aligned, -EEXIST over a live mapping, -EMFILE with too many mappings.
   */
  map(memory: Uint8Array, ptr: number, len: number, fd: number, fileOff: number, how: number, faultsPtr: number): number;
  /** Makes a mapping usable in this thread too; each attach needs an unmap. `memory` as received by this thread. */
  attach(memory: Uint8Array, id: number): number;
  /** Undoes one map or attach of this thread; the last in the process puts zero pages back. -EBUSY while …Async work uses the mapping. */
  unmap(id: number): number;

  // Faults.
  /** 1 while the SIGBUS handler is ours, 0 if there is none or somebody replaced it. */
  guard(): number;
  /** Installs the handler, before whoever has it now; `map` does so too. */
  guardInstall(): number;
  /** Fills pairs (offset, length), ascending, as many as fit: number of bad ranges that there are. */
  badRanges(id: number, out: Float64Array): number;
  /** Offset of the first bad byte in the range; -ENOENT if there is none. */
  badTest(id: number, off: number, len: number): number;
  /** Enters a range that a kernel copy failed on (widened to pages) and counts a fault. */
  badMark(id: number, off: number, len: number): number;
  /** Number of `remap`s in this process: a persist that spans one proves nothing. */
  badEpoch(): number;
  /** Maps the file over a page-aligned range again and forgets its bad ranges. */
  remap(id: number, off: number, len: number): number;

  // Persistence of stores through a mapping.
  /** Starts (byte, cache line) or completes (page: msync) moving a range to the medium. */
  flush(id: number, granularity: number, off: number, len: number): number;
  /** Waits for the flushed lines and non-temporal stores of this thread. */
  fence(): number;
  /** Cache-bypassing copy into the mapping; durable after `fence` on cache-line granularity. */
  copyIn(id: number, off: number, src: Uint8Array, srcOff: number, len: number): number;
  copyPlain(id: number, off: number, src: Uint8Array, srcOff: number, len: number): number;
  copyOut(id: number, off: number, dst: Uint8Array, dstOff: number, len: number): number;

  // Files. Counts may be short.
  pread(fd: number, view: Uint8Array, viewOff: number, len: number, fileOff: number): number;
  pwrite(fd: number, view: Uint8Array, viewOff: number, len: number, fileOff: number, dsync: boolean): number;
  /** More than IOV_MAX views: a short count. */
  pwritev(fd: number, views: readonly Uint8Array[], fileOff: number, dsync: boolean): number;
  datasync(fd: number): number;
  sync(fd: number): number;
  /** Drops clean pages of the page cache; prove it with `resident`. */
  dropCache(fd: number, off: number, len: number): number;
  /** Pages of the range that are in the page cache. */
  resident(fd: number, off: number, len: number): number;

  // Space.
  /** Real blocks for a range, extending the file; -EOPNOTSUPP where the file system cannot. */
  allocate(fd: number, off: number, len: number): number;
  /** Gives the blocks of a range back; it reads as zeros, and the next write takes new blocks. -EOPNOTSUPP where the file system cannot. */
  punch(fd: number, off: number, len: number): number;
  truncate(fd: number, len: number): number;
  /** Offset of the next data at or after `off`; -ENXIO when only a hole follows. */
  seekData(fd: number, off: number): number;
  seekHole(fd: number, off: number): number;
  /** Bytes from `off` on, at most `len`, that no write has reached: holes and blocks that were taken only; -EOPNOTSUPP where nobody can tell. */
  unwritten(fd: number, off: number, len: number): number;
  /** Turns copy-on-write off for a new, empty file; -ENOTTY or -EOPNOTSUPP where there is no such flag. */
  setNoCow(fd: number): number;
  /** 1 if the file can be mapped with `MAP_HOW.sync`, else 0. */
  syncable(fd: number): number;

  // Locks: of the open file description, so two opens of one process exclude each other.
  /** -EAGAIN if somebody else holds it. */
  lock(fd: number, exclusive: boolean): number;
  unlock(fd: number): number;

  // Off the main thread. Descriptors are duplicated for the time of the work; buffers must not be transferred meanwhile.
  datasyncAsync(fd: number): Promise<number>;
  pwritevAsync(fd: number, views: readonly Uint8Array[], fileOff: number, dsync: boolean): Promise<number>;
  flushAsync(id: number, granularity: number, off: number, len: number): Promise<number>;
  /** Faults a range in, so that the event loop does not wait for it later. */
  prefetchAsync(id: number, off: number, len: number): Promise<number>;
}

/** Loads the addon; a string says why there is none. PMSEG_NATIVE=off turns it off, any other value is the path of another build. */
function load(): Native | string {
  const wanted = process.env['PMSEG_NATIVE'];
  if (wanted === 'off') return 'turned off by PMSEG_NATIVE=off';
  const url = new URL(`../pmseg-${process.platform}-${process.arch}.node`, import.meta.url);
  try {
    const require = createRequire(import.meta.url);
    const addon = require(wanted || fileURLToPath(url)) as Native;
    const abi = addon.abi();
    return abi === NATIVE_ABI ? addon : `the addon has ABI ${abi}, this package needs ${NATIVE_ABI}: rebuild it`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const loaded = load();

/** The shim, or `undefined` where there is none. */
export const native: Native | undefined = typeof loaded === 'string' ? undefined : loaded;

/** Why there is no shim; `undefined` when there is one. */
export const nativeUnavailable: string | undefined = typeof loaded === 'string' ? loaded : undefined;
