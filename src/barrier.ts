/**
 * Barriers of one pool: drains, numbered and grouped, and the halt after the first that fails.
 *
 * What is always true
 *   - Drains are numbered when they begin. What was written when `begun` was n is durable once a drain numbered above n is done.
 *   - Off-thread callers that arrive while a barrier is in flight share the next one.
 *   - After a failed drain nothing is known about what arrived, so the pool is halted: no later store or persist succeeds.
 *     A failed drain is never tried again: the second one would succeed and lie.
 */
import { STATE_DRAINS_BEGUN_OFF, STATE_DRAINS_DONE_OFF, STATE_CLOSED, STATE_FLAGS_OFF, STATE_HALTED } from '../assembly/plan.js';
import type { Bank } from './bank.js';
import { PmsegError, type PmsegCode } from './errors.js';
import type { Medium } from './medium.js';

/** Failures of a store after which the pool can go on. */
const FAIL_ALONE = new Set<PmsegCode>(['ERR_PMSEG_NO_SPACE', 'ERR_PMSEG_MEDIA', 'ERR_PMSEG_BUSY']);

/** Work to be done just before a grouped barrier begins, such as writing out a log's buffer. */
type Prepare = () => void;

interface Group {
  readonly prepares: Set<Prepare>;
  readonly failed: Map<Prepare, unknown>;
  readonly done: Promise<void>;
}

export class Barrier {
  readonly #medium: Medium;
  readonly #bank: Bank;
  /** `begun` at the last store. */
  #lastStore = -1;
  #running: Promise<void> | undefined;
  #waiting: Group | undefined;

  constructor(medium: Medium, bank: Bank) {
    this.#medium = medium;
    this.#bank = bank;
  }

  get halted(): boolean {
    return (this.#bank.stateLoad(STATE_FLAGS_OFF) & STATE_HALTED) !== 0;
  }

  /** Drains begun so far. Take it after a write; `covers` tells whether that write is durable. */
  get begun(): number {
    return this.#bank.stateLoad(STATE_DRAINS_BEGUN_OFF);
  }

  /** Number of the latest drain that is done. */
  get done(): number {
    return this.#bank.stateLoad(STATE_DRAINS_DONE_OFF);
  }

  /** Whether what was written when `begun` was `stamp` is durable. */
  covers(stamp: number): boolean {
    return this.done > stamp;
  }

  /** Whether all that was stored through this object is durable. */
  get idle(): boolean {
    return this.covers(this.#lastStore);
  }

  /** Waits for everything written before. Halts the pool when it fails. */
  drain(): void {
    this.assertRunning();
    const number = this.#bank.stateAdd(STATE_DRAINS_BEGUN_OFF, 1);
    try {
      this.#medium.drain();
    } catch (cause) {
      throw this.halt('a persist failed', cause);
    }
    this.#bank.stateMax(STATE_DRAINS_DONE_OFF, number);
  }

  /**
   * As `drain`, off-thread and grouped. Covers everything written before the call and what `prepare` writes; `prepare` runs just before
   * the barrier begins, once for all calls of the group that name it. If it throws, this promise rejects and the others do not.
   */
  drainAsync(prepare?: Prepare): Promise<void> {
    const group = (this.#waiting ??= this.#openGroup());
    if (!prepare) return group.done;
    group.prepares.add(prepare);
    return group.done.then(() => {
      if (group.failed.has(prepare)) throw group.failed.get(prepare);
    });
  }

  #openGroup(): Group {
    const prepares = new Set<Prepare>();
    const failed = new Map<Prepare, unknown>();
    const done = this.#runGroup(prepares, failed);
    // A caller that waits only through `prepare` handles its own promise; this one must not count as unhandled beside it.
    done.catch(() => undefined);
    return { prepares, failed, done };
  }

  async #runGroup(prepares: Set<Prepare>, failed: Map<Prepare, unknown>): Promise<void> {
    // The failure of the barrier before this one is its callers' to see; here it shows as the halt.
    await this.#running?.catch(() => undefined);
    this.#waiting = undefined;
    this.assertRunning();
    for (const prepare of prepares) {
      try {
        prepare();
      } catch (error) {
        failed.set(prepare, error);
      }
    }
    const number = this.#bank.stateAdd(STATE_DRAINS_BEGUN_OFF, 1);
    this.#running = this.#medium.drainAsync();
    try {
      await this.#running;
    } catch (cause) {
      throw this.halt('a persist failed', cause);
    }
    this.#bank.stateMax(STATE_DRAINS_DONE_OFF, number);
  }

  /** Waits until no barrier is in flight or waiting; failures are their callers'. */
  async settled(): Promise<void> {
    while (this.#waiting || this.#running) {
      const current = this.#waiting?.done ?? this.#running;
      await current?.catch(() => undefined);
      if (!this.#waiting && this.#running === current) this.#running = undefined;
      if (!this.#waiting) return;
    }
  }

  /**
   * Runs a store. Want of room and lost bytes fail it alone; after any other failure nobody knows what the file holds, so the pool halts.
   */
  store(write: () => void): void {
    this.#lastStore = this.begun;
    try {
      write();
    } catch (error) {
      if (error instanceof PmsegError && FAIL_ALONE.has(error.code)) throw error;
      throw this.halt('a write failed', error);
    }
  }

  /** @throws PmsegError ERR_PMSEG_HALTED, _CLOSED (a barrier that was waiting when the pool was closed) */
  assertRunning(): void {
    if (this.#bank.stateLoad(STATE_FLAGS_OFF) & STATE_CLOSED)
      throw new PmsegError('ERR_PMSEG_CLOSED', 'the pool is closed', { path: this.#medium.path });
    if (this.halted) throw new PmsegError('ERR_PMSEG_HALTED', 'a persist failed earlier; open the pool again', { path: this.#medium.path });
  }

  /** Marks the pool halted and returns the error to throw. */
  halt(why: string, cause: unknown): PmsegError {
    this.#bank.stateOr(STATE_FLAGS_OFF, STATE_HALTED);
    if (cause instanceof PmsegError && cause.code === 'ERR_PMSEG_REPLACED') return cause;
    const message = cause instanceof Error ? cause.message : String(cause);
    return new PmsegError('ERR_PMSEG_HALTED', `${why}, the pool is halted: ${message}`, {
      path: this.#medium.path,
      errno: cause instanceof PmsegError ? cause.errno : undefined,
      cause,
    });
  }
}
