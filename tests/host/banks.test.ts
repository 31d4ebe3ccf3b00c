/**
 * Goal: a pool of many banks is opened at once, touches nothing it need not, and its last byte is as good as its first.
 * Method: sparse pools of 1 TiB on a disk file system and on tmpfs; the last segments are reached by marking all others as taken in the
 * shared bitmap, which is what an allocation looks at.
 */
import { closeSync, existsSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import * as plan from '../../assembly/plan.js';
import { Bio, Pool, type Segment } from '../../src/index.js';
import { planWindows } from '../../src/medium/plan.js';
import { Bank } from '../../src/bank.js';
import { NativeFile } from '../../src/medium/poolfile.js';
import { native, nativeUnavailable, type Native } from '../../src/native.js';
import { MIB, temporaryFolder } from '../kit/pools.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';

const test = suite('banks');
const prng = new Prng();
const GIB = 2 ** 30;
const TIB = 2 ** 40;

/** Marks segments [0, id) as taken, in this pool object only, so that the next allocation gets `id`. */
function skipTo(pool: Pool, id: number): void {
  const { core } = pool.engine.bank;
  for (let i = 0; i < id; i++) core.bitmapSet(plan.BITMAP_PTR, i);
}

/** Bytes that the file really has. */
const blocksOf = (path: string): number => statSync(path).blocks * 512;

/** Flips a bit of a file, behind everybody's back. */
function flip(path: string, off: number): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, off);
  byte[0]! ^= 1;
  writeSync(fd, byte, 0, 1, off);
  closeSync(fd);
}

function fill(segment: Segment, off: number, len: number): Uint8Array {
  const data = prng.bytes(len);
  segment.write(data, off);
  return data;
}

function assertHolds(segment: Segment, off: number, data: Uint8Array): void {
  const read = Buffer.alloc(data.byteLength);
  segment.read(read, off);
  assert.is(Buffer.compare(read, data), 0, `segment ${segment.id} at ${off}`);
}

test('windows hold whole segments, all of them, and end inside their bank', () => {
  for (let segmentSize = MIB; segmentSize <= GIB; segmentSize *= 2) {
    for (const segmentCount of [1, 2, 3, 4, 1000, Math.min(2 ** 20, TIB / segmentSize)]) {
      const { segmentsPerBank, bankCount } = planWindows({ segmentsOff: 2 * MIB, segmentSize, segmentCount });
      assert.ok(segmentsPerBank >= 1 && bankCount * segmentsPerBank >= segmentCount && (bankCount - 1) * segmentsPerBank < segmentCount);
      assert.ok(plan.WINDOW_PTR_MIN + 2 * MIB + segmentsPerBank * segmentSize <= 2 ** 32);
    }
  }
});

