/**
 * PoolFile: the descriptor under a pool, through the native shim where there is one and through node:fs where there is none.
 *
 * What is always true
 *   - A write stores all its bytes or throws; short counts are continued, never reported as success.
 *   - Before the pool's last byte is written, and around every drain, the file is shown to have its size and still to be linked: a write
 *     past a truncated end would silently make it longer.
 *   - A failed drain is remembered for the file, not for the descriptor, until its cache has been shown to say what the medium holds.
 */
import * as fs from 'node:fs';
import type { Bank } from '../bank.js';
import { PmsegError, doAll, errnoName, errnos, fromFs, isSpace, systemError, type Coordinates } from '../errors.js';
import { STAT_DEV, STAT_FIELDS, STAT_INO, STAT_MODE, STAT_NLINK, STAT_SIZE, type Native } from '../native.js';
import { rollBackCache, type CachedFile, type DirectFile } from './cache.js';

export interface PoolFile {
  readonly path: string;
  readonly writable: boolean;
  /** Bytes when it was opened. */
  readonly size: number;
  /** Device and inode, for locks. */
  readonly identity: string;
  readonly fd: number;
  read(off: number, bytes: Uint8Array): void;
  write(off: number, slices: readonly Uint8Array[]): void;
  /** Write, and durable on return. */
  writeDurable(off: number, slices: readonly Uint8Array[]): void;
  drain(): void;
  drainAsync(): Promise<void>;
  /** Whether these bytes can be read. */
  canRead(off: number, len: number): boolean;
  /** Writes zeros over whole pages, on new blocks where the old ones cannot be written; durable on return. */
  recreate(off: number, len: number): void;
  /** @throws PmsegError ERR_PMSEG_REPLACED when the file lost its size or its name */
  verify(): void;
  /** See Medium.seekData. */
  seekData(off: number): number;
  /** See Medium.unwritten. */
  unwritten(off: number, len: number): number;
  /** See Medium.dropCache; needs some of the bank's arena for it. */
  dropCache(bank: Bank, off?: number, len?: number): void;
  close(): void;
}

/** Files of this thread, by identity, of which a drain failed since their cache was last held against the medium. */
const failedFiles = new Set<string>();

/** How often a call is made again that a signal interrupted; the shim and libuv do so themselves for most. */
const INTERRUPTS_MAX = 100;

/** Makes a system call, again if a signal interrupted it; negative errno. */
function uninterrupted(call: () => number): number {
  let result = call();
  for (let count = 1; result === -errnos.EINTR && count < INTERRUPTS_MAX; count++) result = call();
  return result;
}

/** Bytes that are looked at or written anew at once. */
const REPAIR_SIZE = 1024 * 1024;
/** Most bytes and pieces of one system call. */
const CALL_BYTES = 0x4000_0000;
const CALL_PIECES = 1024;

abstract class Base implements PoolFile, CachedFile {
  readonly path: string;
  readonly writable: boolean;
  abstract readonly fd: number;
  abstract readonly size: number;
  abstract readonly identity: string;

  constructor(path: string, writable: boolean) {
    this.path = path;
    this.writable = writable;
  }

  /** One system call each; negative errno. */
  protected abstract pread(bytes: Uint8Array, off: number): number;
  protected abstract pwritev(slices: readonly Uint8Array[], off: number, durable: boolean): number;
  protected abstract datasync(): number;
  protected abstract datasyncAsync(): Promise<number>;
  /** Size and link count. */
  protected abstract stat(): { size: number; nlink: number };
  /** Asks the kernel to drop cached pages of a range. */
  protected abstract adviseDrop(off: number, len: number): void;
  /** Whether a write-back of this file has failed, unless a drain said so before. */
  protected abstract writeBackFailed(): boolean;
  protected abstract punch(off: number, len: number): number;
  abstract seekData(off: number): number;
  abstract unwritten(off: number, len: number): number;
  abstract resident(off: number, len: number): number | undefined;
  abstract openDirect(): DirectFile | undefined;
  abstract close(): void;

