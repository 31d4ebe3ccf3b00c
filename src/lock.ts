/**
 * One writer at a time.
 *
 * What is always true
 *   - Every writer holds `POOL.lock`, which says who: pid, start time, boot id, pid namespace, mode. It gets its name by link(2) when it is
 *     complete: no crash and no full disk leaves one that says nothing. POOL is the file itself, whatever symbolic links led to it.
 *   - With the native shim it also holds a lock of its own open file description, which ends with the process by itself.
 *   - A lock file is stale only when it is from this boot and this pid namespace and its process is provably gone. Everything else is refused,
 *     also what cannot be looked at; `breakLock` is the caller's explicit word that no writer lives.
 *   - A stale lock file is replaced only under a lock of its own, `POOL.lock.ID`: of several writers that find it stale, one replaces it, and
 *     none ever takes away a lock that is fresh.
 */
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { PmsegError, doAll, errnos, fromFs, systemError } from './errors.js';
import type { Mode } from './medium.js';
import type { Native } from './native.js';

interface Holder {
  pid: number;
  /** Clock ticks after boot at which the process began. */
  startTime: string;
  bootId: string;
  pidNamespace: string;
  mode: Mode;
  /** Tells one lock from another of the same process. */
  id: string;
}

/** Locks on replacing a lock, and so on: a writer was killed while it replaced one, that many times in a row. */
const DEPTH_MAX = 8;

/** What says that nothing is there, or that it is not for us to see. Any other failure must not look like an answer. */
const UNSEEN = new Set(['ENOENT', 'ESRCH', 'ENOTDIR', 'EACCES', 'EPERM']);
/** What link(2) says where there are no hard links. */
const NO_LINKS = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK']);

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

function seen(path: string, look: () => string): string | undefined {
  try {
    return look().trim();
  } catch (error) {
    if (UNSEEN.has(codeOf(error))) return undefined;
    throw fromFs('read', error, { path });
  }
}

function readText(path: string): string | undefined {
  return seen(path, () => fs.readFileSync(path, 'utf8'));
}

/** Fields of /proc/PID/stat from the state, field 3, on; the command name before it may hold spaces and brackets. */
function statOf(pid: number): string[] | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}
const STAT_STATE = 0;
const STAT_THREADS = 17;
const STAT_START_TIME = 19;

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/**
 * Provably gone: no such process, or another one with its pid. A zombie without other threads is gone too, though nobody has waited for it,
 * which under a first process that reaps nobody is for ever.
 */
function isGone({ pid, startTime }: Holder): boolean {
  const stat = statOf(pid);
  // /proc may hide the processes of others.
  if (!stat) return !exists(pid);
  if (/[ZX]/.test(stat[STAT_STATE] as string) && Number(stat[STAT_THREADS]) <= 1) return true;
  return startTime !== 'unknown' && stat[STAT_START_TIME] !== startTime;
}

function describeSelf(mode: Mode): Holder {
  return {
    pid: process.pid,
    startTime: statOf(process.pid)?.[STAT_START_TIME] ?? 'unknown',
    bootId: readText('/proc/sys/kernel/random/boot_id') ?? 'unknown',
    pidNamespace: seen('/proc/self/ns/pid', () => fs.readlinkSync('/proc/self/ns/pid')) ?? 'unknown',
    mode,
    id: randomBytes(8).toString('hex'),
  };
}

