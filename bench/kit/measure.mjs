/**
 * Times of calls, as ratios that noise cannot fake: contenders take turns in short rounds, and what is compared is the median of the rounds.
 *
 * What is always true
 *   - A sample is one call, in nanoseconds, timed by itself; rounds are kept apart.
 *   - A ratio is the median over the rounds of (contender's median ÷ baseline's median in the same round).
 */

/** Value below which `share` of the sorted samples lie. */
export function quantile(samples, share) {
  const sorted = Float64Array.from(samples).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

export const median = (samples) => quantile(samples, 0.5);

/** Times `count` calls, one by one: nanoseconds each. */
export function timeEach(count, call) {
  const samples = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const begin = process.hrtime.bigint();
    call(i);
    samples[i] = Number(process.hrtime.bigint() - begin);
  }
  return samples;
}

/** As `timeEach`, for calls that return promises, one after the other. */
export async function timeEachAsync(count, call) {
  const samples = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const begin = process.hrtime.bigint();
    await call(i);
    samples[i] = Number(process.hrtime.bigint() - begin);
  }
  return samples;
}

/**
 * `callers` loops that each wait for their own call, until there were `count` calls: the time of each call and of the whole.
 */
export async function timeConcurrent(callers, count, call) {
  const samples = new Float64Array(count);
  let next = 0;
  const begin = performance.now();
  const loop = async () => {
    for (let i = next++; i < count; i = next++) {
      const from = process.hrtime.bigint();
      await call(i);
      samples[i] = Number(process.hrtime.bigint() - from);
    }
  };
  await Promise.all(Array.from({ length: callers }, loop));
  return { samples, seconds: (performance.now() - begin) / 1000 };
}

/**
 * Lets contenders take turns.
 * @param contenders [{ name, run(round) → samples | { samples, seconds }, before? }]
 * @returns Map of name → { p50, p99, min, perSecond, rounds: [p50 of each round], rates }
 */
export async function takeTurns(contenders, rounds) {
  const taken = new Map(contenders.map(({ name }) => [name, { all: [], rounds: [], rates: [] }]));
  for (let round = 0; round < rounds; round++) {
    // Who comes first in a round may find a quieter machine: the order turns.
    const order = contenders.map((_, i) => contenders[(i + round) % contenders.length]);
    for (const { name, run } of order) {
      const result = await run(round);
      const samples = result.samples ?? result;
      const seconds = result.seconds ?? samples.reduce((sum, ns) => sum + ns, 0) / 1e9;
      const of = taken.get(name);
      of.all.push(...samples);
      of.rounds.push(median(samples));
      of.rates.push(samples.length / seconds);
    }
  }
  return new Map(
    [...taken].map(([name, { all, rounds: p50s, rates }]) => [
      name,
      { p50: median(all), p99: quantile(all, 0.99), min: quantile(all, 0), perSecond: median(rates), rounds: p50s, rates },
    ]),
  );
}

/** Median over the rounds of a ÷ b. */
export function ratio(a, b) {
  return median(a.map((value, i) => value / b[i]));
}