  read(off: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.byteLength; ) {
      const part = bytes.subarray(done, Math.min(bytes.byteLength, done + CALL_BYTES));
      const count = uninterrupted(() => this.pread(part, off + done));
      if (count < 0) throw systemError('read', -count, { path: this.path, offset: off + done, length: part.byteLength });
      if (count === 0) {
        throw new PmsegError('ERR_PMSEG_TRUNCATED', `${this.path} ends before offset ${off + done}`, {
          path: this.path,
          offset: off + done,
          length: part.byteLength,
        });
      }
      done += count;
    }
  }

  write(off: number, slices: readonly Uint8Array[]): void {
    this.#writeAll(off, slices, false);
  }

  writeDurable(off: number, slices: readonly Uint8Array[]): void {
    this.#writeAll(off, slices, true);
    this.verify();
  }

  #writeAll(begin: number, slices: readonly Uint8Array[], durable: boolean): void {
    const total = slices.reduce((sum, slice) => sum + slice.byteLength, 0);
    if (begin + total === this.size) this.verify();
    let rest = slices;
    let off = begin;
    while (rest.length > 0) {
      const part = rest.length > CALL_PIECES ? rest.slice(0, CALL_PIECES) : rest;
      const count = uninterrupted(() => this.pwritev(part, off, durable));
      // With RWF_DSYNC the errno may be the write's or the drain's, and a drain that failed is never tried again.
      if (durable && count < 0 && isSpace(-count) && this.writeBackFailed()) throw this.#drainFailed(-count);
      if (durable && count < 0 && !isSpace(-count)) failedFiles.add(this.identity);
      if (count <= 0) throw writeError(count < 0 ? -count : errnos.EIO, { path: this.path, offset: off, length: total - (off - begin) });
      off += count;
      rest = off - begin === total ? [] : dropBytes(rest, count);
    }
  }

  canRead(off: number, len: number): boolean {
    try {
      this.read(off, new Uint8Array(len));
      return true;
    } catch (error) {
      if (error instanceof PmsegError && error.code === 'ERR_PMSEG_MEDIA') return false;
      throw error;
    }
  }

  recreate(off: number, len: number): void {
    this.verify();
    for (let done = 0; done < len; done += REPAIR_SIZE) {
      const zeros = [new Uint8Array(Math.min(REPAIR_SIZE, len - done))];
      try {
        this.#writeAll(off + done, zeros, false);
      } catch (error) {
        if (error instanceof PmsegError && error.code === 'ERR_PMSEG_NO_SPACE') throw error;
        const result = this.punch(off + done, (zeros[0] as Uint8Array).byteLength);
        if (result < 0) throw error;
        this.#writeAll(off + done, zeros, false);
      }
    }
    this.drain();
  }

  drain(): void {
    this.verify();
    const result = uninterrupted(() => this.datasync());
    if (result < 0) throw this.#drainFailed(-result);
    this.verify();
  }

  async drainAsync(): Promise<void> {
    this.verify();
    let result = await this.datasyncAsync();
    for (let count = 1; result === -errnos.EINTR && count < INTERRUPTS_MAX; count++) result = await this.datasyncAsync();
    if (result < 0) throw this.#drainFailed(-result);
    this.verify();
  }

  /** Whatever the errno says, ENOSPC too: a drain that failed is never tried again. */
  #drainFailed(errno: number): PmsegError {
    failedFiles.add(this.identity);
    return new PmsegError('ERR_PMSEG_IO', `fdatasync ${this.path}: ${errnoName(errno)}`, { path: this.path, errno });
  }

  dropCache(bank: Bank, off = 0, len = this.size - off): void {
    // Dirty pages cannot be dropped, so they are written first. A failure that no descriptor has been told of yet is told now; the pages
    // whose writing failed are clean to the kernel, and go.
    if (uninterrupted(() => this.datasync()) < 0) failedFiles.add(this.identity);
    const known = failedFiles.has(this.identity);
    const range: [number, number] = known ? [0, this.size] : [off, len];
    this.adviseDrop(...range);
    const changed = rollBackCache(this, bank, ...range, known);
    if (changed || known) this.drain();
    if (known) failedFiles.delete(this.identity);
  }

  verify(): void {
    const { size, nlink } = this.stat();
    if (size === this.size && nlink > 0) return;
    const what = nlink === 0 ? 'was removed' : `has ${size} bytes instead of ${this.size}`;
    throw new PmsegError('ERR_PMSEG_REPLACED', `${this.path} ${what} while it was open`, { path: this.path, length: size });
  }
}

/** Want of room, and memory that could not be read from, fail a write alone. After any other error nobody knows what the file holds. */
function writeError(errno: number, at: Coordinates): PmsegError {
  if (isSpace(errno) || errno === errnos.EFAULT) return systemError('write', errno, at);
  return new PmsegError('ERR_PMSEG_IO', `write ${at.path} offset ${at.offset} length ${at.length}: ${errnoName(errno)}`, { ...at, errno });
}