function parseHolder(text: string | undefined): Holder | undefined {
  try {
    const holder = JSON.parse(text ?? '') as Holder;
    return typeof holder === 'object' && holder !== null && Number.isInteger(holder.pid) ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Ids of this thread's locks that were given up although their file could not be removed. */
const abandoned = new Set<string>();

function isStale(holder: Holder | undefined, self: Holder): boolean {
  if (!holder || self.bootId === 'unknown' || self.pidNamespace === 'unknown') return false;
  if (holder.bootId !== self.bootId || holder.pidNamespace !== self.pidNamespace) return false;
  return abandoned.has(holder.id) || isGone(holder);
}

function locked(path: string, lockPath: string, holder: Holder | undefined): PmsegError {
  const who = holder ? `process ${holder.pid} (${holder.mode} mode)` : 'an unknown holder';
  return new PmsegError(
    'ERR_PMSEG_LOCKED',
    `${path} is open for writing by ${who}; if that is not so, remove ${lockPath} or open with breakLock`,
    {
      path,
      errno: errnos.EAGAIN,
    },
  );
}

/** Removes a file that may be gone already. */
function removeFile(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw fromFs('remove', error, { path });
  }
}

/** The file without the symbolic links that lead to it: all its writers must meet at one name. */
function realPath(path: string): string {
  try {
    return fs.realpathSync(path);
  } catch (error) {
    throw fromFs('open', error, { path });
  }
}

export class WriterLock {
  readonly #path: string;
  readonly #lockPath: string;
  readonly #self: Holder;
  readonly #text: string;
  #native: Native | undefined;
  #fd = -1;

  /** @throws PmsegError ERR_PMSEG_LOCKED when another writer holds the pool, or cannot be shown to be gone */
  constructor(path: string, mode: Mode, native: Native | undefined, breakLock: boolean) {
    this.#path = path;
    this.#lockPath = `${realPath(path)}.lock`;
    this.#self = describeSelf(mode);
    this.#text = `${JSON.stringify(this.#self)}\n`;
    if (native) this.#lockDescription(native);
    try {
      this.#createFile(breakLock);
    } catch (error) {
      this.#unlockDescription();
      throw fromFs('create lock', error, { path: this.#lockPath });
    }
  }

  #lockDescription(native: Native): void {
    const fd = native.open(this.#path, fs.constants.O_RDWR, 0);
    if (fd < 0) throw systemError('open', -fd, { path: this.#path });
    const result = native.lock(fd, true);
    if (result < 0) {
      native.close(fd);
      if (result === -errnos.EAGAIN || result === -errnos.EACCES)
        throw locked(this.#path, this.#lockPath, parseHolder(readText(this.#lockPath)));
      throw systemError('lock', -result, { path: this.#path });
    }
    this.#native = native;
    this.#fd = fd;
  }

  #createFile(breakLock: boolean): void {
    const aside = `${this.#lockPath}.${this.#self.id}.new`;
    try {
      fs.writeFileSync(aside, this.#text, { flag: 'wx', mode: 0o600 });
      this.#take(this.#lockPath, aside, breakLock, 0);
      removeFile(aside);
    } catch (error) {
      // What cannot be removed now must not keep this thread out. The first error is the one to report.
      abandoned.add(this.#self.id);
      doAll([() => removeFile(aside), () => this.#removeOwn(this.#lockPath)], error);
    }
  }

  /** Gives the complete file `aside` the name `name` too, unless somebody alive has it. */
  #take(name: string, aside: string, breakLock: boolean, depth: number): void {
    if (this.#link(name, aside)) return;
    const text = readText(name);
    // Given up since: the name is free.
    if (text === undefined && this.#link(name, aside)) return;
    const holder = parseHolder(text);
    if (depth === DEPTH_MAX || !(breakLock || isStale(holder, this.#self))) throw locked(this.#path, this.#lockPath, holder);
    const replacing = `${this.#lockPath}.${createHash('sha256')
      .update(text ?? '')
      .digest('hex')
      .slice(0, 16)}`;
    this.#take(replacing, aside, breakLock, depth + 1);
    try {
      // Its writer is gone, and nobody but the holder of `replacing` takes it away: if it is still there now, it stays until we do.
      if (readText(name) === text) removeFile(name);
      if (!this.#link(name, aside)) throw locked(this.#path, this.#lockPath, parseHolder(readText(name)));
    } finally {
      this.#removeOwn(replacing);
    }
  }

  /** Gives the file a second name; false if that is taken. */
  #link(name: string, aside: string): boolean {
    try {
      fs.linkSync(aside, name);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      if (!NO_LINKS.has(codeOf(error))) throw error;
    }
    return this.#write(name);
  }

  /** Without hard links: a new file of that name; false if it is taken. */
  #write(name: string): boolean {
    let fd: number;
    try {
      fd = fs.openSync(name, 'wx', 0o600);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
    try {
      fs.writeFileSync(fd, this.#text);
    } catch (error) {
      doAll([() => fs.closeSync(fd), () => removeFile(name)], error);
    }
    fs.closeSync(fd);
    return true;
  }

  /** Removes a lock file if it is this one. */
  #removeOwn(name: string): void {
    if (readText(name) === this.#text.trim()) removeFile(name);
  }

  /**
   * Gives the lock up, whatever fails. The descriptor is unlocked explicitly: a mapping would keep its lock alive past close.
   * @throws PmsegError when the lock file could not be removed: this thread can open the pool again, others cannot before the process ends
   */
  release(): void {
    // Until it is gone: what could not be removed must not keep this thread out.
    abandoned.add(this.#self.id);
    try {
      this.#removeOwn(this.#lockPath);
      abandoned.delete(this.#self.id);
    } finally {
      this.#unlockDescription();
    }
  }

  #unlockDescription(): void {
    if (!this.#native || this.#fd < 0) return;
    // Closing ends the lock even if unlocking fails, and the descriptor is gone even if closing reports an error.
    this.#native.unlock(this.#fd);
    this.#native.close(this.#fd);
    this.#fd = -1;
  }
}
