/**
 * Goal: as all.slow.ts, for a few mutants chosen by the seed.
 * Method: barriers left out of the engine's own updates, each held against the crash enumerator.
 */
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ROOT } from '../kit/playground.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';
import { JUDGES, judge } from './judge.js';
import { allMutants, mutantsOf } from './mutants.js';
import { SURVIVORS } from './survivors.js';

const test = suite('barrier mutation, short');
const prng = new Prng();
const COUNT = 3;

test('mutants leave a barrier out or move it, and keep everything else', () => {
  const source =
    'class A { b() { before(); this.c.drain(); if (after) x(); } async d() { await e.drainAsync(f); m.writeDurable(1); w(0, true); copyFromBio(2, true); } }';
  const mutated = mutantsOf('a.js', source).map(({ key, source: text }) => [key, text] as const);
  assert.equal(mutated, [
    ['a.js A.b: this.c.drain() — left out', source.replace('this.c.drain()', '(0)')],
    ['a.js A.b: this.c.drain() — moved up', source.replace('before(); this.c.drain();', 'this.c.drain(); before();')],
    ['a.js A.b: this.c.drain() — moved down', source.replace('this.c.drain(); if (after) x();', 'if (after) x(); this.c.drain();')],
    ['a.js A.d: await e.drainAsync(f) — left out', source.replace('e.drainAsync(f)', 'Promise.resolve(0)')],
    [
      'a.js A.d: await e.drainAsync(f) — moved down',
      source.replace('await e.drainAsync(f); m.writeDurable(1);', 'm.writeDurable(1); await e.drainAsync(f);'),
    ],
    ['a.js A.d: m.writeDurable(1) — left out', source.replace('writeDurable', 'write')],
    ['a.js A.d: copyFromBio(2, true) — left out', source.replace('copyFromBio(2, true)', 'copyFromBio(2, false)')],
  ]);
});

test(`${COUNT} mutants are seen`, async () => {
  // Those that every seed sees: the long form also has the ones that only some loss of power in a million shows.
  const candidates = allMutants(join(ROOT, 'dist', 'src')).filter(
    ({ key, file }) => /^(allocator|slots|barrier)/.test(file) && key.endsWith('left out') && !SURVIVORS.has(key),
  );
  const chosen = Array.from({ length: COUNT }, () => candidates.splice(prng.below(candidates.length), 1)[0]).flatMap((one) => one ?? []);
  const verdicts = await judge(chosen, JUDGES, String(prng.seed));
  for (const { mutant, killedBy } of verdicts) console.log(`NOTE ${killedBy ?? 'SURVIVED'}: ${mutant.key}`);
  assert.equal(
    verdicts.filter(({ killedBy }) => killedBy === undefined).map(({ mutant }) => mutant.key),
    [],
  );
});
