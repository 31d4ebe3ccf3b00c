/**
 * Errors with a stable `code` and coordinates.
 *
 * A wrong type is a TypeError, a wrong value a RangeError, both with code `ERR_PMSEG_ARGUMENT`; everything that can happen to a
 * correct program is a PmsegError. What cannot happen is an assertion in the core (a WebAssembly.RuntimeError).
 */
import { constants } from 'node:os';

/** Every code, with what it means. */
export const CODES = {
  ERR_PMSEG_ARGUMENT: 'an argument of the wrong type or value (TypeError, RangeError)',
  ERR_PMSEG_NOT_POOL: 'the file is not a pool',
  ERR_PMSEG_VERSION: 'the pool has a format version or an incompatible feature that this release does not know',
  ERR_PMSEG_READ_ONLY: 'the pool is open for reading only, or can only be',
  ERR_PMSEG_CORRUPT: 'bytes are readable but their checksum disagrees',
  ERR_PMSEG_DAMAGED: 'metadata contradicts itself: lost copies, broken chains, a log with a hole',
  ERR_PMSEG_TRUNCATED: 'the file is shorter than the pool',
  ERR_PMSEG_REPLACED: 'the file changed its size or was removed while it was open; the pool is halted',
  ERR_PMSEG_MEDIA: 'the medium cannot deliver these bytes (poison, I/O error, a hole that cannot be filled)',
  ERR_PMSEG_SHORT_COPY: 'the bio is shorter than the copy; nothing was copied (EIO)',
  ERR_PMSEG_HALTED: 'a persist failed earlier: no store or persist succeeds until the pool is opened again',
  ERR_PMSEG_CLOSED: 'the pool, log, object or bio is closed',
  ERR_PMSEG_BUSY: 'views are still lent, or every frame is in use',
  ERR_PMSEG_LOCKED: 'another process or pool object has the pool open for writing',
  ERR_PMSEG_FULL: 'no free segment is left, or no number for another record of a log',
  ERR_PMSEG_NO_SPACE: 'the file system or quota is full; the operation can be retried',
  ERR_PMSEG_GRANULARITY: 'the medium promises less than `require` asks for',
  ERR_PMSEG_EXISTS: 'the file or name exists',
  ERR_PMSEG_NO_ENTRY: 'no such name, segment or position',
  ERR_PMSEG_SEALED: 'the log is sealed',
  ERR_PMSEG_UNSUPPORTED: 'this mode, runtime or machine cannot do that',
  ERR_PMSEG_IO: 'a system call failed; see errno',
} as const;

export type PmsegCode = keyof typeof CODES;

/** Where something went wrong. Offsets and lengths are in bytes; `offset` counts from the segment's data, or from the pool's start without `segmentId`. */
export interface Coordinates {
  path?: string | undefined;
  segmentId?: number | undefined;
  offset?: number | undefined;
  length?: number | undefined;
  /** Positive errno, where a system call or the core gave one. */
  errno?: number | undefined;
  cause?: unknown;
}

/** An operating error. `code` is stable; the message is for people. */
export class PmsegError extends Error {
  readonly code: PmsegCode;
  readonly errno: number | undefined;
  /** Name of `errno`, such as `ENOSPC`. */
  readonly errnoName: string | undefined;
  readonly path: string | undefined;
  readonly segmentId: number | undefined;
  readonly offset: number | undefined;
  readonly length: number | undefined;

  constructor(code: PmsegCode, message: string, at: Coordinates = {}) {
    super(message, at.cause === undefined ? undefined : { cause: at.cause });
    this.name = 'PmsegError';
    this.code = code;
    this.errno = at.errno;
    this.errnoName = at.errno === undefined ? undefined : errnoName(at.errno);
    this.path = at.path;
    this.segmentId = at.segmentId;
    this.offset = at.offset;
    this.length = at.length;
  }