/** The slices behind the first `count` bytes. */
function dropBytes(slices: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = count;
  for (const slice of slices) {
    if (skip >= slice.byteLength) skip -= slice.byteLength;
    else {
      rest.push(skip === 0 ? slice : slice.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}

/** Only regular files: a directory or a device is refused by name. */
function assertRegular(path: string, mode: number): void {
  if ((mode & fs.constants.S_IFMT) === fs.constants.S_IFREG) return;
  const isFolder = (mode & fs.constants.S_IFMT) === fs.constants.S_IFDIR;
  throw new PmsegError('ERR_PMSEG_NOT_POOL', `${path} is ${isFolder ? 'a directory' : 'not a regular file'}`, {
    path,
    errno: isFolder ? errnos.EISDIR : errnos.EINVAL,
  });
}

/** Through the native shim: its own descriptors, closed on exec and with the pool, not with the thread that opened them. */
export class NativeFile extends Base {
  readonly fd: number;
  readonly size: number;
  readonly identity: string;
  readonly #native: Native;
  readonly #stat = new Float64Array(STAT_FIELDS);
  /** An open file description that writes nothing: the kernel tells each one once of a failed write-back. */
  readonly #witnessFd: number;

  constructor(native: Native, path: string, writable: boolean) {
    super(path, writable);
    this.#native = native;
    // O_NONBLOCK: a FIFO must be refused, not waited for.
    this.fd = native.open(path, (writable ? fs.constants.O_RDWR : fs.constants.O_RDONLY) | fs.constants.O_NONBLOCK, 0);
    if (this.fd === -errnos.EISDIR) assertRegular(path, fs.constants.S_IFDIR);
    if (this.fd < 0) throw systemError('open', -this.fd, { path });
    try {
      const { size } = this.stat();
      assertRegular(path, this.#stat[STAT_MODE] as number);
      this.size = size;
      this.identity = `${this.#stat[STAT_DEV]}:${this.#stat[STAT_INO]}`;
      this.#witnessFd = writable ? this.#open(0) : -1;
      if (writable && this.#witnessFd < 0) throw systemError('open', -this.#witnessFd, { path });
    } catch (error) {
      native.close(this.fd);
      throw error;
    }
  }

  /**
   * Opens the same file once more, for reading: descriptor or negative errno.
   * @throws PmsegError ERR_PMSEG_REPLACED when its name is another file's by now
   */
  #open(flags: number): number {
    const fd = this.#native.open(this.path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | flags, 0);
    if (fd < 0) return fd;
    const stat = new Float64Array(STAT_FIELDS);
    const result = this.#native.stat(fd, stat);
    if (result >= 0 && `${stat[STAT_DEV]}:${stat[STAT_INO]}` === this.identity) return fd;
    this.#native.close(fd);
    if (result < 0) return result;
    throw replaced(this.path);
  }

  protected writeBackFailed(): boolean {
    return uninterrupted(() => this.#native.datasync(this.#witnessFd)) < 0;
  }

  openDirect(): DirectFile | undefined {
    const fd = this.#open(fs.constants.O_DIRECT);
    if (fd === -errnos.EINVAL || fd === -errnos.EOPNOTSUPP) return undefined;
    if (fd < 0) throw systemError('open', -fd, { path: this.path });
    return {
      read: (off, bytes) => {
        const count = uninterrupted(() => this.#native.pread(fd, bytes, 0, bytes.byteLength, off));
        assertWhole(count, this.path, off, bytes);
      },
      close: () => void this.#native.close(fd),
    };
  }

  resident(off: number, len: number): number {
    const count = this.#native.resident(this.fd, off, len);
    if (count < 0) throw systemError('mincore', -count, { path: this.path, offset: off, length: len });
    return count;
  }

  protected pread(bytes: Uint8Array, off: number): number {
    return this.#native.pread(this.fd, bytes, 0, bytes.byteLength, off);
  }

  protected pwritev(slices: readonly Uint8Array[], off: number, durable: boolean): number {
    const [first] = slices;
    return slices.length === 1 && first
      ? this.#native.pwrite(this.fd, first, 0, first.byteLength, off, durable)
      : this.#native.pwritev(this.fd, slices, off, durable);
  }

  protected datasync(): number {
    return this.#native.datasync(this.fd);
  }

  protected datasyncAsync(): Promise<number> {
    return this.#native.datasyncAsync(this.fd);
  }

  protected stat(): { size: number; nlink: number } {
    const result = this.#native.stat(this.fd, this.#stat);
    if (result < 0) throw systemError('fstat', -result, { path: this.path });
    return { size: this.#stat[STAT_SIZE] as number, nlink: this.#stat[STAT_NLINK] as number };
  }

  protected punch(off: number, len: number): number {
    return this.#native.punch(this.fd, off, len);
  }

  seekData(off: number): number {
    const result = this.#native.seekData(this.fd, off);
    if (result === -errnos.ENXIO) return this.size;
    return result < 0 ? off : result;
  }

  unwritten(off: number, len: number): number {
    return Math.max(0, this.#native.unwritten(this.fd, off, len));
  }

  protected adviseDrop(off: number, len: number): void {
    const result = this.#native.dropCache(this.fd, off, len);
    if (result < 0) throw systemError('fadvise', -result, { path: this.path, offset: off, length: len });
  }

  close(): void {
    const results = [this.fd, this.#witnessFd].map((fd) => (fd < 0 ? 0 : this.#native.close(fd)));
    const failed = results.find((result) => result < 0);
    // The descriptors are gone all the same.
    if (failed !== undefined) throw systemError('close', -failed, { path: this.path });
  }
}

/** Through node:fs alone. */
export class FsFile extends Base {
  readonly fd: number;
  readonly size: number;
  readonly identity: string;

  constructor(path: string, writable: boolean) {
    super(path, writable);
    try {
      this.fd = fs.openSync(path, (writable ? fs.constants.O_RDWR : fs.constants.O_RDONLY) | fs.constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EISDIR') assertRegular(path, fs.constants.S_IFDIR);
      throw fromFs('open', error, { path });
    }
    try {
      const stat = fs.fstatSync(this.fd);
      assertRegular(path, stat.mode);
      this.size = stat.size;
      this.identity = `${stat.dev}:${stat.ino}`;
    } catch (error) {
      doAll([() => fs.closeSync(this.fd)], fromFs('fstat', error, { path }));
      throw error;
    }
  }

  protected pread(bytes: Uint8Array, off: number): number {
    return negated(() => fs.readSync(this.fd, bytes, 0, bytes.byteLength, off));
  }

  protected pwritev(slices: readonly Uint8Array[], off: number): number {
    return negated(() => fs.writevSync(this.fd, slices, off));
  }

  /** node:fs has no RWF_DSYNC. */
  override writeDurable(off: number, slices: readonly Uint8Array[]): void {
    this.write(off, slices);
    this.drain();
  }

  protected datasync(): number {
    return negated(() => {
      fs.fdatasyncSync(this.fd);
      return 0;
    });
  }

  protected datasyncAsync(): Promise<number> {
    return new Promise((resolve) => fs.fdatasync(this.fd, (error) => resolve(error ? (error.errno ?? -errnos.EIO) : 0)));
  }

  protected stat(): { size: number; nlink: number } {
    try {
      return fs.fstatSync(this.fd);
    } catch (error) {
      throw fromFs('fstat', error, { path: this.path });
    }
  }

  /** node:fs cannot. */
  protected punch(): number {
    return -errnos.EOPNOTSUPP;
  }

  seekData(off: number): number {
    return off;
  }

  /** node:fs cannot tell. */
  unwritten(): number {
    return 0;
  }

  protected adviseDrop(): void {
    // node:fs has no posix_fadvise.
  }

  /** Nothing is written with RWF_DSYNC here. */
  protected writeBackFailed(): boolean {
    return false;
  }

  /** node:fs has no mincore: where there is a reason to doubt, everything is compared. */
  resident(): number | undefined {
    return failedFiles.has(this.identity) ? undefined : 0;
  }

  openDirect(): DirectFile | undefined {
    let fd: number;
    try {
      fd = fs.openSync(this.path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | (fs.constants.O_DIRECT ?? 0));
    } catch (error) {
      if (['EINVAL', 'EOPNOTSUPP'].includes(String((error as NodeJS.ErrnoException).code))) return undefined;
      throw fromFs('open', error, { path: this.path });
    }
    const direct = {
      read: (off: number, bytes: Uint8Array): void =>
        assertWhole(
          uninterrupted(() => negated(() => fs.readSync(fd, bytes, 0, bytes.byteLength, off))),
          this.path,
          off,
          bytes,
        ),
      close: (): void => fs.closeSync(fd),
    };
    try {
      const { dev, ino } = fs.fstatSync(fd);
      if (`${dev}:${ino}` === this.identity) return direct;
    } catch (error) {
      doAll([direct.close], fromFs('fstat', error, { path: this.path }));
    }
    doAll([direct.close], replaced(this.path));
    return undefined;
  }

  close(): void {
    try {
      fs.closeSync(this.fd);
    } catch (error) {
      throw fromFs('close', error, { path: this.path });
    }
  }
}

function replaced(path: string): PmsegError {
  return new PmsegError('ERR_PMSEG_REPLACED', `${path} is another file by now`, { path });
}

/** A read past the page cache of a file that is known to be long enough. */
function assertWhole(count: number, path: string, offset: number, bytes: Uint8Array): void {
  if (count === bytes.byteLength) return;
  throw systemError('direct read', count < 0 ? -count : errnos.EIO, { path, offset, length: bytes.byteLength });
}

/** The result of a call of node:fs, or its negative errno. */
function negated(call: () => number): number {
  try {
    return call();
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).errno;
    if (typeof errno !== 'number') throw error;
    return -Math.abs(errno);
  }
}
