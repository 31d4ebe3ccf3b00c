/**
 * Goal: what a reopened pool reads is what the medium holds. After a failed fdatasync the page cache holds bytes that the medium never got,
 * calls them clean, and the next fdatasync succeeds.
 * Method: a file system whose device has run out of room makes write-back fail for real; room is made, the pool is opened again, and every
 * byte that the cache shows is compared with what is read past it.
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { Bio, Pool, checkPool, isSound, type PmsegError, type Segment } from '../../src/index.js';
import { native, nativeUnavailable } from '../../src/native.js';
import { MIB, rejectsCode, sizeFor, temporaryFolder, throwsCode } from '../kit/pools.js';
import { suite } from '../kit/suite.js';
import { LoopFolder, onMedium, whyNoLoop } from './loop.js';

const test = suite('reopening after a failed persist');
const folder = temporaryFolder();
const CHILD = fileURLToPath(new URL('./reopen.child.js', import.meta.url));
const MODES = native ? (['file', 'copy'] as const) : (['copy'] as const);
type Mode = (typeof MODES)[number];
if (!native) test.skip('file mode', `no native shim: ${nativeUnavailable}`);

const RECORD_LEN = 8136;

/** A pool with something durable of every kind. */
function make(path: string, mode: Mode): void {
  const pool = Pool.create(path, { size: sizeFor(8), segmentSize: MIB, mode });
  const segment = pool.allocate();
  segment.write(Buffer.alloc(4096, 1), 0);
  segment.persist();
  pool.put('before', Buffer.from('durable'));
  const log = pool.log('log', { create: true });
  // Ends with a page, so that what is appended next needs new ones from its first byte on: the loop driver takes a write that its file took
  // in part for written.
  log.append(Buffer.alloc(RECORD_LEN, 2));
  assert.is(log.end % 4096, 0);
  log.persist();
  pool.close();
}

/** What had been acknowledged is there, everything is sound, and the cache shows nothing that the medium does not hold. */
function assertTrue(path: string, mode: Mode): void {
  const pool = Pool.open(path, { mode });
  try {
    assert.equal(fs.readFileSync(path).compare(onMedium(path)), 0, 'the cache shows what the medium does not hold');
    const range = Buffer.alloc(8192);
    pool.segment(0).read(range, 65536);
    const off = pool.engine.poolOff(0, 65536);
    assert.ok(range.equals(onMedium(path).subarray(off, off + 8192)), 'the pool reads what the medium does not hold');
    pool.segment(0).read(range, 0);
    assert.ok(range.subarray(0, 4096).equals(Buffer.alloc(4096, 1)));
    assert.is(Buffer.from(pool.get('before')).toString(), 'durable');
    const [first] = [...pool.log('log').recordsSync()];
    assert.ok(Buffer.from((first as { data: Uint8Array }).data).equals(Buffer.alloc(RECORD_LEN, 2)));
    assert.ok(isSound(checkPool(pool)));
    pool.put('after', Buffer.from('more'));
    pool.segment(0).write(Buffer.alloc(8192, 9), 65536);
    pool.segment(0).persist();
  } finally {
    pool.close();
  }
}

const FAILING: Record<string, (pool: Pool, segment: Segment) => unknown> = {
  persist: (_, segment) => (segment.write(Buffer.alloc(8192, 7), 65536), segment.persist(65536, 8192)),
  persistAsync: (_, segment) => (segment.write(Buffer.alloc(8192, 7), 65536), segment.persistAsync(65536, 8192)),
  'copyFromBio { persist }': (_, segment) => segment.copyFromBio(65536, 8192, Bio.from(Buffer.alloc(8192, 7)), 0, { persist: true }),
  'log.persist': (pool) => (pool.log('log').append(Buffer.alloc(20000, 3)), pool.log('log').persist()),
  'close, the last drain': (pool, segment) => (segment.write(Buffer.alloc(8192, 7), 65536), pool.close()),
};