  /** What `--json` prints: code, message and the coordinates that are known. */
  toJSON(): Record<string, unknown> {
    const { code, message, errnoName: errno, path, segmentId, offset, length } = this;
    return { code, message, errno, path, segmentId, offset, length };
  }
}

const errnoNames = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** `2` → `ENOENT`. */
export function errnoName(errno: number): string {
  return errnoNames.get(errno) ?? `errno ${errno}`;
}

/** errno numbers by name (positive). */
export const errnos = constants.errno;

const SPACE = new Set<number>([errnos.ENOSPC, errnos.EDQUOT]);

/** Whether an errno says that a write failed for want of room: only that operation fails. */
export function isSpace(errno: number): boolean {
  return SPACE.has(errno);
}

/** The error for a failed system call. EIO, EFAULT and EHWPOISON are the medium's, ENOSPC and EDQUOT want of room. */
export function systemError(what: string, errno: number, at: Coordinates = {}): PmsegError {
  const code: PmsegCode = isSpace(errno)
    ? 'ERR_PMSEG_NO_SPACE'
    : errno === errnos.EIO || errno === errnos.EFAULT || errno === 133
      ? 'ERR_PMSEG_MEDIA'
      : 'ERR_PMSEG_IO';
  const where = [
    at.path === undefined ? '' : ` ${at.path}`,
    at.segmentId === undefined ? '' : ` segment ${at.segmentId}`,
    at.offset === undefined ? '' : ` offset ${at.offset}`,
    at.length === undefined ? '' : ` length ${at.length}`,
  ].join('');
  return new PmsegError(code, `${what}${where}: ${errnoName(errno)}`, { ...at, errno });
}

/** Turns an error of node:fs into ours; anything that is not a system error passes through. */
export function fromFs(what: string, error: unknown, at: Coordinates = {}): Error {
  if (error instanceof PmsegError) return error;
  const errno = (error as NodeJS.ErrnoException | undefined)?.errno;
  if (typeof errno !== 'number') return error instanceof Error ? error : new Error(String(error));
  return systemError(what, Math.abs(errno), { ...at, cause: error });
}

interface ArgumentError extends Error {
  code: 'ERR_PMSEG_ARGUMENT';
}

/** A value of the wrong type. */
export function typeError(title: string, expected: string, got: unknown): ArgumentError {
  const shown = got === null ? 'null' : typeof got === 'object' ? (got.constructor?.name ?? 'object') : typeof got;
  return Object.assign(new TypeError(`${title}: expected ${expected}, got ${shown}`), { code: 'ERR_PMSEG_ARGUMENT' as const });
}

/** A value of the right type that is not possible here. */
export function rangeError(message: string): ArgumentError {
  return Object.assign(new RangeError(message), { code: 'ERR_PMSEG_ARGUMENT' as const });
}

/** A bag of options: any object. Its members are judged where they are used. */
export function checkOptions<T extends object>(options: T): T {
  if (typeof options === 'object' && options !== null) return options;
  throw typeError('options', 'an object', options);
}

/** A whole number from min to max. Success first: this stands at the head of hot functions. */
export function checkWhole(title: string, value: unknown, min: number, max: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  if (typeof value !== 'number') throw typeError(title, 'a number', value);
  throw rangeError(`${title} ${value} is not a whole number from ${min} to ${max}`);
}

/** A range that lies inside [0, size). Compared with what is left, so nothing wraps. */
export function checkRange(title: string, off: unknown, len: unknown, size: number): void {
  const start = checkWhole(`${title} offset`, off, 0, size);
  const length = checkWhole(`${title} length`, len, 0, Number.MAX_SAFE_INTEGER);
  if (length > size - start) throw rangeError(`${title} offset ${start} + length ${length} is past the end ${size}`);
}

/** Does everything, whatever fails, and throws the first failure; `first` is one that came before. */
export function doAll(steps: readonly (() => void)[], first?: unknown): void {
  let failure = first;
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
}
