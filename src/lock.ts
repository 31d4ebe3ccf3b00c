/**
 * One writer at a time.
 *
 * What is always true
 *   - Every writer holds `POOL.lock`, created with O_EXCL, which says who: pid, start time, boot id, pid namespace, mode.
 *   - With the native shim it also holds a lock of its own open file description, which ends with the process by itself.
 *   - A lock file is stale only when it is from this boot and this pid namespace and its process is gone. Everything else is refused;
 *     `breakLock` is the caller's explicit word that no writer lives.
 */
import * as fs from 'node:fs';
import { PmsegError, errnos, fromFs, systemError } from './errors.js';
import type { Mode } from './medium.js';
import type { Native } from './native.js';

interface Holder {
  pid: number;
  /** Clock ticks after boot at which the process began. */
  startTime: string;
  bootId: string;
  pidNamespace: string;
  mode: Mode;
}

function readText(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8').trim();
  } catch {
    // Absent is an answer: a process that is gone, a system without /proc.
    return undefined;
  }
}

/**
 * Field 22 of /proc/PID/stat; the command name before it may hold spaces and brackets. A zombie without other threads has none: it is
 * gone, though nobody has waited for it, which under a first process that reaps nobody is for ever.
 */
function startTimeOf(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const isGone = /[ZX]/.test(fields?.[0] ?? 'X') && Number(fields?.[17] ?? 0) <= 1;
  return isGone ? undefined : fields?.[19];
}

function pidNamespace(): string {
  try {
    return fs.readlinkSync('/proc/self/ns/pid');
  } catch {
    return 'unknown';
  }
}

function describeSelf(mode: Mode): Holder {
  return {
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? 'unknown',
    bootId: readText('/proc/sys/kernel/random/boot_id') ?? 'unknown',
    pidNamespace: pidNamespace(),
    mode,
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

/** Provably gone: same boot, same namespace, and no such process (or another one with its pid). */
function isStale(holder: Holder | undefined, self: Holder): boolean {
  if (!holder || self.bootId === 'unknown' || self.pidNamespace === 'unknown') return false;
  if (holder.bootId !== self.bootId || holder.pidNamespace !== self.pidNamespace) return false;
  return startTimeOf(holder.pid) !== holder.startTime;
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

export class WriterLock {
  readonly #path: string;
  readonly #lockPath: string;
  readonly #text: string;
  #native: Native | undefined;
  #fd = -1;

  /** @throws PmsegError ERR_PMSEG_LOCKED when another writer holds the pool, or cannot be shown to be gone */
  constructor(path: string, mode: Mode, native: Native | undefined, breakLock: boolean) {
    this.#path = path;
    this.#lockPath = `${path}.lock`;
    const self = describeSelf(mode);
    this.#text = `${JSON.stringify({ ...self, id: `${Date.now()}-${Math.random().toString(36).slice(2)}` })}\n`;
    if (native) this.#lockDescription(native);
    try {
      this.#createFile(self, breakLock);
    } catch (error) {
      this.#unlockDescription();
      throw error;
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

  #createFile(self: Holder, breakLock: boolean): void {
    for (let attempt = 0; ; attempt++) {
      try {
        fs.writeFileSync(this.#lockPath, this.#text, { flag: 'wx', mode: 0o600 });
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw fromFs('create lock', error, { path: this.#lockPath });
      }
      const text = readText(this.#lockPath);
      const holder = parseHolder(text);
      if (attempt > 0 || (!breakLock && !isStale(holder, self))) throw locked(this.#path, this.#lockPath, holder);
      this.#removeFile(text);
    }
  }

  /** Removes the lock file if it still says `text`: by renaming it first, so that of two removers only one meets each file. */
  #removeFile(text: string | undefined): void {
    const aside = `${this.#lockPath}.${process.pid}.stale`;
    try {
      fs.renameSync(this.#lockPath, aside);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw fromFs('break lock', error, { path: this.#lockPath });
    }
    // Somebody else's fresh lock goes back where it was; if a third writer has one there by now, that one stands.
    if (readText(aside) !== text) fs.linkSync(aside, this.#lockPath);
    fs.unlinkSync(aside);
  }

  /** Gives the lock up. The descriptor is unlocked explicitly: a mapping would keep its lock alive past close. */
  release(): void {
    if (readText(this.#lockPath) === this.#text.trim()) fs.unlinkSync(this.#lockPath);
    this.#unlockDescription();
  }

  #unlockDescription(): void {
    if (!this.#native || this.#fd < 0) return;
    this.#native.unlock(this.#fd);
    this.#native.close(this.#fd);
    this.#fd = -1;
  }
}
