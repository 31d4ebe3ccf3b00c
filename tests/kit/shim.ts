/**
 * A watched shim: the real one, whose writes, flushes and barriers on one pool file are kept as the operations that the crash enumerator
 * knows. What a real medium asks of the kernel and the processor can so be explored like what the medium in memory is told.
 *
 * What is always true
 *   - Stores into a mapping cannot be seen. Those of the engine are taken when they are flushed: unflushed, they do not exist, which is no
 *     more than any loss of power may do. Those of a view on page granularity are found before each barrier by comparing the file.
 *   - A write through the file is not flushed by a fence: only the system call that waits for it makes it durable.
 */
import { readFileSync } from 'node:fs';
import type { Operation } from '../../src/index.js';
import type { Native } from '../../src/native.js';

type Store = Extract<Operation, { kind: 'store' }>;

export interface Watched {
  readonly native: Native;
  readonly operations: Operation[];
}

/** @param path the pool file; writes to other files, such as locks, are passed on unseen */
export function watchedShim(shim: Native, path: string, granularity: 'cache-line' | 'page'): Watched {
  const operations: Operation[] = [];
  /** Mapped windows: where in the pool and in their memory they begin. */
  const maps = new Map<number, { fileOff: number; memory: Uint8Array; ptr: number }>();
  const descriptors = new Set<number>();
  /** Written through the file since the last system call that waited: a fence does not cover these. */
  let written: Store[] = [];
  const newest = readFileSync(path);

  const store = (off: number, bytes: Uint8Array): Store => {
    const copy = Uint8Array.from(bytes);
    newest.set(copy, off);
    const operation: Store = { kind: 'store', off, bytes: copy };
    operations.push(operation);
    return operation;
  };
  const flush = (off: number, len: number): void => void operations.push({ kind: 'flush', off, len });
  const wrote = (off: number, views: readonly Uint8Array[], count: number, dsync: boolean): void => {
    let left = Math.max(0, count);
    let at = off;
    for (const view of views) {
      const take = Math.min(left, view.byteLength);
      if (take === 0) break;
      written.push(store(at, view.subarray(0, take)));
      at += take;
      left -= take;
    }
    if (dsync && at > off) operations.push({ kind: 'drain', behind: 0, range: { off, len: at - off } });
  };
  /** What views have stored into the page cache. */
  const catchUp = (): void => {
    if (granularity !== 'page') return;
    const now = readFileSync(path);
    for (let off = 0; off < now.byteLength; off += 4096) {
      const page = now.subarray(off, off + 4096);
      if (page.compare(newest, off, off + page.byteLength) !== 0) store(off, page);
    }
  };
  const synced = (stores: readonly Store[], behind: number): void => {
    for (const { off, bytes } of stores) flush(off, bytes.byteLength);
    operations.push({ kind: 'drain', behind });
  };
  const stored = (id: number, off: number, len: number): void => {
    const { fileOff, memory, ptr } = maps.get(id) as { fileOff: number; memory: Uint8Array; ptr: number };
    if (len === 0) return;
    store(fileOff + off, memory.subarray(ptr + off, ptr + off + len));
    flush(fileOff + off, len);
  };

  const native: Native = {
    ...shim,
    open(name, flags, mode) {
      const fd = shim.open(name, flags, mode);
      if (fd >= 0 && name === path) descriptors.add(fd);
      return fd;
    },
    map(memory, ptr, len, fd, fileOff, how, faultsPtr) {
      const id = shim.map(memory, ptr, len, fd, fileOff, how, faultsPtr);
      if (id >= 0) maps.set(id, { fileOff, memory, ptr });
      return id;
    },
    pwrite(fd, view, viewOff, len, fileOff, dsync) {
      const count = shim.pwrite(fd, view, viewOff, len, fileOff, dsync);
      if (descriptors.has(fd)) wrote(fileOff, [view.subarray(viewOff, viewOff + len)], count, dsync);
      return count;
    },
    pwritev(fd, views, fileOff, dsync) {
      const count = shim.pwritev(fd, views, fileOff, dsync);
      if (descriptors.has(fd)) wrote(fileOff, views, count, dsync);
      return count;
    },
    flush(id, unit, off, len) {
      stored(id, off, len);
      return shim.flush(id, unit, off, len);
    },
    copyIn(id, off, src, srcOff, len) {
      const result = shim.copyIn(id, off, src, srcOff, len);
      stored(id, off, len);
      return result;
    },
    fence() {
      if (granularity === 'cache-line') operations.push({ kind: 'drain', behind: 0 });
      return shim.fence();
    },
    datasync(fd) {
      catchUp();
      const result = shim.datasync(fd);
      synced(written, 0);
      written = [];
      return result;
    },
    async datasyncAsync(fd) {
      catchUp();
      const covered = written;
      written = [];
      for (const { off, bytes } of covered) flush(off, bytes.byteLength);
      const begun = operations.length;
      const result = await shim.datasyncAsync(fd);
      synced([], operations.length - begun);
      return result;
    },
  };
  return { native, operations };
}
