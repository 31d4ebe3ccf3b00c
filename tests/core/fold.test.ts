/**
 * Goal: the folded CRC is the CRC, at every length and place, and touches nothing but its bytes and its own scratch.
 * Method: the relations are checked as polynomials; a model that folds byte by byte and bit by bit is held against the definition; both
 * builds of the core against the definition and each other for all lengths to 6000 at all places in a cache line, and around every turn
 * of the history; memories in which any step outside of the range traps; threads over one memory, each with its scratch.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import * as plan from '../../assembly/plan.js';
import { compileCore, instantiateCore, type Core } from '../../src/core.js';
import { CURSOR_END } from '../../src/scratch.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';

/** What assembly/fold.ts folds with: lags in bytes, and in bits by distance in vectors. */
const FAR = [96, 113, 128, 583, 1049];
const NEAR = [17, 62, 63, 87, 103, 108, 112];
const FINISH = new Map([
  [1, [0, 8, 9, 29, 36, 94, 105]],
  [2, [0, 53, 64, 79, 95, 96, 118]],
  [3, [7, 14, 26, 27, 64, 76, 122]],
  [4, [8, 20, 23, 24, 27, 44, 64]],
  [5, [0, 5, 34, 45, 64, 77, 124]],
]);
const VECTOR = 16;

/** One bit at a time: the definition. */
function definition(crc: number, data: Uint8Array): number {
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return crc >>> 0;
}

/** Registers after 0, 1, … all of the bytes. */
function registers(crc: number, data: Uint8Array): Uint32Array {
  const all = new Uint32Array(data.length + 1);
  all[0] = crc;
  for (let i = 0; i < data.length; i++) all[i + 1] = definition(all[i] as number, data.subarray(i, i + 1));
  return all;
}

/** A message of which only the bits at these places (from the front, lowest bit of a byte first) are set. */
function messageOf(bits: readonly number[]): Uint8Array {
  const message = new Uint8Array(Math.ceil((Math.max(...bits) + 1) / 8));
  for (const bit of bits) message[bit >> 3]! ^= 1 << (bit & 7);
  return message;
}

/** Lets every byte vanish from which all lags stay inside; returns the bytes behind those. */
function foldBytes(message: Uint8Array, lags: readonly number[]): Uint8Array {
  const end = message.length - Math.max(...lags);
  const folded = Uint8Array.from(message);
  for (let i = 0; i < end; i++) for (const lag of lags) folded[i + lag]! ^= folded[i] as number;
  return folded.subarray(Math.max(end, 0));
}

/** Moves all vectors but the last two onto those, bit by bit. */
function foldBits(message: Uint8Array): Uint8Array {
  const folded = Uint8Array.from(message);
  const last = message.length - 2 * VECTOR;
  for (let at = 0; at < last; at += VECTOR) {
    for (let bit = 0; bit < 8 * VECTOR; bit++) {
      if (!(((folded[at + (bit >> 3)] as number) >> (bit & 7)) & 1)) continue;
      for (const lag of FINISH.get((last - at) / VECTOR) as number[]) {
        const to = 8 * last + bit + lag;
        folded[to >> 3]! ^= 1 << (to & 7);
      }
    }
  }
  return folded.subarray(last);
}

/** A small memory with both builds over it: whoever steps past its first or last byte traps. */
function makeWorld(): { memory: WebAssembly.Memory; bytes: Uint8Array; builds: [string, Core][] } {
  const memory = new WebAssembly.Memory({ initial: 1024, maximum: 1024, shared: true });
  const builds: [string, Core][] = [
    ['vectors', instantiateCore(memory, compileCore(true))],
    ['scalar', instantiateCore(memory, compileCore(false))],
  ];
  return { memory, bytes: new Uint8Array(memory.buffer), builds };
}

const PTR = plan.ARENA_PTR;
const PIECE = plan.SCRATCH_SIZE;

