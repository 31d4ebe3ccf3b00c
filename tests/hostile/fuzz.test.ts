/**
 * Goal: no image, whatever it says, makes the engine crash, hang, leave its bounds, write where it may only read, or lose what could be got.
 * Method: tests/kit/fuzz.ts, for a few seconds from a seed that is printed; tests/hostile/fuzz.slow.ts goes on for minutes.
 */
import * as assert from 'uvu/assert';
import { fuzz } from '../kit/fuzz.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';

const test = suite('hostile images');

test('every image ends with right answers or typed errors', () => {
  const judge = fuzz(new Prng().seed, { pools: 1000, milliseconds: 6000 });
  const { images, refused, findings, forged } = judge.counts;
  assert.ok(images > 0);
  console.log(`NOTE hostile fuzz: ${images} images, ${forged} with forged records, ${refused} refused, ${findings} findings of ${judge.codes.size} kinds`);
}); // prettier-ignore