const reason = whyNoLoop();
if (reason) test.skip('write-back that fails for real', reason);
else {
  let count = 0;
  for (const mode of MODES) {
    test(`${mode}: whatever persist failed, and whoever has the pages mapped, reopening reads the medium`, async () => {
      for (const [name, fail] of Object.entries(FAILING)) {
        using loop = new LoopFolder(join(folder, `${mode}-${count++}`));
        const path = join(loop.path, 'pool');
        make(path, mode);
        loop.fillUp();
        const pool = Pool.open(path, { mode });
        const segment = pool.segment(0);
        await rejectsCode('ERR_PMSEG_HALTED', (async () => fail(pool, segment))());
        if (!pool.closed) {
          assert.ok(pool.status().halted, name);
          throwsCode('ERR_PMSEG_HALTED', () => segment.write(Buffer.alloc(1), 0));
          throwsCode('ERR_PMSEG_HALTED', () => pool.drain());
          assert.is(Buffer.from(pool.get('before')).toString(), 'durable', 'reads go on');
        }
        // Without this the test would show nothing.
        assert.not.equal(fs.readFileSync(path).compare(onMedium(path)), 0, `${name}: the cache holds what the medium does not`);
        pool.close();
        // A reader keeps every page of the segments in the cache.
        const reader = Pool.open(path, { readOnly: true, mode });
        for (const { id } of reader) reader.segment(id).crc32c();
        loop.makeRoom();
        assertTrue(path, mode);
        reader.close();
      }
      console.log(`\nNOTE ${mode}: ${Object.keys(FAILING).length} kinds of persist failed on a full device; reopened from the medium`);
    });
  }

  if (native)
    test('a process that was killed after its persist had failed leaves nothing that only the cache holds', async () => {
      using loop = new LoopFolder(join(folder, `killed-${count++}`));
      const path = join(loop.path, 'pool');
      make(path, 'file');
      loop.fillUp();
      assert.is(await killed(path, 'file'), 'ERR_PMSEG_HALTED');
      assert.not.equal(fs.readFileSync(path).compare(onMedium(path)), 0);
      loop.makeRoom();
      const reader = Pool.open(path, { readOnly: true });
      reader.segment(0).crc32c();
      assertTrue(path, 'file');
      reader.close();
    });

  test('no room at a write is told from no room at the write-back: the one is tried again, the other halts', () => {
    for (const mode of MODES) {
      using loop = new LoopFolder(join(folder, `room-${count++}`), 20 * MIB);
      const path = join(loop.path, 'pool');
      const pool = Pool.create(path, { size: sizeFor(8), segmentSize: MIB, mode, sparse: true });
      const segment = pool.allocate();
      // The file system itself is full now: its writes fail, not its device.
      const ballast = join(loop.path, 'ballast');
      try {
        fs.writeFileSync(ballast, Buffer.alloc(64 * MIB));
      } catch (error) {
        assert.is((error as PmsegError & { code: string }).code, 'ENOSPC');
      }
      for (const persist of [false, true])
        throwsCode('ERR_PMSEG_NO_SPACE', () => segment.copyFromBio(500000, 20000, Bio.from(Buffer.alloc(20000, 5)), 0, { persist }));
      throwsCode('ERR_PMSEG_NO_SPACE', () => pool.put('large', Buffer.alloc(MIB, 6)));
      assert.is(pool.status().halted, false);
      fs.rmSync(ballast);
      segment.copyFromBio(500000, 20000, Bio.from(Buffer.alloc(20000, 5)), 0, { persist: true });
      pool.put('large', Buffer.alloc(20000, 6));
      pool.close();
      const again = Pool.open(path, { mode });
      assert.ok(isSound(checkPool(again)));
      assert.is(again.get('large').byteLength, 20000);
      again.close();
    }
  });
}

/** A child that stores and persists, then dies by SIGKILL: what it said. */
async function killed(path: string, mode: Mode): Promise<string> {
  const child = spawn(process.execPath, [CHILD, path, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
  const text = await new Promise<string>((resolve) => child.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString().trim())));
  await new Promise<void>((resolve) => child.once('exit', () => resolve()).kill('SIGKILL'));
  return text;
}

test('an ordinary kill leaves a pool that opens, also while readers have its pages mapped', async () => {
  for (const mode of MODES) {
    const path = join(folder, `plain-${mode}`);
    make(path, mode);
    const reader = Pool.open(path, { readOnly: true, mode });
    reader.segment(0).crc32c();
    assert.is(await killed(path, mode), 'persisted');
    assertTrue(path, mode);
    reader.close();
  }
});
