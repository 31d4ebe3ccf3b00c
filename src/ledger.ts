/**
 * Ledger: what was stored and is not known to be durable, and what was repaired, so that no barrier speaks for bytes that were lost on the way.
 *
 * What is always true
 *   - A range leaves the ledger when a drain that began after its store is done and the medium has not lost any of it, or when it is repaired:
 *     whoever repairs says that what was there is to be stored again.
 *   - A lost range stays, so every drain of the whole pool fails until it is repaired.
 */
import { STATE_REPAIRS_OFF } from '../assembly/plan.js';
import type { Bank } from './bank.js';
import type { Barrier } from './barrier.js';
import type { BadRange, Medium } from './medium.js';

interface Stored extends BadRange {
  /** Drains begun when it was stored. */
  stamp: number;
}

/** Entries after which those that are settled are looked for. */
const SETTLE_COUNT = 256;

export class Ledger {
  readonly #medium: Medium;
  readonly #bank: Bank;
  readonly #barrier: Barrier;
  #stored: Stored[] = [];
  /** Length at which the next search for settled entries pays. */
  #settleAt = SETTLE_COUNT;
  /** Repairs through this pool object, by their number in the pool. */
  readonly #repaired: (BadRange & { readonly number: number })[] = [];

  constructor(medium: Medium, bank: Bank, barrier: Barrier) {
    this.#medium = medium;
    this.#bank = bank;
    this.#barrier = barrier;
  }

  /** Enters a range of the pool that was stored or flushed. */
  stored(off: number, len: number): void {
    const stamp = this.#barrier.begun;
    const last = this.#stored.at(-1);
    if (last && last.stamp === stamp && last.off + last.len === off) last.len += len;
    else this.#stored.push({ off, len, stamp });
    if (this.#stored.length < this.#settleAt) return;
    this.settle();
    this.#settleAt = Math.max(SETTLE_COUNT, 2 * this.#stored.length);
  }

  /** Forgets what is durable and good; the first of what a drain has passed and the medium has lost. */
  settle(): BadRange | undefined {
    const { done } = this.#barrier;
    this.#stored = this.#stored.filter(({ off, len, stamp }) => done <= stamp || this.#medium.badOffset(off, len) >= 0);
    return this.#stored.find(({ stamp }) => done > stamp);
  }

  /** Repairs in this pool so far, by any thread. */
  get repairs(): number {
    return this.#bank.stateLoad(STATE_REPAIRS_OFF);
  }

  /** Enters a repair that is about to begin. */
  repaired(off: number, len: number): void {
    this.#repaired.push({ off, len, number: this.repairs + 1 });
    this.#stored = this.#stored.filter((range) => !overlap(range, { off, len }));
  }

  /** Whether a range was repaired after there had been `since` repairs; in doubt (another thread did it) yes. */
  repairedSince(since: number, off: number, len: number): boolean {
    const { repairs } = this;
    if (repairs === since) return false;
    const mine = this.#repaired.filter(({ number }) => number > since);
    return mine.length < repairs - since || mine.some((range) => overlap(range, { off, len }));
  }
}

/** Pages are the unit of loss; a neighbour on the same page counts. */
const PAGE_SIZE = 65536;

function overlap(a: BadRange, b: BadRange): boolean {
  const [aPage, bPage] = [Math.floor(a.off / PAGE_SIZE), Math.floor(b.off / PAGE_SIZE)];
  return aPage * PAGE_SIZE < b.off + b.len && bPage * PAGE_SIZE < a.off + a.len;
}
