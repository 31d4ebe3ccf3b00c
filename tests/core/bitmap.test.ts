/**
 * Goal: a bit is taken by one caller only, the lowest free one first, and no call touches a bit that is not its own.
 * Method: a model of booleans beside random calls; every count from 0 to 70; threads that take from one bitmap until it is full.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import * as plan from '../../assembly/plan.js';
import { instantiateCore } from '../../src/core.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';

const COUNT = 100_003;

if (!isMainThread) {
  const core = instantiateCore(workerData as WebAssembly.Memory);
  const taken: number[] = [];
  for (let index = core.bitmapTake(plan.BITMAP_PTR, COUNT); index >= 0; index = core.bitmapTake(plan.BITMAP_PTR, COUNT)) taken.push(index);
  parentPort?.postMessage(taken);
} else {
  const { bytes, core, memory, PTR, traps } = await import('./world.js');
  const test = suite('core/bitmap');

  test('random calls agree with an array of booleans', () => {
    const prng = new Prng();
    const model = new Array<boolean>(300).fill(false);
    bytes.fill(0, PTR, PTR + 64);
    for (let round = 0; round < 20_000; round++) {
      const index = prng.below(model.length);
      const count = prng.below(model.length + 1);
      switch (prng.below(5)) {
        case 0:
          assert.is(core.bitmapSet(PTR, index), !model[index]);
          model[index] = true;
          break;
        case 1:
          assert.is(core.bitmapClear(PTR, index), model[index]);
          model[index] = false;
          break;
        case 2: {
          const lowest = model.slice(0, count).indexOf(false);
          assert.is(core.bitmapTake(PTR, count), lowest);
          if (lowest >= 0) model[lowest] = true;
          break;
        }
        case 3:
          assert.is(core.bitmapCount(PTR, count), model.slice(0, count).filter(Boolean).length);
          break;
        default:
          assert.is(core.bitmapTest(PTR, index), model[index]);
      }
    }
  });

  test('a bitmap of any count gives each index once, in order, and no bit after the last', () => {
    for (let count = 0; count <= 70; count++) {
      bytes.fill(0, PTR, PTR + 16);
      for (let index = 0; index < count; index++) assert.is(core.bitmapTake(PTR, count), index);
      assert.is(core.bitmapTake(PTR, count), -1);
      assert.is(core.bitmapCount(PTR, count), count);
      assert.is(core.bitmapCount(PTR, 128), count);
    }
  });

  test("counts and indices above the largest pool are the caller's mistake", () => {
    const limit = plan.BITMAP_SIZE * 8;
    assert.ok(traps(() => core.bitmapTake(PTR, limit + 1)));
    assert.ok(traps(() => core.bitmapCount(PTR, limit + 1)));
    for (const call of [core.bitmapSet, core.bitmapClear, core.bitmapTest]) assert.ok(traps(() => call(PTR, limit)));
  });

  test('threads that take from one bitmap never get the same bit', async () => {
    const workers = Array.from({ length: 4 }, () => new Worker(new URL(import.meta.url), { workerData: memory }));
    const taken = await Promise.all(
      workers.map((worker) => new Promise<number[]>((resolve, reject) => worker.once('message', resolve).once('error', reject))),
    );
    const all = taken.flat();
    assert.is(all.length, COUNT);
    assert.is(new Set(all).size, COUNT);
    assert.is(core.bitmapCount(plan.BITMAP_PTR, COUNT + 29), COUNT);
  });
}
