/**
 * PoolFile: the descriptor under a pool, through the native shim where there is one and through node:fs where there is none.
 *
 * What is always true
 *   - A write stores all its bytes or throws; short counts are continued, never reported as success.
 *   - Before the pool's last byte is written, and around every drain, the file is shown to have its size and still to be linked: a write
 *     past a truncated end would silently make it longer.
 */
import * as fs from 'node:fs';
import { PmsegError, errnoName, errnos, fromFs, isSpace, systemError, type Coordinates } from '../errors.js';
import { STAT_DEV, STAT_FIELDS, STAT_INO, STAT_MODE, STAT_NLINK, STAT_SIZE, type Native } from '../native.js';

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
  /** @throws PmsegError ERR_PMSEG_REPLACED when the file lost its size or its name */
  verify(): void;
  /** See Medium.seekData. */
  seekData(off: number): number;
  dropCache(): void;
  close(): void;
}

/** Most bytes and pieces of one system call. */
const CALL_BYTES = 0x4000_0000;
const CALL_PIECES = 1024;

abstract class Base implements PoolFile {
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
  abstract seekData(off: number): number;
  abstract dropCache(): void;
  abstract close(): void;

  read(off: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.byteLength; ) {
      const part = bytes.subarray(done, Math.min(bytes.byteLength, done + CALL_BYTES));
      const count = this.pread(part, off + done);
      if (count === -errnos.EINTR) continue;
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
      const count = this.pwritev(part, off, durable);
      if (count === -errnos.EINTR) continue;
      if (count <= 0) throw writeError(count < 0 ? -count : errnos.EIO, { path: this.path, offset: off, length: total - (off - begin) });
      off += count;
      rest = off - begin === total ? [] : dropBytes(rest, count);
    }
  }

  drain(): void {
    this.verify();
    for (;;) {
      const result = this.datasync();
      if (result === -errnos.EINTR) continue;
      if (result < 0) throw drainError(-result, this.path);
      break;
    }
    this.verify();
  }

  async drainAsync(): Promise<void> {
    this.verify();
    const result = await this.datasyncAsync();
    if (result < 0) throw drainError(-result, this.path);
    this.verify();
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

/** Whatever the errno says, ENOSPC too: a drain that failed is never tried again. */
function drainError(errno: number, path: string): PmsegError {
  return new PmsegError('ERR_PMSEG_IO', `fdatasync ${path}: ${errnoName(errno)}`, { path, errno });
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
    } catch (error) {
      native.close(this.fd);
      throw error;
    }
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

  seekData(off: number): number {
    const result = this.#native.seekData(this.fd, off);
    if (result === -errnos.ENXIO) return this.size;
    return result < 0 ? off : result;
  }

  dropCache(): void {
    // Dirty pages cannot be dropped, so they are written first; pages whose writing failed earlier are clean to the kernel, and go.
    this.drain();
    const result = this.#native.dropCache(this.fd, 0, this.size);
    if (result < 0) throw systemError('fadvise', -result, { path: this.path });
  }

  close(): void {
    this.#native.close(this.fd);
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
      fs.closeSync(this.fd);
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

  seekData(off: number): number {
    return off;
  }

  dropCache(): void {
    // node:fs has no posix_fadvise; status() and the documentation say what that means after a failed drain.
  }

  close(): void {
    fs.closeSync(this.fd);
  }
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
