/**
 * Makes a pool file.
 *
 * What is always true
 *   - An existing file is never touched. The pool gets its name (link(2)) only when it is complete and durable, so that no crash leaves
 *     half a pool under it. A creation that fails takes the name away again.
 *   - Order: real blocks, fsync, superblocks, fsync, name, fsync of the directory.
 *   - Blocks are real unless `sparse` was asked for: fallocate, or written zeros where there is none.
 */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import * as media from '../assembly/media.js';
import { Bank } from './bank.js';
import { PmsegError, checkWhole, doAll, errnos, fromFs, rangeError, systemError, typeError } from './errors.js';
import { native } from './native.js';
import { utf8, uuidBytes, uuidText } from './records.js';
import { RECORD_OFF } from './scratch.js';

export interface FormatOptions {
  /** Bytes of a segment: a power of two from 1 MiB to 1 GiB; 16 MiB unless told. */
  segmentSize?: number | undefined;
  /** Up to 64 bytes of UTF-8 without NUL. */
  label?: string | undefined;
  /** 32 hexadecimal digits, with the usual dashes or without; random unless told. */
  uuid?: string | undefined;
}

export interface CreateOptions extends FormatOptions {
  /** Bytes of the whole file; rounded down to a multiple of 4,096. */
  size: number;
  /** Leaves holes: blocks are taken when first written, and a full disk is found out then. */
  sparse?: boolean | undefined;
  /** Called with (bytes done, bytes in all) while zeros are written. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The two superblocks' bytes for a new pool. Pure: the same options give the same bytes. */
export function newSuperblock(bank: Bank, poolSize: number, options: FormatOptions): Uint8Array<ArrayBuffer> {
  const segmentSize = checkWhole(
    'segment size',
    options.segmentSize ?? media.SEGMENT_SIZE_DEFAULT,
    media.SEGMENT_SIZE_MIN,
    media.SEGMENT_SIZE_MAX,
  );
  if ((segmentSize & (segmentSize - 1)) !== 0) throw rangeError(`segment size ${segmentSize} is not a power of two`);
  const { label = '' } = options;
  if (typeof label !== 'string') throw typeError('label', 'a string', label);
  const labelBytes = utf8(label);
  if (labelBytes.byteLength > media.LABEL_SIZE || label.includes('\0') || !label.isWellFormed()) {
    throw rangeError(`a label has up to ${media.LABEL_SIZE} bytes of UTF-8 without NUL, not ${labelBytes.byteLength}`);
  }
  const uuid = uuidBytes(options.uuid ?? randomUUID());
  if (!uuid) throw rangeError(`"${options.uuid}" is not a uuid`);
  const ptr = bank.scratchPtr + RECORD_OFF;
  const count = bank.core.superblockInit(ptr, poolSize, segmentSize);
  if (count < 0) {
    const least = media.SEGMENTS_OFF + segmentSize + media.COPY_SIZE;
    throw rangeError(`a pool of ${poolSize} bytes has no room for a segment of ${segmentSize}: at least ${least} are needed`);
  }
  bank.bytes.set(uuid, ptr + media.SUPERBLOCK_UUID_OFF);
  bank.bytes.set(labelBytes, ptr + media.SUPERBLOCK_LABEL_OFF);
  bank.view.setUint32(ptr + media.SUPERBLOCK_STATE_OFF, media.STATE_CLEAN, true);
  bank.core.metaSeal(ptr, media.SUPERBLOCK_SIZE, 1);
  return bank.bytes.slice(ptr, ptr + media.SUPERBLOCK_SIZE) as Uint8Array<ArrayBuffer>;
}

/** Bytes of zeros that are written at once where there is no fallocate. */
const ZEROS_SIZE = 4 * 1024 * 1024;

/**
 * Makes a pool file of `options.size` bytes, mode 0600.
 * @returns its uuid
 * @throws PmsegError ERR_PMSEG_EXISTS, ERR_PMSEG_NO_SPACE; RangeError for sizes that make no pool. Nothing is left behind.
 */
export function createPoolFile(path: string, options: CreateOptions): string {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) throw typeError('path', 'a non-empty string without NUL', path);
  const size = Math.floor(checkWhole('size', options.size, 0, Number.MAX_SAFE_INTEGER) / media.COPY_SIZE) * media.COPY_SIZE;
  const superblock = newSuperblock(new Bank(0), size, options);
  if (fs.existsSync(path)) throw exists(path);
  const aside = `${path}.creating-${process.pid}-${Math.random().toString(36).slice(2, 10)}`;
  let named = false;
  try {
    writePool(aside, path, size, superblock, options);
    fs.linkSync(aside, path);
    named = true;
    fs.unlinkSync(aside);
    syncFolder(dirname(path));
  } catch (error) {
    const first = !named && codeOf(error) === 'EEXIST' ? exists(path) : fromFs('create', error, { path, length: size });
    doAll(
      [aside, ...(named ? [path] : [])].map((name) => () => fs.rmSync(name, { force: true })),
      first,
    );
  }
  return uuidText(superblock.subarray(media.SUPERBLOCK_UUID_OFF, media.SUPERBLOCK_UUID_OFF + media.UUID_SIZE));
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

/** Makes the whole of a pool, durable, under a name that nobody opens. */
function writePool(aside: string, path: string, size: number, superblock: Uint8Array, options: CreateOptions): void {
  const fd = fs.openSync(aside, 'wx+', 0o600);
  withDescriptor(fd, () => {
    // Best effort: only btrfs and a few others have the flag, and nothing but speed and honest ENOSPC depends on it.
    native?.setNoCow(fd);
    if (options.sparse) fs.ftruncateSync(fd, size);
    else reserve(fd, path, size, options.onProgress);
    fs.fsyncSync(fd);
    for (const off of [0, size - media.COPY_SIZE]) writeAll(fd, superblock, superblock.byteLength, off);
    fs.fsyncSync(fd);
  });
}

/** Works with a descriptor and closes it; of two failures the first is the one that is thrown. */
function withDescriptor(fd: number, work: () => void): void {
  doAll([work, () => fs.closeSync(fd)]);
}

/** Writes the first `len` bytes at `off`, however short the counts are. */
function writeAll(fd: number, bytes: Uint8Array, len: number, off: number): void {
  for (let done = 0; done < len; ) {
    const count = fs.writeSync(fd, bytes, done, len - done, off + done);
    if (count === 0) throw systemError('write', errnos.EIO, { offset: off + done, length: len - done });
    done += count;
  }
}

function exists(path: string): PmsegError {
  return new PmsegError('ERR_PMSEG_EXISTS', `${path} exists; pools are only made under new names`, { path, errno: errnos.EEXIST });
}

/** Gives the file real blocks. */
function reserve(fd: number, path: string, size: number, onProgress: CreateOptions['onProgress']): void {
  const result = native ? native.allocate(fd, 0, size) : -errnos.EOPNOTSUPP;
  if (result >= 0) return;
  if (result !== -errnos.EOPNOTSUPP && result !== -errnos.ENOSYS) throw systemError('fallocate', -result, { path, length: size });
  const zeros = new Uint8Array(ZEROS_SIZE);
  for (let done = 0; done < size; done += ZEROS_SIZE) {
    const len = Math.min(ZEROS_SIZE, size - done);
    writeAll(fd, zeros, len, done);
    onProgress?.(done + len, size);
  }
}

/** Makes a new name durable. */
function syncFolder(path: string): void {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  withDescriptor(fd, () => fs.fsyncSync(fd));
}
