/**
 * Goal: a position never leaves the data, whatever is added to it.
 * Method: every position, length and size up to 12; then every combination of the numbers around 0, 2^31 and 2^32.
 */
import * as assert from 'uvu/assert';
import { EINVAL } from '../../assembly/verdicts.js';
import { suite } from '../kit/suite.js';
import { core, traps } from './world.js';

const test = suite('core/pos');

function agree(off: number, len: number, dataSize: number): void {
  const where = `off ${off}, len ${len}, dataSize ${dataSize}`;
  assert.is(core.posAdvance(off, len, dataSize), off + len <= dataSize ? off + len : EINVAL, where);
  assert.is(core.posRemain(off, dataSize), off <= dataSize ? dataSize - off : EINVAL, where);
}

test('every small position moves as arithmetic says', () => {
  for (let dataSize = 0; dataSize <= 12; dataSize++) {
    for (let off = 0; off <= 14; off++) for (let len = 0; len <= 14; len++) agree(off, len, dataSize);
  }
});

test('no length wraps', () => {
  const edges = [0, 1, 2, 2 ** 24 - 16384, 2 ** 30, 2 ** 31 - 2, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 2, 2 ** 32 - 1];
  for (const dataSize of edges.filter((edge) => edge < 2 ** 31)) {
    for (const off of edges) for (const len of edges) agree(off, len, dataSize);
  }
});

test("sizes that an i32 could not return are the caller's mistake", () => {
  assert.ok(traps(() => core.posAdvance(0, 1, 2 ** 31)));
  assert.ok(traps(() => core.posRemain(0, 2 ** 31)));
});
