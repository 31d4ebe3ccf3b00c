/**
 * Medium: the one narrow interface under a pool. Everything that differs between byte-addressable memory, a file behind the page
 * cache, a file without the native shim and the memory of a test is behind it; everything above is the same for all.
 *
 * What is always true of every medium
 *   - Bytes written are visible at once to every later read, copy and view of this pool.
 *   - Any subset of what was written since the last drain may survive power loss; all that was written before a drain that returned does.
 *   - A write that throws ERR_PMSEG_NO_SPACE changed at most its own range and may be tried again; any other failed write, and any
 *     failed drain, means that nothing more is known: the pool above halts.
 */
import type { Bank } from './bank.js';
import type { Bio } from './bio.js';

/** How the pool's bytes are reached; shown by `pool.status()`, never changed silently. */
export type Mode = 'dax' | 'file' | 'copy' | 'memory';

/**
 * What must be done until bytes are in the persistence domain: a fence (`byte`), cache-line flushes and a fence (`cache-line`),
 * a system call for whole pages (`page`).
 */
export type Granularity = 'byte' | 'cache-line' | 'page';

/** From best to least. */
export const GRANULARITIES: readonly Granularity[] = ['byte', 'cache-line', 'page'];

/** Where the segments lie; known once the superblock was read. */
export interface Geometry {
  /** Offset of segment 0 in the pool, bytes. */
  readonly segmentsOff: number;
  /** Bytes of a segment, a power of two. */
  readonly segmentSize: number;
  readonly segmentCount: number;
}

/** A range of the pool that the medium cannot deliver. */
export interface BadRange {
  /** Offset in the pool. */
  off: number;
  len: number;
}

/** How a writable medium is held against other writers. */
export interface Medium {
  readonly mode: Mode;
  readonly granularity: Granularity;
  /** Granularity was forced by the environment, for tests: it is not what the machine promises. */
  readonly forced: boolean;
  readonly writable: boolean;
  /** Path of the file; `undefined` for the in-memory medium. */
  readonly path: string | undefined;
  /** Bytes of the medium when it was opened. */
  readonly size: number;
  /** Bank 0 exists from the beginning, all others from `attach` on. */
  readonly banks: readonly Bank[];

  /** Makes the banks for these segments. Touches no data page. Called once, before anything below except `read`, `write` and `drain`. */
  attach(geometry: Geometry): void;

  /**
   * Copies bytes of the medium into a bank without touching any mapping (metadata scans: a hole must not fault).
   * @throws PmsegError ERR_PMSEG_MEDIA, ERR_PMSEG_TRUNCATED
   */
  read(off: number, bank: Bank, ptr: number, len: number): void;

  /** Stores `len` bytes of a bio at `off` and starts moving them to the persistence domain: store + flush. */
  write(off: number, bio: Bio, bioOff: number, len: number): void;

  /** As `write`, and durable when it returns; cheaper than write + drain where the medium has such an operation. */
  writeDurable(off: number, bio: Bio, bioOff: number, len: number): void;

  /** Starts moving what was stored through a writable view of this range. */
  flush(off: number, len: number): void;

  /** Waits until everything written or flushed before the call is in the persistence domain. */
  drain(): void;

  /** As `drain`, without blocking this thread. */
  drainAsync(): Promise<void>;

  /** The bank through which a segment is seen. */
  bankOf(segmentId: number): Bank;

  /**
   * Address, in `bankOf(segmentId)`, of the beginning of a segment whose bytes [off, off + len) are there to be loaded; it stays until
   * `release`. `writable`: the caller will store through it.
   */
  acquire(segmentId: number, off: number, len: number, writable: boolean): number;
  release(segmentId: number): void;

  /** Copies bytes of an acquired segment from `ptr` of its bank on into memory outside the banks, by the cheapest way that the medium has. */
  copyOut(bank: Bank, ptr: number, slices: readonly Uint8Array<ArrayBufferLike>[]): void;

  /** Starts reading ahead of loads, without blocking this thread. */
  prefetch(off: number, len: number): Promise<void>;

  /** First bad offset in a range of the pool, or -1. */
  badOffset(off: number, len: number): number;
  /** All of them. Takes the signal back, if somebody took it, that makes lost pages errors. */
  badRanges(): BadRange[];
  /** Where in the pool the first byte of a view lies that shows this medium; -1 for any other memory. */
  offsetOf(bytes: Uint8Array<ArrayBufferLike>): number;

  /**
   * Shows the medium again where pages were lost, widened to whole pages. Pages that it still cannot deliver are written anew, as zeros,
   * durable on return, if `zero` says so.
   * @returns what was written anew
   * @throws PmsegError ERR_PMSEG_MEDIA when a page cannot be brought back; _REPLACED when the file is not what it was; _NO_SPACE
   */
  repair(off: number, len: number, zero: boolean): BadRange[];

  /**
   * Where bytes that are not holes begin at or after `off`, or the size where nothing follows. A medium that cannot tell returns `off`.
   */
  seekData(off: number): number;

  /** Bytes from `off` on, at most `len`, that no write has reached: they read as zeros. 0 where nobody can tell. */
  unwritten(off: number, len: number): number;

  /**
   * Makes what is read next be what the medium itself holds: the whole of it after a drain that failed, else the range. For an opening
   * that has the lock, before anything is mapped.
   */
  dropCache(off?: number, len?: number): void;

  /** Puts anonymous pages back, closes descriptors and gives up the lock. Persists nothing. */
  close(): void;
}
