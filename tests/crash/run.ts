/** Runs cases of the crash enumerator as tests of one suite, and says how much was looked at. */
import * as assert from 'uvu/assert';
import { explore, record, type ExploreOptions, type RecordOptions, type Recording, type Summary } from '../../src/crashtest/index.js';
import type { Granularity } from '../../src/index.js';
import { MIB, sizeFor } from '../kit/pools.js';
import type { Suite } from '../kit/suite.js';
import { CASES, type Case } from './cases.js';

export const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32));

/** What `record` is told of a case. */
export function optionsOf({ segmentCount, setup, damage, workload, withOpen }: Case, granularity: Granularity): RecordOptions {
  const uuid = '00112233-4455-6677-8899-aabbccddeeff';
  return { size: sizeFor(segmentCount), segmentSize: MIB, granularity, uuid, setup, damage, workload, withOpen };
}

const total = { images: 0, distinct: 0, states: 0, moments: 0, again: 0, kills: 0 };

/**
 * One test a case and granularity; the last one sums up.
 * @param least distinct images that there must be in all
 * @param part of the cases: [n, m] takes every m-th from the n-th on
 */
export function runCases(
  test: Suite,
  granularities: readonly Granularity[],
  options: ExploreOptions & { largeCount: number; killEvery: number },
  least: number,
  [first, stride] = [0, 1],
): void {
  for (const granularity of granularities) {
    for (const one of CASES.filter((_, i) => i % stride === first)) {
      test(`${one.name} (${granularity})`, async () => {
        const begin = performance.now();
        // Large records take milliseconds to read, for each image: fewer of these.
        const settings = one.large ? { ...options, sampleCount: options.largeCount, killEvery: 8 * options.killEvery } : options;
        const summary = explored(await record(optionsOf(one, granularity)), one, settings);
        const milliseconds = ((performance.now() - begin) / summary.images).toFixed(2);
        if (process.env['VERBOSE'])
          console.log(`NOTE ${one.name} (${granularity}): ${JSON.stringify(summary)}, ${milliseconds} ms an image`);
        assert.ok(summary.moments > 1 && summary.images > 1);
        add(summary);
      });
    }
  }
  test('what was looked at', () => {
    const { images, distinct, states, moments, again, kills } = total;
    const more = `${states} states, ${moments} moments, ${again} after a second loss of power, ${kills} kills`;
    console.log(`NOTE crash images (${granularities.join(', ')}): ${images} checked, ${distinct} distinct, ${more}, seed ${seed}`);
    assert.ok(distinct >= least, `${distinct} distinct images, not ${least}`);
  });
}

/** Explores; a failure also shows what its assertion compared. */
function explored(recording: Recording, { oracle }: Case, options: ExploreOptions): Summary {
  try {
    return explore(recording, oracle, { seed, ...options });
  } catch (error) {
    const { message, details } = (error as { cause?: { message?: string; details?: string } }).cause ?? {};
    if (details) console.log(`${message}\n${details}`);
    throw error;
  }
}

function add(summary: Summary): void {
  for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += summary[name];
}
