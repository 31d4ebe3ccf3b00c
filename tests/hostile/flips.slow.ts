/**
 * Goal: as tests/hostile/flips.test.ts, and that every flipped bit is repaired, too.
 * Method: the full look at every bit of the infos, every third of the superblocks, and every 29th of the owner records, most of which is name.
 */
import { Flips, FLIP_SIZE, everySort, homes } from '../kit/flips.js';
import { suite } from '../kit/suite.js';

const test = suite('single flipped bits, repaired');
const flips = new Flips(everySort());

for (const home of homes(FLIP_SIZE)) {
  test(`no bit of either copy of the ${home.title} matters alone, and each is repaired`, () => {
    const step = { info: 1, superblock: 3, owner: 29 }[home.kind];
    for (const copy of [0, 1])
      for (let bit = 0; bit < home.size * 8; bit++)
        if ((bit + copy) % step === 0) flips.full(home, copy, bit);
        else flips.light(home, copy, bit);
  });
}

test('summary', () => {
  console.log(`NOTE hostile flips: ${flips.lightCount} bits of metadata flipped one by one, ${flips.fullCount} of them also repaired`);
});
