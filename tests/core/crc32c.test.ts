/**
 * Goal: every form of the CRC gives the value that its definition gives, for every length, place, split and seed.
 * Method: published vectors; all lengths to 600 at all alignments against the bit-by-bit definition; the last bytes of a full memory;
 * random splits; joins whose second part is longer than any memory, by induction over doublings.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';
import { bytes, core, crcByDefinition, MEMORY_SIZE, PTR, traps } from './world.js';

const test = suite('core/crc32c');
const prng = new Prng();

function put(data: ArrayLike<number>, ptr = PTR): number {
  bytes.set(data, ptr);
  return data.length;
}

const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);
const PDU = Uint8Array.from(
  { length: 48 },
  (_, i) => ({ 0: 0x01, 1: 0xc0, 16: 0x14, 22: 0x04, 27: 0x14, 31: 0x18, 32: 0x28, 40: 0x02 })[i] ?? 0,
);
const VECTORS: [string, ArrayLike<number>, number][] = [
  ['32 bytes of zeros (RFC 3720)', new Uint8Array(32), 0x8a9136aa],
  ['32 bytes of ones (RFC 3720)', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['32 ascending bytes (RFC 3720)', ascending, 0x46dd794e],
  ['32 descending bytes (RFC 3720)', ascending.slice().reverse(), 0x113fdb5c],
  ['an iSCSI read command (RFC 3720)', PDU, 0xd9963a56],
  ['"123456789"', Buffer.from('123456789'), 0xe3069283],
  ['nothing', [], 0],
];
for (const [title, data, crc] of VECTORS) {
  test(`the standard CRC of ${title} is the published one`, () => {
    assert.is(core.crc32cStandard(0, PTR, put(data)), crc);
  });
}

const SEEDED: [string, ArrayLike<number>, number][] = [
  ['"123456789"', Buffer.from('123456789'), 0xe5868ab2],
  ['12 zeros', new Uint8Array(12), 0x5f840b80],
  ['20 zeros', new Uint8Array(20), 0xb9b69066],
  ['24 zeros', new Uint8Array(24), 0x5ba6439a],
];
for (const [title, data, crc] of SEEDED) {
  test(`the seeded register after ${title} is dm-pcache's`, () => {
    assert.is(core.crc32c(media.CRC_SEED, PTR, put(data)), crc);
  });
}

test('every length to 600 at every alignment agrees with the definition', () => {
  const data = prng.bytes(616);
  put(data);
  for (const seed of [0, media.CRC_SEED, 0xffffffff]) {
    for (let align = 0; align < 16; align++) {
      let expected = seed;
      for (let len = 0; len <= 600; len++) {
        if (core.crc32c(seed, PTR + align, len) !== expected) assert.unreachable(`seed ${seed}, align ${align}, len ${len}`);
        expected = crcByDefinition(expected, data.subarray(align + len, align + len + 1));
      }
    }
  }
});

test('the last bytes of a 4 GiB memory are covered, and nothing after them is read', () => {
  const tail = prng.bytes(200);
  put(tail, MEMORY_SIZE - tail.length);
  for (let len = 0; len <= tail.length; len++) {
    assert.is(core.crc32c(1, MEMORY_SIZE - len, len), crcByDefinition(1, tail.subarray(tail.length - len)));
  }
});

test('any split streams to the same value, raw and standard', () => {
  for (let round = 0; round < 500; round++) {
    const data = prng.bytes(prng.below(3000));
    put(data);
    const [a, b] = [prng.below(data.length + 1), prng.below(data.length + 1)].sort((x, y) => x - y) as [number, number];
    const seed = prng.next();
    const raw = core.crc32c(core.crc32c(core.crc32c(seed, PTR, a), PTR + a, b - a), PTR + b, data.length - b);
    assert.is(raw, core.crc32c(seed, PTR, data.length));
    const standard = core.crc32cStandard(core.crc32cStandard(0, PTR, a), PTR + a, data.length - a);
    assert.is(standard, core.crc32cStandard(0, PTR, data.length));
  }
});

test('the CRCs of two parts join to that of the whole, raw and standard', () => {
  for (let round = 0; round < 2000; round++) {
    const data = prng.bytes(prng.below(600));
    put(data);
    const lenA = prng.below(data.length + 1);
    const lenB = data.length - lenA;
    assert.is(
      core.crc32cCombine(core.crc32cStandard(0, PTR, lenA), core.crc32cStandard(0, PTR + lenA, lenB), lenB),
      core.crc32cStandard(0, PTR, data.length),
    );
    const seed = prng.next();
    assert.is(
      core.crc32cCombine(core.crc32c(seed, PTR, lenA), core.crc32c(0, PTR + lenA, lenB), lenB),
      core.crc32c(seed, PTR, data.length),
    );
  }
});

test('parts longer than any memory join: each doubling up to 2^53 is two of the one before', () => {
  bytes.fill(0, PTR, PTR + 256);
  for (let round = 0; round < 20; round++) {
    const crc = prng.next();
    for (let len = 0; len <= 256; len++) assert.is(core.crc32cCombine(crc, 0, len), core.crc32c(crc, PTR, len));
    for (let len = 256; len <= 2 ** 53; len *= 2) {
      const odd = prng.below(256);
      if (len < 2 ** 53)
        assert.is(core.crc32cCombine(crc, 0, len + odd), core.crc32cCombine(core.crc32cCombine(crc, 0, len), 0, odd), `${len} + ${odd}`);
      assert.is(core.crc32cCombine(crc, 0, len), core.crc32cCombine(core.crc32cCombine(crc, 0, len / 2), 0, len / 2), `${len}`);
    }
  }
  for (const len of [-1, 0.5, NaN, Infinity, 2 ** 54])
    assert.ok(
      traps(() => core.crc32cCombine(1, 2, len)),
      `${len}`,
    );
});

test('a copy moves exactly its bytes and returns the register over what it stored', () => {
  const dst = PTR + 0x100000;
  for (const len of [0, 1, 7, 8, 15, 16, 4095, 4096, 4097, 8192, 10000, 100_001]) {
    const data = prng.bytes(len);
    put(data);
    bytes.fill(0xee, dst - 16, dst + len + 16);
    const seed = prng.next();
    assert.is(core.crc32cCopy(seed, dst, PTR, len), core.crc32c(seed, PTR, len), `${len}`);
    assert.is(Buffer.compare(bytes.slice(dst, dst + len), data), 0, `${len}`);
    for (let i = 1; i <= 16; i++) assert.is(bytes[dst - i], 0xee);
    for (let i = 0; i < 16; i++) assert.is(bytes[dst + len + i], 0xee);
  }
  const tail = MEMORY_SIZE - 5000;
  assert.is(core.crc32cCopy(3, tail, PTR, 5000), core.crc32c(3, PTR, 5000));
  assert.is(core.crc32cCopy(3, PTR, tail, 5000), core.crc32c(3, PTR, 5000));
});

test('a copy of ranges that overlap is refused; ranges that touch are not', () => {
  for (const distance of [-99, -1, 0, 1, 99])
    assert.ok(
      traps(() => core.crc32cCopy(0, PTR + 1000 + distance, PTR + 1000, 100)),
      `${distance}`,
    );
  for (const distance of [-100, 100]) core.crc32cCopy(0, PTR + 1000 + distance, PTR + 1000, 100);
  core.crc32cCopy(0, PTR, PTR, 0);
});
