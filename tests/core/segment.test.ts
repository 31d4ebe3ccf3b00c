/**
 * Goal: a copy between segment and bio moves exactly the bytes asked for, or refuses and moves none.
 * Method: every way to cut a small bio into up to three pieces × every offset and length, against a model in plain TypeScript, with
 * everything around compared as well; overlapping pieces at random; ranges that end at 4 GiB.
 */
import * as assert from 'uvu/assert';
import * as plan from '../../assembly/plan.js';
import { EFAULT, EINVAL, EIO } from '../../assembly/verdicts.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';
import { bytes, core, MEMORY_SIZE, PTR, traps, view } from './world.js';

const test = suite('core/segment');
const prng = new Prng();
const TABLE = PTR;
const FAULTS = plan.STATE_PTR + plan.STATE_FAULTS_OFF;

interface Piece {
  ptr: number;
  len: number;
}

function writeTable(pieces: Piece[]): void {
  pieces.forEach(({ ptr, len }, i) => {
    view.setUint32(TABLE + i * plan.BVEC_SIZE + plan.BVEC_PTR_OFF, ptr, true);
    view.setUint32(TABLE + i * plan.BVEC_SIZE + plan.BVEC_LEN_OFF, len, true);
  });
}

interface Copy {
  dataPtr: number;
  dataSize: number;
  dataOff: number;
  dataLen: number;
  pieces: Piece[];
  bioOff: number;
}

/** The same copy on `arena`, whose first byte has address `origin`: piece by piece, each as memmove. */
function model(arena: Uint8Array, origin: number, toBio: boolean, { dataPtr, dataSize, dataOff, dataLen, pieces, bioOff }: Copy): number {
  if (dataOff > dataSize || dataLen > dataSize - dataOff) return EINVAL;
  if (pieces.reduce((sum, piece) => sum + piece.len, 0) < bioOff + dataLen && dataLen > 0) return EIO;
  let at = dataPtr + dataOff - origin;
  let skip = bioOff;
  let left = dataLen;
  for (const { ptr, len } of pieces) {
    const head = Math.min(skip, len);
    const take = Math.min(len - head, left);
    const piece = ptr + head - origin;
    if (toBio) arena.copyWithin(piece, at, at + take);
    else arena.copyWithin(at, piece, piece + take);
    skip -= head;
    left -= take;
    at += take;
  }
  return dataLen;
}

function agree(origin: number, size: number, copy: Copy): void {
  writeTable(copy.pieces);
  const before = prng.bytes(size);
  for (const toBio of [true, false]) {
    bytes.set(before, origin);
    const expected = before.slice();
    const result = model(expected, origin, toBio, copy);
    const { dataPtr, dataSize, dataOff, dataLen, pieces, bioOff } = copy;
    const call = toBio ? core.copyToBio : core.copyFromBio;
    const found = call(dataPtr, dataSize, dataOff, dataLen, TABLE, pieces.length, bioOff);
    if (found !== result || Buffer.compare(bytes.subarray(origin, origin + size), expected) !== 0) {
      assert.unreachable(`${toBio ? 'to' : 'from'} bio ${JSON.stringify(copy)}: ${found}, expected ${result}`);
    }
  }
}

/** Every list of up to `count` lengths up to `max`. */
function* splits(count: number, max: number): Generator<number[]> {
  yield [];
  if (count === 0) return;
  for (let first = 0; first <= max; first++) for (const rest of splits(count - 1, max)) yield [first, ...rest];
}

test('every copy of a small segment and a bio of up to three pieces is right', () => {
  const origin = PTR + 0x1000;
  const dataPtr = origin + 4;
  const dataSize = 5;
  let count = 0;
  for (const lens of splits(3, 4)) {
    const pieces = lens.map((len, i) => ({ ptr: origin + 16 + i * 6, len }));
    const total = lens.reduce((sum, len) => sum + len, 0);
    for (let dataOff = 0; dataOff <= dataSize + 1; dataOff++) {
      for (let dataLen = 0; dataLen <= dataSize + 1; dataLen++) {
        for (let bioOff = 0; bioOff <= total + 1; bioOff++) {
          agree(origin, 40, { dataPtr, dataSize, dataOff, dataLen, pieces, bioOff });
          count++;
        }
      }
    }
  }
  assert.ok(count > 50_000, String(count));
});

test('pieces may overlap the data and each other', () => {
  const origin = PTR + 0x1000;
  for (let round = 0; round < 30_000; round++) {
    const dataSize = 1 + prng.below(20);
    const pieces = Array.from({ length: prng.below(4) }, () => ({ ptr: origin + prng.below(32), len: prng.below(9) }));
    const dataOff = prng.below(dataSize + 1);
    agree(origin, 48, {
      dataPtr: origin + prng.below(16),
      dataSize,
      dataOff,
      dataLen: prng.below(dataSize - dataOff + 1),
      pieces,
      bioOff: prng.below(10),
    });
  }
});

