/**
 * Goal: one flipped bit, wherever it is in either copy of any metadata record, reverts and loses nothing; it is seen, named and repaired.
 * Method: every single bit, one after the other, of both superblocks and of the info and owner pairs of a segment of every sort: open,
 * compare all that the metadata says. For some of them also all data, the check, a repair, and the bytes after it (tests/hostile/flips.slow.ts: for many).
 */
import * as assert from 'uvu/assert';
import { Pool, checkPool, type Finding } from '../../src/index.js';
import { Flips, FLIP_SIZE, SORTS, codes, everySort, homes } from '../kit/flips.js';
import { Rig, assertSame, contents } from '../kit/images.js';
import { suite } from '../kit/suite.js';

const test = suite('single flipped bits');
const flips = new Flips(everySort());

test('the pool has a segment of every sort', () => {
  const pool = Pool.open(flips.rig.reader);
  const { free, raw, 'raw, next': next } = SORTS;
  assert.equal(
    pool.list().map(({ name, segmentIds }) => [name, ...segmentIds]),
    [
      ['log', 5, 6],
      ['object', 3, 4],
      ['small', 7],
    ],
  );
  assert.equal(
    [...pool.segment(raw).chain()].map(({ id }) => id),
    [raw, next],
  );
  assert.not.ok([...pool].some(({ id }) => id === free));
  pool.close();
});

for (const home of homes(FLIP_SIZE)) {
  test(`no bit of either copy of the ${home.title} matters alone`, () => {
    const step = home.kind === 'owner' ? 1021 : 61;
    for (const copy of [0, 1])
      for (let bit = 0; bit < home.size * 8; bit++)
        if (bit % step === copy) flips.full(home, copy, bit);
        else flips.light(home, copy, bit);
  });
}

test('in a pool that was not closed a bad copy may be an update that a power cut tore: that is a note, and opening completes it', () => {
  const rig = new Rig(everySort({ clean: false }));
  const read = (medium: Rig['reader'], where: string, wanted: string[]): Finding[] => {
    const pool = Pool.open(medium);
    assertSame(flips.contents, contents(pool), where);
    const { findings, repaired } = checkPool(pool);
    assert.equal(codes(findings), wanted, where);
    pool.close();
    return repaired;
  };
  for (const { title, kind, offs, size } of homes(FLIP_SIZE)) {
    for (const [copy, off] of offs.entries()) {
      const where = `${title}, copy ${copy}`;
      rig.flip(off * 8 + 8 * (size >> 1) + copy);
      const code = kind === 'superblock' ? 'SUPERBLOCK_DEGRADED' : 'UPDATE_UNFINISHED';
      read(rig.reader, where, ['UNCLEAN', code]);
      assert.equal(codes(read(rig.writer, where, ['UNCLEAN'])), [code], where);
      assert.equal(read(rig.writer, `${where}, again`, []), [], where);
      const [first, second] = offs.map((at) => Rig.live(rig.writer, at, size)) as [Uint8Array, Uint8Array];
      assert.is(Buffer.compare(first, second), 0, where);
      rig.undo();
    }
  }
});

test('summary', () => {
  console.log(`NOTE hostile flips: ${flips.lightCount} bits of metadata flipped one by one, ${flips.fullCount} of them also repaired`);
});
