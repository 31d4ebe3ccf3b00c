/**
 * Goal: a system call that fails is told from one that can be tried again, on every medium that makes system calls.
 * Method: the real shim behind a proxy, or node:fs with one function replaced, fails one call with one errno; what the pool says is held
 * against the table: want of room fails a write alone, any other failed write and every failed drain halts.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Bio, Pool, type PmsegError, type Segment } from '../../src/index.js';
import { STATE_FAULTS_OFF } from '../../assembly/plan.js';
import { DaxMedium } from '../../src/medium/dax.js';
import { FileMedium } from '../../src/medium/file.js';
import { NativeFile } from '../../src/medium/poolfile.js';
import { native, nativeUnavailable, type Native } from '../../src/native.js';
import { MIB, rejectsCode, sizeFor, temporaryFolder, throwsCode } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const test = suite('media, failing calls');
const folder = temporaryFolder();
const { ENOSPC, EIO, EBUSY, EDQUOT, EROFS } = constants.errno;

/** A shim of which some functions are others. */
function fakeOf(real: Native, replaced: Partial<Native>): Native {
  // The addon's functions are read-only properties: no proxy, a copy.
  return {
    ...Object.fromEntries(Object.getOwnPropertyNames(real).map((name) => [name, real[name as keyof Native]])),
    ...replaced,
  } as Native;
}

let number = 0;
function newPath(): string {
  const path = join(folder, `pool-${number++}`);
  Pool.create(path, { size: sizeFor(3), segmentSize: MIB, sparse: true, mode: 'copy' }).close();
  return path;
}

interface Faulty {
  pool: Pool;
  segment: Segment;
  /** Makes one of the next calls fail. */
  fail(call: 'write' | 'drain', errno: number): void;
  path: string;
  done(): void;
}

/** A pool whose system calls can be made to fail, once. */
function overNative(real: Native, kind: 'file' | 'dax'): Faulty {
  let planted: { call: string; errno: number } | undefined;
  const hit = (call: string): number => {
    if (planted?.call !== call) return 0;
    const { errno } = planted;
    planted = undefined;
    return -errno;
  };
  const fake = fakeOf(real, {
    pwrite: (...args) => hit('write') || real.pwrite(...args),
    pwritev: (...args) => hit('write') || real.pwritev(...args),
    datasync: (...args) => hit('drain') || real.datasync(...args),
    datasyncAsync: async (...args) => hit('drain') || real.datasyncAsync(...args),
  });
  const path = newPath();
  const file = new NativeFile(fake, path, true);
  const pool = Pool.open(kind === 'file' ? new FileMedium(fake, file, false) : new DaxMedium(fake, file, 'cache-line', true));
  return { pool, segment: pool.allocate(), path, fail: (call, errno) => (planted = { call, errno }), done: () => undefined };
}

function overNode(): Faulty {
  const path = newPath();
  const { writevSync, fdatasyncSync, fdatasync } = fs;
  let planted: { call: string; errno: number } | undefined;
  const hit = (call: string): Error | undefined => {
    if (planted?.call !== call) return undefined;
    const error = Object.assign(new Error('planted'), { errno: -planted.errno });
    planted = undefined;
    return error;
  };
  const failing =
    <T extends unknown[], R>(call: string, real: (...args: T) => R) =>
    (...args: T): R => {
      const error = hit(call);
      if (error) throw error;
      return real(...args);
    };
  fs.writevSync = failing('write', writevSync);
  fs.fdatasyncSync = failing('drain', fdatasyncSync);
  fs.fdatasync = Object.assign(
    (fd: number, callback: fs.NoParamCallback) => {
      const error = hit('drain');
      if (error) process.nextTick(callback, error);
      else fdatasync(fd, callback);
    },
    { __promisify__: fdatasync.__promisify__ },
  );
  syncBuiltinESMExports();
  const pool = Pool.open(path, { mode: 'copy' });
  const done = (): void => {
    Object.assign(fs, { writevSync, fdatasyncSync, fdatasync });
    syncBuiltinESMExports();
  };
  return { pool, segment: pool.allocate(), path, fail: (call, errno) => (planted = { call, errno }), done };
}

const worlds: [string, () => Faulty][] = [['copy', overNode]];
if (native) {
  const real = native;
  worlds.push(['file', () => overNative(real, 'file')]);
} else test.skip('failing calls of the native media', `no native shim: ${nativeUnavailable}`);

