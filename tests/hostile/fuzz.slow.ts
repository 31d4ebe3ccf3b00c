/**
 * Goal: as tests/hostile/fuzz.test.ts.
 * Method: the same for five minutes, a fresh seed each minute.
 */
import * as assert from 'uvu/assert';
import { fuzz } from '../kit/fuzz.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';

const test = suite('hostile images, for long');
const prng = new Prng();

for (let minute = 1; minute <= 5; minute++) {
  const seed = minute === 1 ? prng.seed : prng.next();
  test(`minute ${minute}: every image ends with right answers or typed errors (seed ${seed})`, () => {
    const judge = fuzz(seed, { pools: 1e6, milliseconds: 60_000 });
    const { images, refused, findings, forged } = judge.counts;
    assert.ok(images > 0);
    const sum = `${images} images, ${forged} with forged records, ${refused} refused, ${findings} findings of ${judge.codes.size} kinds`;
    console.log(`NOTE hostile fuzz (seed ${seed}): ${sum}`);
  });
}
