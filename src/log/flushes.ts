/**
 * Flushes of a log on their way to the medium, and up to where it is durable.
 *
 * What is always true
 *   - `durable` moves behind a flush only when a drain that began after it is done, and the medium has not lost any of it since, and it was
 *     not repaired under way.
 *   - A flush lies in one segment.
 */
import type { Engine } from '../engine.js';
import { PmsegError } from '../errors.js';
import type { LogSegment } from './walk.js';

/** Bytes on their way: written up to `end`; once they are durable, everything before `position` is. */
interface Flush {
  /** Drains begun, and repairs, when they were written. */
  readonly stamp: number;
  readonly repairs: number;
  readonly end: number;
  readonly position: number;
}

export class Flushes {
  readonly #engine: Engine;
  readonly #segmentAt: (position: number) => LogSegment;
  #durable: number;
  #underWay: Flush[] = [];

  constructor(engine: Engine, segmentAt: (position: number) => LogSegment, durable: number) {
    this.#engine = engine;
    this.#segmentAt = segmentAt;
    this.#durable = durable;
  }

  /** Enters what was just written, up to `end`, and lets everything before `position` count with it. */
  add(end: number, position: number, stamp: number, repairs: number): void {
    this.#underWay.push({ end, position, stamp, repairs });
  }

  /** Says what is durable, whatever is under way. */
  reset(position: number): void {
    this.#durable = position;
    this.#underWay = [];
  }

  /** Position up to which everything is known to be durable. What was lost on the way is not, which is the answer; `assert` throws it. */
  get durable(): number {
    try {
      this.#settle();
    } catch (error) {
      if (!(error instanceof PmsegError) || error.code !== 'ERR_PMSEG_MEDIA') throw error;
    }
    return this.#durable;
  }

  #settle(): void {
    const engine = this.#engine;
    for (let first = this.#underWay[0]; first && engine.barrier.covers(first.stamp); first = this.#underWay[0]) {
      const { id, index } = this.#segmentAt(this.#durable);
      engine.assertKept(id, this.#durable - index * engine.dataSize, Math.max(0, first.end - this.#durable), first.repairs);
      this.#durable = first.position;
      this.#underWay.shift();
    }
  }

  /**
   * After a barrier.
   * @throws PmsegError ERR_PMSEG_MEDIA when the medium has lost some of it, as often as asked; _HALTED when the barrier did not reach so far
   */
  assert(position: number): void {
    this.#settle();
    if (this.#durable < position) throw new PmsegError('ERR_PMSEG_HALTED', `a log is durable up to ${this.#durable}, not ${position}`);
  }
}
