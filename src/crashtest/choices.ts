/**
 * Which values the pieces have in each image of one moment: all combinations of a few pieces, or the telling ones and random samples of many.
 *
 * What is always true: a choice has an index into `values` for each piece; 0 is the durable value, the last the newest.
 */
import type { Piece } from './model.js';

/** A whole number below a limit. */
export type Random = (limit: number) => number;

/** Seeded: the same numbers for the same seed, on every machine (mulberry32). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return Math.floor((((word ^ (word >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

export interface Bounds {
  /** Combinations up to this number are all taken. */
  readonly exhaustiveMax: number;
  /** Random combinations where there are more. */
  readonly sampleCount: number;
}

/** Choices for pieces; some may come twice. */
export function* choices(pieces: readonly Piece[], bounds: Bounds, random: Random): Generator<readonly number[]> {
  const counts = pieces.map(({ values }) => values.length);
  const total = counts.reduce((product, count) => Math.min(product * count, Number.MAX_SAFE_INTEGER), 1);
  if (total <= bounds.exhaustiveMax) {
    for (let number = 0; number < total; number++) yield digits(number, counts);
    return;
  }
  yield* telling(pieces, counts, bounds.sampleCount);
  for (let n = 0; n < bounds.sampleCount; n++) yield sample(pieces, counts, n % SAMPLERS.length, random);
}

function digits(number: number, counts: readonly number[]): number[] {
  let rest = number;
  return counts.map((count) => {
    const digit = rest % count;
    rest = Math.floor(rest / count);
    return digit;
  });
}

/** Nothing, everything, one alone, all but one, everything up to a moment: at `most` places each. */
function* telling(pieces: readonly Piece[], counts: readonly number[], most: number): Generator<number[]> {
  const newest = counts.map((count) => count - 1);
  yield counts.map(() => 0);
  yield newest;
  const step = Math.max(1, Math.ceil(pieces.length / most));
  for (let i = 0; i < pieces.length; i += step) {
    yield counts.map((count, j) => (i === j ? count - 1 : 0));
    yield newest.map((value, j) => (i === j ? 0 : value));
  }
  const stamps = [...new Set(pieces.flatMap(({ values }) => values.slice(1).map(({ stamp }) => stamp)))].sort((a, b) => a - b);
  const stride = Math.max(1, Math.ceil(stamps.length / most));
  for (let i = 0; i < stamps.length; i += stride) {
    const stamp = stamps[i] as number;
    yield upTo(pieces, stamp);
    // What came later arrived, what came first did not.
    yield pieces.map(({ values }) => ((values.at(-1)?.stamp ?? 0) > stamp ? values.length - 1 : 0));
  }
}

/** What has arrived when everything stored by an operation has, and nothing after it. */
function upTo(pieces: readonly Piece[], stamp: number): number[] {
  return pieces.map(({ values }) => values.findLastIndex((value) => value.stamp <= stamp));
}

/** Any value for each piece. */
const any = (_: readonly Piece[], counts: readonly number[], random: Random): number[] => counts.map((count) => random(count));

/** A few pieces late, the others there; or a few there, the others late. */
function few(_: readonly Piece[], counts: readonly number[], random: Random): number[] {
  const late = random(2) === 0;
  return counts.map((count) => ((random(8) === 0) === late ? 0 : count - 1));
}

/** Pages of 4 KiB whole or not at all: what mostly happens, and tears between records rather than inside them. */
function pages(pieces: readonly Piece[], counts: readonly number[], random: Random): number[] {
  const arrived = new Map<number, boolean>();
  return pieces.map(({ off }, i) => {
    const page = Math.floor(off / 4096);
    if (!arrived.has(page)) arrived.set(page, random(2) === 0);
    return arrived.get(page) ? (counts[i] as number) - 1 : 0;
  });
}

/** Everything up to a moment, and any value for what was stored last. */
function torn(pieces: readonly Piece[], counts: readonly number[], random: Random): number[] {
  const stamps = [...new Set(pieces.map(({ values }) => values.at(-1)?.stamp ?? 0))];
  const stamp = stamps[random(stamps.length)] as number;
  return upTo(pieces, stamp).map((index, i) => (pieces[i]?.values.at(-1)?.stamp === stamp ? random(counts[i] as number) : index));
}

const SAMPLERS = [any, few, pages, torn];

function sample(pieces: readonly Piece[], counts: readonly number[], kind: number, random: Random): number[] {
  return (SAMPLERS[kind] ?? any)(pieces, counts, random);
}
