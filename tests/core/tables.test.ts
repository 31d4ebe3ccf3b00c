/**
 * Goal: the CRC's tables are built once per memory, before anybody uses them, whoever comes first and whoever dies in between.
 * Method: instances on one memory one after the other; threads that all begin at once; a builder that never ends its work.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import * as plan from '../../assembly/plan.js';
import { instantiateCore } from '../../src/core.js';
import { suite } from '../kit/suite.js';

const TEXT = Buffer.from('123456789');
const CHECK = 0xe3069283;
const TEXT_PTR = plan.SCRATCH_PTR;
const GUARD = (plan.STATE_PTR + plan.STATE_TABLES_OFF) / 4;

function freshMemory(): WebAssembly.Memory {
  const memory = new WebAssembly.Memory({ initial: 1024, maximum: 1024, shared: true });
  new Uint8Array(memory.buffer).set(TEXT, TEXT_PTR);
  return memory;
}

if (!isMainThread) {
  const { memories, gate } = workerData as { memories: WebAssembly.Memory[]; gate: Int32Array };
  let wrong = 0;
  instantiateCore(freshMemory());
  Atomics.add(gate, 0, 1);
  while (Atomics.load(gate, 0) < 4);
  for (const memory of memories) {
    if (instantiateCore(memory).crc32cStandard(0, TEXT_PTR, TEXT.length) !== CHECK) wrong++;
  }
  parentPort?.postMessage(wrong);
} else {
  const test = suite('core/tables');

  test('a second instance finds the tables and leaves them alone', () => {
    const memory = freshMemory();
    const words = new Uint32Array(memory.buffer);
    instantiateCore(memory);
    assert.is(words[GUARD], 2);
    const index = plan.TABLES_PTR / 4 + 77;
    words[index] = 0x12345678;
    instantiateCore(memory);
    assert.is(words[index], 0x12345678);
  });

  test('tables stay inside their place', () => {
    const memory = freshMemory();
    const bytes = new Uint8Array(memory.buffer);
    instantiateCore(memory);
    assert.ok(bytes.subarray(0, plan.TABLES_PTR).every((byte) => byte === 0));
    assert.ok(bytes.subarray(plan.TABLES_PTR + plan.TABLES_SIZE, plan.STATE_PTR).every((byte) => byte === 0));
  });

  test('a builder that was ended half-way does not stop the next one', () => {
    const memory = freshMemory();
    new Uint32Array(memory.buffer)[GUARD] = 1;
    assert.is(instantiateCore(memory).crc32cStandard(0, TEXT_PTR, TEXT.length), CHECK);
  });

  test('four threads that begin at once all compute right', async () => {
    const memories = Array.from({ length: 50 }, freshMemory);
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const workers = Array.from({ length: 4 }, () => new Worker(new URL(import.meta.url), { workerData: { memories, gate } }));
    const wrong = await Promise.all(
      workers.map((worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))),
    );
    assert.equal(wrong, [0, 0, 0, 0]);
  });
}