if (!isMainThread) {
  // Another thread: the same ranges again and again, in this thread's scratch.
  const { memory, index, expected, gate } = workerData as {
    memory: WebAssembly.Memory;
    index: number;
    expected: number[];
    gate: Int32Array;
  };
  const core = instantiateCore(memory, compileCore(true), plan.SCRATCH_PTR + index * PIECE);
  Atomics.add(gate, 0, 1);
  while (Atomics.load(gate, 0) < 3);
  let wrong = 0;
  for (let round = 0; round < 60_000; round++) {
    const at = round % expected.length;
    if (core.crc32c(index, PTR + at, 10_000) !== core.crc32cCombine(index, expected[at] as number, 10_000)) wrong++;
  }
  parentPort?.postMessage(wrong);
} else {
  const test = suite('core/fold');
  const prng = new Prng();
  const { memory, bytes, builds } = makeWorld();
  const END = bytes.length;
  let compared = 0;

  const same = (found: number, expected: number, ...what: (string | number)[]): void => {
    compared++;
    if (found !== expected) assert.is(found, expected, what.join(', '));
  };

  test('every relation is a multiple of the polynomial: as a message it leaves register 0 as it is', () => {
    for (const lags of [FAR, NEAR]) assert.is(definition(0, messageOf([0, ...lags.map((lag) => 8 * lag)])), 0, `${lags}`);
    for (const [distance, lags] of FINISH)
      assert.is(definition(0, messageOf([0, ...lags.map((lag) => 128 * distance + lag)])), 0, `${distance}: ${lags}`);
    assert.is.not(definition(0, messageOf([0, ...NEAR.map((lag) => 8 * lag + (lag === 62 ? 8 : 0))])), 0);
  });

  test('folding byte by byte, then bit by bit, leaves the CRC as it is', () => {
    for (let round = 0; round < 60; round++) {
      const message = prng.bytes(7 * VECTOR + prng.below(4000));
      const seed = prng.next();
      const seeded = Uint8Array.from(message);
      for (let i = 0; i < 4; i++) seeded[i]! ^= seed >>> (8 * i);
      const far = foldBytes(seeded, FAR);
      const near = foldBytes(far, NEAR);
      assert.is(near.length, 7 * VECTOR);
      const last = foldBits(near);
      assert.is(last.length, 2 * VECTOR);
      assert.is(definition(0, last), definition(seed, message));
    }
  });

  test('every length to 6000 at every place in a cache line agrees with the definition', () => {
    const data = prng.bytes(6064);
    bytes.set(data, PTR);
    for (let align = 0; align < 64; align++) {
      const seed = align < 2 ? -align >>> 0 : prng.next();
      const expected = registers(seed, data.subarray(align, align + 6000));
      for (const [name, core] of builds)
        for (let len = 0; len <= 6000; len++) same(core.crc32c(seed, PTR + align, len), expected[len] as number, name, align, len);
    }
  });

  test('around every turn of the history, for many turns, agrees with the definition', () => {
    const data = prng.bytes(60_000);
    bytes.set(data, PTR);
    const [seed, align] = [prng.next(), prng.below(64)];
    const expected = registers(seed, data.subarray(align));
    for (const [name, core] of builds) {
      for (let len = 9000; len < 10_000; len++) same(core.crc32c(seed, PTR + align, len), expected[len] as number, name, len);
      for (let len = 17_000; len < 18_500; len++) same(core.crc32c(seed, PTR + align, len), expected[len] as number, name, len);
      for (let round = 0; round < 500; round++) {
        const len = prng.below(59_900);
        same(core.crc32c(seed, PTR + align, len), expected[len] as number, name, len);
      }
    }
  });

  test('ranges of megabytes, and any split of them, are what the scalar build says they are', () => {
    const vectors = builds[0]![1];
    const scalar = builds[1]![1];
    const size = 0x1000000;
    const words = new Uint32Array(memory.buffer, PTR, size / 4);
    for (let i = 0; i < words.length; i++) words[i] = prng.next();
    for (let round = 0; round < 40; round++) {
      const [seed, off] = [prng.next(), prng.below(64)];
      const len = round === 0 ? size - off : prng.below(2 ** (10 + prng.below(14)));
      const expected = scalar.crc32c(seed, PTR + off, len);
      same(vectors.crc32c(seed, PTR + off, len), expected, len);
      const cut = prng.below(len + 1);
      same(vectors.crc32c(vectors.crc32c(seed, PTR + off, cut), PTR + off + cut, len - cut), expected, len, cut);
      same(vectors.crc32cCombine(vectors.crc32c(seed, PTR + off, cut), vectors.crc32c(0, PTR + off + cut, len - cut), len - cut), expected);
      same(vectors.crc32cStandard(~seed >>> 0, PTR + off, len), ~expected >>> 0, len);
    }
  });

  test('nothing before or behind the range is read: at both ends of a memory no length traps', () => {
    const data = prng.bytes(6000);
    const backwards = Uint8Array.from(data).reverse();
    for (const [name, core] of builds) {
      bytes.set(data, END - data.length);
      for (let len = 0; len <= 6000; len++) {
        const [at, half] = [END - len, len >> 1];
        const joined = core.crc32cCombine(core.crc32c(5, at, half), core.crc32c(0, at + half, len - half), len - half);
        same(core.crc32c(5, at, len), joined, name, len);
      }
      for (let len = 0; len <= 6000; len += 1 + prng.below(16)) {
        const head = bytes.slice(0, len);
        same(core.crc32c(5, 0, len), definition(5, head), name, len);
        bytes.set(backwards, PTR);
        const expected = core.crc32c(7, PTR, len);
        same(core.crc32cCopy(7, END - len, PTR, len), expected, name, len);
        same(core.crc32cCopy(7, PTR + 0x10000, END - len, len), expected, name, len);
      }
    }
  });

  test('a copy is the bytes and their register, for every length to 6000 at all places, and no byte more', () => {
    const data = prng.bytes(6100);
    const dst = PTR + 0x20000;
    const ring = 96;
    for (const [name, core] of builds) {
      bytes.set(data, PTR);
      for (let round = 0; round < 4; round++) {
        for (let len = 0; len <= 6000; len++) {
          const [from, to, seed] = [prng.below(64), prng.below(64), prng.next()];
          bytes.fill(0xee, dst, dst + to + len + ring);
          same(core.crc32cCopy(seed, dst + to, PTR + from, len), core.crc32c(seed, PTR + from, len), name, from, to, len);
          const found = Buffer.from(memory.buffer, dst + to, len);
          if (Buffer.compare(found, data.subarray(from, from + len)) !== 0) assert.unreachable(`${name}: ${from} to ${to}, ${len} bytes`);
          for (let i = 0; i < to; i++) if (bytes[dst + i] !== 0xee) assert.unreachable(`${name}: a byte before ${to}, ${len}`);
          for (let i = to + len; i < to + len + ring; i++) if (bytes[dst + i] !== 0xee) assert.unreachable(`${name}: a byte behind ${len}`);
        }
      }
      for (const len of [9216, 9217, 17_500, 65_536, 1_000_003]) {
        const [from, to] = [PTR + prng.below(64), PTR + 0x200000 + prng.below(64)];
        bytes.set(prng.bytes(len), from);
        same(core.crc32cCopy(1, to, from, len), core.crc32c(1, from, len), name, len);
        assert.is(Buffer.compare(Buffer.from(memory.buffer, to, len), Buffer.from(memory.buffer, from, len)), 0);
      }
    }
  });

  test("a call finds its scratch in any state, and writes nowhere but into the core's part of its own piece", () => {
    const index = 3;
    const core = instantiateCore(memory, compileCore(true), plan.SCRATCH_PTR + index * PIECE);
    const scratch = bytes.subarray(plan.SCRATCH_PTR, plan.SCRATCH_PTR + plan.SCRATCH_COUNT * PIECE);
    const ownBegin = index * PIECE + plan.SCRATCH_CORE_OFF;
    bytes.set(prng.bytes(20_000), PTR);
    for (const len of [112, 116, 500, 2051, 2052, 5000, 20_000]) {
      const fill = prng.below(256);
      scratch.fill(fill);
      same(core.crc32c(9, PTR, len), definition(9, bytes.slice(PTR, PTR + len)), len);
      same(core.crc32cCopy(9, PTR + 0x10000, PTR, len), definition(9, bytes.slice(PTR, PTR + len)), len);
      for (let i = 0; i < scratch.length; i++)
        if (scratch[i] !== fill && (i < ownBegin || i >= ownBegin + plan.SCRATCH_CORE_SIZE)) assert.unreachable(`${i} after ${len} bytes`);
    }
    scratch.fill(0);
  });

  test("the host's part of a piece of scratch ends before the core's", () => {
    assert.ok(CURSOR_END <= plan.SCRATCH_CORE_OFF);
  });

  test('three threads over one memory, each in its own scratch, do not disturb each other', async () => {
    bytes.set(prng.bytes(12_000), PTR);
    const expected = Array.from({ length: 100 }, (_, at) => builds[1]![1].crc32c(0, PTR + at, 10_000));
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const wrong = await Promise.all(
      [1, 2, 3].map(
        (index) =>
          new Promise((resolve, reject) =>
            new Worker(new URL(import.meta.url), { workerData: { memory, index, expected, gate } })
              .once('message', resolve)
              .once('error', reject),
          ),
      ),
    );
    assert.equal(wrong, [0, 0, 0]);
    console.log(`NOTE core/fold: ${compared} CRCs compared, and 180000 more in threads`);
  });
}
