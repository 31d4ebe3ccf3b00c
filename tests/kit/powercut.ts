/**
 * Power cuts, by hand: every prefix of a recording, every subset of what it had stored and not drained. Written apart from
 * src/crashtest.ts, so that neither is only held against itself.
 *
 * An aligned piece of `tear` bytes arrives whole or not at all, independently of all others; a piece stored to several times takes any
 * of its values. Pieces that a store did not change are not counted, which is what lets small cases be enumerated completely.
 */
import { WINDOW_PTR_MIN } from '../../assembly/plan.js';
import { MemoryMedium, type Granularity, type Operation } from '../../src/index.js';
import type { Prng } from './prng.js';

export interface CutOptions {
  granularity: Granularity;
  /** Bytes that arrive together. */
  tear: number;
  /** Most images of one moment; where there are more, the extremes and seeded samples. */
  limit: number;
  prng: Prng;
  /** First moment to look at. */
  begin?: number;
}

/** What `look` is shown: the medium as found after the cut. It may open it, write to it, and leave it open. */
export interface Cut {
  readonly medium: MemoryMedium;
  /** Operations that had been asked for. */
  readonly at: number;
  readonly where: string;
  /** What was done to the medium since the cut. */
  readonly since: readonly Operation[];
}

/** Number of images shown. */
export function powerCuts(initial: Uint8Array, operations: readonly Operation[], options: CutOptions, look: (cut: Cut) => void): number {
  const { tear, limit, prng, granularity, begin = 0 } = options;
  const since: Operation[] = [];
  const medium = new MemoryMedium(initial, { granularity, onOperation: (operation) => since.push(operation) });
  const live = medium.banks[0]?.subarray(WINDOW_PTR_MIN, initial.byteLength) as Uint8Array;
  const [durable, newest] = [initial.slice(), initial.slice()];
  /** Values that a piece may have besides the durable one. */
  const pending = new Map<number, Uint8Array[]>();
  let count = 0;

  const show = (at: number, pieces: [number, Uint8Array[]][], choice: number[]): void => {
    pieces.forEach(([off, values], i) => live.set(values[choice[i] as number] as Uint8Array, off));
    since.length = 0;
    try {
      look({ medium, at, where: `operation ${at} of ${operations.length}, choice ${choice.join('')} (seed ${prng.seed})`, since });
    } finally {
      for (const [off] of pieces) live.set(durable.subarray(off, off + tear), off);
      for (const operation of since)
        if (operation.kind === 'store')
          live.set(durable.subarray(operation.off, operation.off + operation.bytes.byteLength), operation.off);
    }
    count++;
  };

  for (let at = 0; at <= operations.length; at++) {
    const operation = operations[at - 1];
    if (operation?.kind === 'flush') continue;
    if (operation?.kind === 'store') {
      newest.set(operation.bytes, operation.off);
      for (let off = Math.floor(operation.off / tear) * tear; off < operation.off + operation.bytes.byteLength; off += tear) {
        const value = newest.slice(off, off + tear);
        const values = pending.get(off) ?? [durable.slice(off, off + tear)];
        if (!values.some((other) => Buffer.compare(other, value) === 0)) pending.set(off, [...values, value]);
      }
    } else if (operation?.kind === 'drain') {
      for (const off of pending.keys()) {
        durable.set(newest.subarray(off, off + tear), off);
        live.set(newest.subarray(off, off + tear), off);
      }
      pending.clear();
    }
    if (at < begin) continue;
    const pieces = [...pending];
    for (const choice of choices(
      pieces.map(([, values]) => values.length),
      limit,
      prng,
    ))
      show(at, pieces, choice);
  }
  return count;
}

/** All choices of one value a piece, or extremes and samples. */
function* choices(counts: readonly number[], limit: number, prng: Prng): Generator<number[]> {
  const total = counts.reduce((product, n) => Math.min(product * n, Number.MAX_SAFE_INTEGER), 1);
  if (total <= limit) {
    for (let number = 0; number < total; number++) {
      let rest = number;
      yield counts.map((n) => {
        const digit = rest % n;
        rest = Math.floor(rest / n);
        return digit;
      });
    }
    return;
  }
  yield counts.map(() => 0);
  yield counts.map((n) => n - 1);
  for (let i = 2; i < limit; i++) {
    const edge = prng.below(counts.length + 1);
    const kind = prng.below(3);
    yield counts.map((n, j) => (kind === 0 ? prng.below(n) : j < edge === (kind === 1) ? n - 1 : 0));
  }
}
