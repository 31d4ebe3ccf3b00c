/**
 * Scenarios for processes that may die: run as `node child.js SCENARIO WORLD PATH ADDON`. Each prints `{"steps":n}` when everything held.
 */
import { closeSync, openSync, readFileSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import { Bio, checkPool, type Segment } from '../../src/index.js';
import { rejectsCode, throwsCode } from '../kit/pools.js';
import { lost, otherThan, pattern } from './claims.js';
import { stories, type Scenario } from './stories.js';
import { PAGE, worlds, type World } from './world.js';

const [scenario = '', kind = '', path = '', addon = ''] = process.argv.slice(2);
let steps = 0;

/** One of the bytes of a linear memory, read by a thread that has nothing but it and the core. */
const BARE = `
  const { workerData: { door, memory, plan, dataPtr, dataSize, off, len, write }, parentPort } = require('node:worker_threads');
  import(door).then(({ instantiateCore }) => {
    const core = instantiateCore(memory);
    const bytes = new Uint8Array(memory.buffer);
    const before = core.faultCount();
    let sum = 0;
    if (write) { for (let i = 0; i < len; i += 64) bytes[dataPtr + off + i] = 7; }
    else for (let i = 0; i < len; i++) sum += bytes[dataPtr + off + i];
    const view = new DataView(memory.buffer);
    view.setUint32(plan.table, plan.target, true);
    view.setUint32(plan.table + 4, len, true);
    const verdict = core.copyToBio(dataPtr, dataSize, off, len, plan.table, 1, 0);
    parentPort.postMessage({ sum, verdict, rose: core.faultCount() > before });
  });`;

/** Starts such a thread on a range; what it said. The bvec table and its target are arena that the caller holds. */
async function bare(
  world: World,
  segment: Segment,
  off: number,
  len: number,
  write: boolean,
): Promise<{ sum: number; verdict: number; rose: boolean }> {
  const { medium, dataSize, superblock } = world.pool.engine;
  const bank = medium.bankOf(segment.id);
  using bio = segment.bio(len);
  const workerData = {
    door: new URL('../../src/core.js', import.meta.url).href,
    memory: bank.memory,
    plan: { table: bio.tablePtr, target: bank.view.getUint32(bio.tablePtr, true) },
    dataPtr: medium.acquire(segment.id, superblock.dataOff + off, len, false) + superblock.dataOff,
    dataSize,
    off,
    len,
    write,
  };
  const worker = new Worker(BARE, { eval: true, workerData });
  const said = await new Promise<{ sum: number; verdict: number; rose: boolean }>((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  );
  await worker.terminate();
  return said;
}

type Way = (world: World, segment: Segment, off: number, len: number) => unknown;

/** Who meets the lost page first. None of them may end the process. */
const ways: Record<string, Way> = {
  wasm(_world, segment, off, len) {
    using bio = segment.bio(100, len - 100);
    lost(segment, off, () => segment.copyToBio(off, len, bio));
  },
  memmove(_world, segment, off, len) {
    lost(segment, off, () => segment.copyToBio(off, len, Bio.from(new Uint8Array(len))));
  },
  crc(_world, segment, off, len) {
    lost(segment, off, () => segment.crc32c(off, len));
  },
  view(_world, segment, off, len) {
    using view = segment.view(off, len);
    assert.is(
      view.bytes.reduce((sum, byte) => sum + byte, 0),
      0,
      'lost bytes read as zeros',
    );
  },
  store(_world, segment, off, len) {
    using view = segment.view(off, len, { write: true });
    for (let i = 0; i < len; i += 8) view.bytes[i] = 5;
    view.bytes.set(pattern(len, 9));
    assert.is(view.bytes[17], pattern(18, 9)[17], 'the store survives in this process, and nowhere else');
    view.bytes.fill(0);
  },
  async worker(world, segment, off, len) {
    const said = await bare(world, segment, off, len, false);
    assert.is(said.sum, 0);
    assert.ok(said.rose && said.verdict < 0, 'a thread that has only memory and core is told too');
  },
  async workerStores(world, segment, off, len) {
    assert.ok((await bare(world, segment, off, len, true)).verdict < 0);
    using view = segment.view(off, len, { write: true });
    view.bytes.fill(0);
  },
  async together(world, segment, off, len) {
    const others = [bare(world, segment, off, len, false), bare(world, segment, off, len, false)];
    lost(segment, off, () => segment.read(new Uint8Array(len), off));
    for (const { verdict, sum } of await Promise.all(others)) assert.ok(verdict < 0 && sum === 0);
  },
  kernelReads(_world, segment, off, len) {
    // Elsewhere, where there is room.
    const other = join(tmpdir(), `pmseg-faults-${process.pid}`);
    const fd = openSync(other, 'w');
    unlinkSync(other);
    using view = segment.view(off, len);
    const error = lost(segment, off, () => view.use((bytes) => writeSync(fd, bytes)));
    assert.ok(error);
    closeSync(fd);
  },
  kernelWrites(_world, segment, off, len) {
    const fd = openSync('/dev/zero', 'r');
    using view = segment.view(off, len, { write: true });
    lost(segment, off, () => view.use((bytes) => readSync(fd, bytes)));
    closeSync(fd);
  },
  async kernelLater(_world, segment, off, len) {
    using view = segment.view(off, len);
    const read = view.use(async (bytes) => {
      await Promise.resolve();
      return Buffer.from(bytes).length;
    });
    await rejectsCode('ERR_PMSEG_MEDIA', read);
  },
  async prefetch(world, segment, off, len) {
    await rejectsCode('ERR_PMSEG_MEDIA', segment.prefetch(off, len));
    assert.is(world.pool.status().badRanges.length, 1, 'what a prefetch met is on record');
  },
  source(world, segment, off, len) {
    // Bytes of a lost page as the source of a store elsewhere: an error, not zeros that pass for data.
    const other = otherThan(world, segment);
    using view = segment.view(off, len);
    const error = throwsCode('ERR_PMSEG_MEDIA', () => other.write(view.bytes, 0));
    assert.is(error['offset'], world.pool.engine.poolOff(segment.id, off), String(error));
    throwsCode('ERR_PMSEG_MEDIA', () => other.write(view.bytes, 0), 'and every time');
    throwsCode('ERR_PMSEG_MEDIA', () => world.pool.put('from a lost page', view.bytes));
    assert.not(world.pool.catalog.entries.has('from a lost page'));
  },
};

/** All that must be refused until the repair, twice. */
async function refused(segment: Segment, off: number, len: number): Promise<void> {
  for (let round = 0; round < 2; round++) {
    lost(segment, off, () => segment.read(new Uint8Array(len), off));
    using bio = segment.bio(len);
    lost(segment, off, () => segment.copyToBio(off, len, bio));
    lost(segment, off, () => segment.copyFromBio(off, len, bio));
    lost(segment, off, () => segment.copyFromBio(off, len, bio, 0, { persist: true }));
    lost(segment, off, () => segment.write(new Uint8Array(len), off));
    lost(segment, off, () => segment.crc32c(off, len));
    lost(segment, off, () => segment.flush(off, len));
    lost(segment, off, () => segment.persist(off, len));
    await rejectsCode('ERR_PMSEG_MEDIA', segment.persistAsync(off, len));
    lost(segment, off, () => segment.verify());
    using view = segment.view(off, len);
    assert.ok(view.bytes.every((byte) => byte === 0));
    lost(segment, off, () => view.use((bytes) => bytes[0]));
    steps += 12;
  }
}

function listed(world: World, segment: Segment, off: number, len: number): void {
  const poolOff = world.pool.engine.poolOff(segment.id, off);
  const covers = world.pool.status().badRanges.some((range) => range.off <= poolOff && range.off + range.len >= poolOff + len);
  assert.ok(covers, `status lists ${poolOff}+${len}: ${JSON.stringify(world.pool.status().badRanges)}`);
  const { findings } = checkPool(world.pool);
  assert.ok(
    findings.some(({ code, severity, segmentId }) => code === 'BAD_RANGE' && severity === 'damage' && segmentId === segment.id),
    JSON.stringify(findings),
  );
  steps += 2;
}

/** The page before the lost one is as good as ever. */
function neighbours(world: World, segment: Segment, off: number, content: Uint8Array): void {
  const before = Buffer.alloc(PAGE);
  segment.read(before, off - PAGE);
  assert.is(Buffer.compare(before, content.subarray(off - PAGE, off)), 0, 'the neighbour is what it was');
  // Where a store is durable on return, a barrier comes with it, and that one notices a file that is no more what it was.
  if (!world.drains && world.pool.status().granularity !== 'page') return;
  const bytes = pattern(PAGE, 77);
  segment.write(bytes, off - PAGE);
  if (world.drains) segment.persist(off - PAGE, PAGE);
  segment.read(before, off - PAGE);
  assert.is(Buffer.compare(before, bytes), 0, 'and takes what it is given');
  content.set(bytes, off - PAGE);
  steps += 2;
}

async function mended(world: World, segment: Segment, off: number, len: number, content: Uint8Array): Promise<void> {
  if (world.early) {
    for (const range of world.pool.status().badRanges) throwsCode(world.early, () => world.pool.repair(range), 'a repair too early');
    lost(segment, off, () => segment.read(Buffer.alloc(len), off));
    assert.not(world.pool.status().halted);
  }
  const epoch = world.pool.engine.ledger.repairs;
  world.restore();
  for (const range of world.pool.status().badRanges) world.pool.repair(range);
  assert.equal(world.pool.status().badRanges, []);
  assert.ok(world.pool.engine.ledger.repairs > epoch);
  const read = Buffer.alloc(len);
  segment.read(read, off);
  const want = world.after === 'kept' ? content.subarray(off, off + len) : new Uint8Array(len);
  assert.is(Buffer.compare(read, want), 0, `after a repair: ${world.after}`);
  const bytes = pattern(segment.dataSize, steps);
  segment.write(bytes, 0);
  segment.persist();
  await segment.persistAsync();
  world.pool.drain();
  content.set(bytes);
  const all = Buffer.alloc(content.byteLength);
  segment.read(all, 0);
  assert.is(Buffer.compare(all, content), 0, 'what is stored after a repair is there');
  segment.verify();
  steps += 5;
}

const scenarios: Record<string, Scenario> = {
  /** Each way to meet a lost page, one after another, each followed by everything that must then be refused, and by a repair. */
  async all(world) {
    const { pool } = world;
    const isFull = kind === 'full';
    const [first, second] = [pool.allocate(), pool.allocate()];
    const segment = kind.startsWith('truncated') ? second : first;
    const size = segment.dataSize;
    let hugeKib = 0;
    for (const [name, way] of Object.entries(ways)) {
      process.stderr.write(`${name}\n`);
      const [off, len] = [world.lostOff, 2 * PAGE];
      const content = pattern(size, steps);
      if (isFull) world.restore();
      segment.write(content, 0);
      otherThan(world, segment).write(content.subarray(0, len), 0);
      world.pool.drain();
      if (kind === 'truncatedHuge') {
        segment.crc32c();
        hugeKib = Math.max(
          hugeKib,
          ...[...readFileSync('/proc/self/smaps', 'utf8').matchAll(/^ShmemPmdMapped: +(\d+)/gm)].map(([, kib]) => Number(kib)),
        );
      }
      world.lose(segment, off, len);
      await way(world, segment, off, len);
      if (name !== 'source') await refused(segment, off, len);
      listed(world, segment, off, PAGE);
      neighbours(world, segment, off, content);
      await mended(world, segment, off, len, content);
      steps++;
    }
    return { hugeKib };
  },
};

const make = worlds[kind];
const run = { ...scenarios, ...stories }[scenario];
if (!make || !run) throw new Error(`no ${scenario} in ${kind}`);
const world = make(path, addon);
const said = await run(world);
if (!world.pool.closed) world.pool.close();
writeSync(1, JSON.stringify({ steps, ...said }));
process.exit(0);