for (const [name, make] of worlds) {
  for (const [errno, errnoName] of [
    [ENOSPC, 'ENOSPC'],
    [EDQUOT, 'EDQUOT'],
    [EIO, 'EIO'],
    [EROFS, 'EROFS'],
  ] as const) {
    const alone = errno === ENOSPC || errno === EDQUOT;

    test(`${name}: a write that fails with ${errnoName} ${alone ? 'fails alone' : 'halts'}`, () => {
      const { pool, segment, fail, done } = make();
      try {
        segment.write(Buffer.from('before'), 0);
        fail('write', errno);
        const error = throwsCode(alone ? 'ERR_PMSEG_NO_SPACE' : 'ERR_PMSEG_HALTED', () => segment.write(Buffer.from('x'), 100));
        assert.equal([error['errno'], error['segmentId'], error['offset']], [errno, segment.id, 100]);
        assert.is(pool.status().halted, !alone);
        if (alone) segment.copyFromBio(100, 1, Bio.from(Buffer.from('x')), 0, { persist: true });
        else throwsCode('ERR_PMSEG_HALTED', () => segment.write(Buffer.from('x'), 0));
        const read = Buffer.alloc(6);
        segment.read(read, 0);
        assert.is(read.toString(), 'before');
      } finally {
        pool.close();
        done();
      }
    });

    for (const how of ['persist', 'drain', 'persistAsync', 'setNext', 'copyFromBio'] as const) {
      // With RWF_DSYNC write and drain are one call, whose ENOSPC may be the write's.
      if (how === 'copyFromBio' && name !== 'copy') continue;
      test(`${name}: a drain of ${how} that fails with ${errnoName} halts, and is never tried again`, async () => {
        const { pool, segment, fail, done } = make();
        try {
          const next = pool.allocate();
          pool.drain();
          segment.write(Buffer.from('x'), 0);
          fail('drain', errno);
          if (how === 'persistAsync') await rejectsCode('ERR_PMSEG_HALTED', segment.persistAsync(0, 1));
          else {
            const calls = {
              persist: () => segment.persist(0, 1),
              drain: () => pool.drain(),
              setNext: () => segment.setNext(next),
              copyFromBio: () => segment.copyFromBio(0, 1, Bio.from(Buffer.from('y')), 0, { persist: true }),
            };
            assert.is(throwsCode('ERR_PMSEG_HALTED', calls[how])['errno'], errno);
          }
          assert.ok(pool.status().halted);
          throwsCode('ERR_PMSEG_HALTED', () => segment.persist(0, 1));
          await rejectsCode('ERR_PMSEG_HALTED', segment.persistAsync(0, 1));
          segment.read(Buffer.alloc(1), 0);
        } finally {
          pool.close();
          done();
        }
      });
    }
  }
}

if (native) {
  const real = native;
  test('file: a durable write that fails with EIO halts', () => {
    const { pool, segment, fail } = overNative(real, 'file');
    fail('write', EIO);
    throwsCode('ERR_PMSEG_HALTED', () => segment.copyFromBio(0, 1, Bio.from(Buffer.from('y')), 0, { persist: true }));
    assert.ok(pool.status().halted);
    pool.close();
  });

  test('dax: the superblock written by pwrite is not durable while its drain is in flight', async () => {
    const path = newPath();
    let datasyncs = 0;
    let answer: ((result: number) => void) | undefined;
    const fake = fakeOf(real, {
      datasync: (...args) => (datasyncs++, real.datasync(...args)),
      datasyncAsync: () => new Promise((resolve) => (answer = resolve)),
    });
    const pool = Pool.open(new DaxMedium(fake, new NativeFile(fake, path, true), 'cache-line', true));
    // Opening has written the superblock's second copy; its drain rides on the next barrier.
    const barrier = pool.drainAsync();
    while (!answer) await Promise.resolve();
    datasyncs = 0;
    pool.drain();
    assert.is(datasyncs, 1, 'a drain beside the one in flight waits by itself');
    answer(0);
    await barrier;
    pool.drain();
    assert.is(datasyncs, 1, 'a fence is enough once nothing was written by pwrite');
    pool.close();
  });

  test('a pool that is closed while a prefetch is in flight lets go of everything when that is done', async () => {
    const path = newPath();
    let answer: ((result: number) => void) | undefined;
    const unmaps: number[] = [];
    const fake = fakeOf(real, {
      prefetchAsync: () => new Promise((resolve) => (answer = resolve)),
      unmap: (id) => (unmaps.push(id) === 1 ? -EBUSY : real.unmap(id)),
    });
    const open = (): string[] =>
      fs
        .readdirSync('/proc/self/fd')
        .flatMap((fd) => (fs.existsSync(`/proc/self/fd/${fd}`) ? [fs.readlinkSync(`/proc/self/fd/${fd}`)] : []))
        .filter((link) => link === path);
    const pool = Pool.open(new FileMedium(fake, new NativeFile(fake, path, true), false));
    const prefetch = pool.allocate().prefetch();
    pool.close();
    Pool.open(path).close();
    assert.is(open().length, 1, 'only what the mapping itself holds is left');
    answer?.(0);
    await prefetch;
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal([unmaps.length, open()], [2, []]);
  });

  test('a range of which nobody can say that it is good is taken for bad', () => {
    const path = newPath();
    let broken = false;
    const fake = fakeOf(real, {
      badTest: (...args) => (broken ? -EIO : real.badTest(...args)),
      badRanges: (...args) => (broken ? -EIO : real.badRanges(...args)),
    });
    const pool = Pool.open(new FileMedium(fake, new NativeFile(fake, path, true), false));
    const segment = pool.allocate();
    segment.crc32c(0, 4096);
    pool.engine.bank.stateAdd(STATE_FAULTS_OFF, 1);
    segment.crc32c(0, 4096);
    broken = true;
    throwsCode('ERR_PMSEG_MEDIA', () => segment.crc32c(0, 4096));
    throwsCode('ERR_PMSEG_MEDIA', () => pool.status());
    broken = false;
    assert.equal(pool.status().badRanges, []);
    pool.close();
  });

  test('closing while a barrier is in flight rejects it or lets it finish, and ends nothing else', async () => {
    for (const mode of ['file', 'copy'] as const) {
      const path = newPath();
      const pool = Pool.open(path, { mode });
      const segment = pool.allocate();
      segment.write(Buffer.from('x'), 0);
      const barriers = [segment.persistAsync(0, 1), pool.drainAsync()];
      pool.close();
      const results = await Promise.allSettled(barriers);
      for (const result of results) {
        if (result.status === 'rejected')
          assert.ok(String((result.reason as PmsegError).code).startsWith('ERR_PMSEG_'), String(result.reason));
      }
      const again = Pool.open(path, { mode });
      assert.equal(again.findings, []);
      again.close();
    }
  });
}