const folders = ['/tmp', '/dev/shm'].filter((folder) => existsSync(folder));
if (!native) test.skip('pools of many banks', `no native shim: ${nativeUnavailable}`);
for (const parent of native ? folders : []) {
  const folder = temporaryFolder(parent);
  let number = 0;
  const newPath = (): string => join(folder, `pool-${number++}`);

  test(`a pool of 1 TiB opens in little time and memory, and touches no data (${parent})`, () => {
    const path = newPath();
    Pool.create(path, { size: TIB, sparse: true }).close();
    const blocks = blocksOf(path);
    const [begin, memory] = [performance.now(), process.memoryUsage.rss()];
    const pool = Pool.open(path);
    const [time, grown] = [performance.now() - begin, process.memoryUsage.rss() - memory];
    assert.is(pool.status().segments.total, 65535);
    assert.ok(pool.engine.medium.banks.length > 250);
    assert.is(blocksOf(path), blocks, 'nothing is written but the superblocks, which have their blocks');
    console.log(
      `NOTE ${parent}: 1 TiB, ${pool.engine.medium.banks.length} banks, opened in ${time.toFixed(0)} ms, ${(grown / MIB).toFixed(1)} MiB`,
    );
    assert.ok(grown < 100 * MIB, `${grown} bytes`);
    pool.close();
    const reader = Pool.open(path, { readOnly: true });
    reader.close();
    assert.is(blocksOf(path), blocks);
  });

  test(`what is cached of 1 TiB is found without asking for every page (${parent})`, () => {
    const path = newPath();
    const pool = Pool.create(path, { size: TIB, sparse: true });
    pool.put('object', prng.bytes(3 * MIB));
    pool.close();
    let asked = 0;
    const shim = native as Native;
    const counting: Native = { ...shim, resident: (...args) => (asked++, shim.resident(...args)) };
    const file = new NativeFile(counting, path, true);
    const begin = performance.now();
    file.dropCache(new Bank(0));
    console.log(`NOTE ${parent}: cache of 1 TiB looked through in ${(performance.now() - begin).toFixed(0)} ms, ${asked} questions`);
    file.close();
    // Halves of halves: twenty to each piece that is cached.
    assert.ok(asked < 1000, `${asked} questions`);
    const again = Pool.open(path, { readOnly: true });
    assert.is(again.get('object').byteLength, 3 * MIB);
    again.close();
  });

  test(`the last segments of 1 TiB are written, persisted and read again (${parent})`, () => {
    const path = newPath();
    const pool = Pool.create(path, { size: TIB, sparse: true, segmentSize: GIB });
    const { total } = pool.status().segments;
    assert.is(total, 1023);
    const ids = [0, 1, 2, 3, total - 1];
    const { segmentsPerBank } = planWindows({ segmentsOff: 2 * MIB, segmentSize: GIB, segmentCount: total });
    assert.is(segmentsPerBank, 3);
    const segments = ids.map((id) => {
      skipTo(pool, id);
      const segment = pool.allocate();
      assert.is(segment.id, id);
      return segment;
    });
    const offs = [0, 12345, GIB / 2 - 7, (segments[0] as Segment).dataSize - 9000];
    const data = segments.map((segment) => offs.map((off) => fill(segment, off, 9000)));
    segments.forEach((segment) => segment.persist(0, 1));
    const check = (list: Segment[]): void =>
      list.forEach((segment, i) => offs.forEach((off, j) => assertHolds(segment, off, data[i]?.[j] as Uint8Array)));
    check(segments);
    assert.ok(blocksOf(path) < 64 * MIB, 'only what was written has blocks');

    // Bios in this bank's arena, in another's, in bank 0's; and straight from segment to segment.
    const last = segments[4] as Segment;
    const first = segments[0] as Segment;
    for (const owner of [first, last, segments[3] as Segment]) {
      const bio = owner.bio(5, 0, 8995);
      last.copyToBio(offs[3] as number, 9000, bio);
      assert.is(Buffer.compare(Buffer.concat(bio.pieces.map((piece) => Uint8Array.from(piece))), data[4]?.[3] as Uint8Array), 0);
      first.copyFromBio(100000, 9000, bio);
      assertHolds(first, 100000, data[4]?.[3] as Uint8Array);
      bio.release();
    }
    const view = last.view(offs[1] as number, 9000);
    first.copyFromBio(200000, 9000, Bio.from(view.bytes));
    view.release();
    assertHolds(first, 200000, data[4]?.[1] as Uint8Array);
    const writable = last.view(last.dataSize - 10, 10, { write: true });
    writable.bytes.fill(7);
    last.persist(last.dataSize - 10, 10);
    writable.release();
    data[4]?.[3]?.fill(7, 8990);
    first.setNext(last);
    pool.close();

    const again = Pool.open(path, { readOnly: true });
    assert.equal(again.findings, []);
    check(ids.map((id) => again.segment(id)));
    assert.equal(
      [...again.segment(0).chain()].map(({ id }) => id),
      [0, total - 1],
    );
    again.close();
  });

  test(`segments on both sides of every bank boundary are neighbours in the file and strangers in memory (${parent})`, async () => {
    const path = newPath();
    const segmentSize = 16 * MIB;
    const { segmentsPerBank } = planWindows({ segmentsOff: 2 * MIB, segmentSize, segmentCount: 1000 });
    const pool = Pool.create(path, { size: 2 * MIB + 3 * segmentsPerBank * segmentSize + 4096, sparse: true, segmentSize });
    assert.is(pool.engine.medium.banks.length, 3);
    const ids = [segmentsPerBank - 1, segmentsPerBank, 2 * segmentsPerBank - 1, 2 * segmentsPerBank];
    const segments = ids.map((id) => {
      skipTo(pool, id);
      return pool.allocate();
    });
    assert.equal(
      segments.map(({ id }) => id),
      ids,
    );
    const { dataSize } = segments[0] as Segment;
    const ends = segments.map((segment) => [fill(segment, 0, 5000), fill(segment, dataSize - 5000, 5000)]);
    await Promise.all(segments.map((segment) => segment.prefetch()));
    segments.forEach((segment, i) => {
      assertHolds(segment, 0, ends[i]?.[0] as Uint8Array);
      assertHolds(segment, dataSize - 5000, ends[i]?.[1] as Uint8Array);
      const bank = pool.engine.medium.bankOf(segment.id);
      assert.is(bank.index, Math.floor(segment.id / segmentsPerBank));
      assert.is(segment.bio(1).bank, bank);
    });
    await (segments[3] as Segment).persistAsync();
    pool.close();
  });

  test(`objects and logs cross banks, and a log's damage is found in any (${parent})`, () => {
    const path = newPath();
    const segmentSize = 16 * MIB;
    const { segmentsPerBank } = planWindows({ segmentsOff: 2 * MIB, segmentSize, segmentCount: 1000 });
    const pool = Pool.create(path, { size: 2 * MIB + (segmentsPerBank + 5) * segmentSize + 4096, sparse: true, segmentSize });
    skipTo(pool, segmentsPerBank - 1);
    const data = prng.bytes(2 * pool.dataSize - 5);
    const { segmentIds } = pool.put('object', data);
    assert.equal(segmentIds, [segmentsPerBank - 1, segmentsPerBank]);
    const log = pool.log('log', { create: true });
    const positions = Array.from({ length: 8 }, (_, i) => {
      const position = log.append(Buffer.alloc(3 * MIB, i));
      log.persist();
      return position;
    });
    const logIds = pool.list().find(({ name }) => name === 'log')?.segmentIds as number[];
    assert.equal(logIds, [segmentsPerBank + 1, segmentsPerBank + 2]);
    const badOff = pool.engine.poolOff(logIds[1] as number, (positions[6] as number) % pool.dataSize) + 1000;
    pool.close();
    for (const [damaged, readOnly] of [
      [false, true],
      [false, false],
      [true, true],
      [true, false],
    ] as const) {
      if (damaged) flip(path, badOff);
      const again = Pool.open(path, { readOnly });
      assert.is(Buffer.compare(again.get('object'), data), 0);
      const { damage } = again.log('log');
      assert.is(damage?.position, damaged ? positions[6] : undefined);
      again.close();
      if (damaged) flip(path, badOff);
    }
  });
}

test('in copy mode a large pool has one bank and few frames, and reads what it must', () => {
  const path = join(temporaryFolder(), 'pool');
  const pool = Pool.create(path, { size: TIB, sparse: true, segmentSize: GIB, mode: 'copy' });
  assert.is(pool.engine.medium.banks.length, 1);
  const ids = [0, 1, 500, 1022];
  const data = ids.map((id) => {
    skipTo(pool, id);
    const segment = pool.allocate();
    return fill(segment, segment.dataSize - 5000, 5000);
  });
  for (let round = 0; round < 2; round++)
    ids.forEach((id, i) => assertHolds(pool.segment(id), pool.segment(id).dataSize - 5000, data[i] as Uint8Array));
  assert.ok(blocksOf(path) < 64 * MIB);
  pool.close();
});