test('data and pieces may end at 4 GiB, and not behind it', () => {
  const origin = MEMORY_SIZE - 200;
  for (let len = 0; len <= 60; len++) {
    agree(origin, 200, {
      dataPtr: MEMORY_SIZE - 100,
      dataSize: 100,
      dataOff: 100 - len,
      dataLen: len,
      pieces: [{ ptr: origin, len: 64 }],
      bioOff: 4,
    });
    agree(origin, 200, { dataPtr: origin, dataSize: 64, dataOff: 4, dataLen: len, pieces: [{ ptr: MEMORY_SIZE - len, len }], bioOff: 0 });
  }
  const before = bytes.slice(origin, origin + 200);
  const low = bytes.slice(0, 64);
  for (const call of [core.copyToBio, core.copyFromBio]) {
    writeTable([
      { ptr: origin, len: 10 },
      { ptr: MEMORY_SIZE - 10, len: 11 },
    ]);
    assert.is(call(origin, 100, 0, 21, TABLE, 2, 0), EINVAL);
    assert.is(call(origin, 100, 0, 20, TABLE, 2, 0), 20);
    bytes.set(before, origin);
    writeTable([{ ptr: 0xffffffff, len: 0xffffffff }]);
    assert.is(call(origin, 100, 0, 2, TABLE, 1, 0), EINVAL);
    assert.is(call(MEMORY_SIZE - 10, 11, 0, 1, TABLE, 1, 0), EINVAL);
    assert.equal(bytes.slice(origin, origin + 200), before);
    assert.equal(bytes.slice(0, 64), low);
  }
});

test('lengths near 2^32 are compared, never added', () => {
  writeTable([{ ptr: PTR + 0x1000, len: 16 }]);
  for (const call of [core.copyToBio, core.copyFromBio]) {
    for (const [dataOff, dataLen] of [
      [0, 0xffffffff],
      [0xffffffff, 1],
      [1, 0xffffffff],
      [8, 0xfffffff8],
      [0x80000000, 0x80000000],
    ] as const) {
      assert.is(call(PTR + 0x1000, 16, dataOff, dataLen, TABLE, 1, 0), EINVAL);
    }
    for (const bioOff of [16, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1]) assert.is(call(PTR + 0x1000, 16, 0, 1, TABLE, 1, bioOff), EIO);
    for (const bioOff of [-1, NaN, Infinity, 2 ** 53]) assert.is(call(PTR + 0x1000, 16, 0, 1, TABLE, 1, bioOff), EINVAL);
  }
});

test('a bio may be longer than any memory', () => {
  const pieces = Array.from({ length: 5 }, () => ({ ptr: 0, len: 0xffffffff }));
  pieces.push({ ptr: PTR + 0x2000, len: 8 });
  writeTable(pieces);
  assert.is(core.bvecLen(TABLE, pieces.length), 5 * 0xffffffff + 8);
  bytes.set([1, 2, 3, 4], PTR + 0x1000);
  bytes.fill(0, PTR + 0x2000, PTR + 0x2008);
  assert.is(core.copyToBio(PTR + 0x1000, 4, 0, 4, TABLE, pieces.length, 5 * 0xffffffff + 3), 4);
  assert.equal([...bytes.subarray(PTR + 0x2000, PTR + 0x2008)], [0, 0, 0, 1, 2, 3, 4, 0]);
  assert.is(core.copyToBio(PTR + 0x1000, 4, 0, 4, TABLE, pieces.length, 5 * 0xffffffff + 5), EIO);
});

test('while the fault counter is not zero no copy is called good', () => {
  writeTable([{ ptr: PTR + 0x2000, len: 8 }]);
  for (const count of [1, 2, 0x80000000, 0xffffffff]) {
    view.setUint32(FAULTS, count, true);
    assert.is(core.faultCount(), count);
    assert.is(core.copyToBio(PTR + 0x1000, 8, 0, 8, TABLE, 1, 0), EFAULT);
    assert.is(core.copyFromBio(PTR + 0x1000, 8, 0, 8, TABLE, 1, 0), EFAULT);
    assert.is(core.copyFromBio(PTR + 0x1000, 8, 0, 9, TABLE, 1, 0), EINVAL);
  }
  view.setUint32(FAULTS, 0, true);
  assert.is(core.copyToBio(PTR + 0x1000, 8, 0, 8, TABLE, 1, 0), 8);
});

test("a segment's data is what its metadata leaves", () => {
  assert.is(core.segmentDataSize(2 ** 24, 16384), 2 ** 24 - 16384);
  assert.is(core.segmentDataSize(2 ** 30, 1), 2 ** 30 - 1);
  assert.ok(traps(() => core.segmentDataSize(16384, 16384)));
});
