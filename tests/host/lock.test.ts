/**
 * Goal: one writer at a time, whatever thread, process, mode or name it comes by; nobody is kept out by the dead, and nobody is robbed.
 * Method: Workers, processes and threads on one pool; lock files and /proc as they are after kills, on full disks, under other names; races.
 */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import type { Bank } from '../../src/bank.js';
import { MemoryMedium, Pool } from '../../src/index.js';
import { native, nativeUnavailable } from '../../src/native.js';
import { MIB, sizeFor, temporaryFolder, throwsCode } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const inner = suite('locks');
const folder = temporaryFolder();
const CHILD = fileURLToPath(new URL('./lock.child.js', import.meta.url));
const MODES = native ? (['file', 'copy'] as const) : (['copy'] as const);
if (!native) inner.skip('locks in file mode', `no native shim: ${nativeUnavailable}`);

let number = 0;
function newPath(): string {
  const path = join(folder, `pool-${number++}`);
  Pool.create(path, { size: sizeFor(3), segmentSize: MIB, sparse: true, mode: 'copy' }).close();
  return path;
}

/** Every process that was started, to be ended whatever happens. */
const started: ChildProcess[] = [];

function test(title: string, body: () => unknown): void {
  inner(title, async () => {
    try {
      await body();
    } finally {
      for (const child of started.splice(0)) child.kill('SIGKILL');
    }
  });
}

type Answer = Record<string, unknown>;

/** What a Worker answers. */
function inWorker(...args: string[]): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(CHILD, { workerData: args });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

interface Child {
  readonly first: Answer;
  readonly process: ChildProcess;
  /** Sends a line and waits for the answer. */
  ask(): Promise<Answer>;
  kill(): Promise<void>;
}

/** A process without the shim, in which nothing but the lock file excludes others. */
async function inProcess(...args: string[]): Promise<Child> {
  const env = args.includes('file') ? process.env : { ...process.env, PMSEG_NATIVE: 'off' };
  const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['pipe', 'pipe', 'inherit'], env });
  started.push(child);
  const answer = (): Promise<Answer> =>
    new Promise((resolve, reject) => {
      child.stdout.once('data', (bytes: Buffer) => resolve(JSON.parse(bytes.toString()) as Answer));
      child.once('exit', (status, signal) => reject(new Error(`the child ended: ${status} ${signal}`)));
    });
  child.stdin.on('error', () => undefined);
  const first = await answer();
  return {
    first,
    process: child,
    ask() {
      const next = answer();
      child.stdin.write('\n');
      return next;
    },
    kill: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        else child.once('exit', () => resolve()).kill('SIGKILL');
      }),
  };
}

/** Runs something while functions of node:fs are others. */
function patched<T>(patch: Partial<typeof fs>, run: () => T): T {
  const real = Object.fromEntries(Object.keys(patch).map((name) => [name, fs[name as keyof typeof fs]]));
  Object.assign(fs, patch);
  syncBuiltinESMExports();
  try {
    return run();
  } finally {
    Object.assign(fs, real);
    syncBuiltinESMExports();
  }
}

function failing(code: string, errno: number): never {
  throw Object.assign(new Error(code), { code, errno: -errno, syscall: 'planted' });
}

test('two Workers and the thread that made them exclude each other, in every pair of modes', async () => {
  for (const mine of MODES) {
    for (const other of MODES) {
      const path = newPath();
      const pool = Pool.open(path, { mode: mine });
      assert.equal(await Promise.all([inWorker('try', path, other), inWorker('try', path, other)]), [
        { error: 'ERR_PMSEG_LOCKED' },
        { error: 'ERR_PMSEG_LOCKED' },
      ]);
      pool.close();
      assert.equal(await inWorker('try', path, other), { mode: other });
    }
  }
});

test('a symbolic link is another name, not another lock', async () => {
  for (const mine of MODES) {
    for (const other of MODES) {
      const path = newPath();
      const link = `${path}-link`;
      fs.symlinkSync(path, link);
      const pool = Pool.open(link, { mode: mine });
      assert.ok(fs.existsSync(`${path}.lock`), 'beside the file itself');
      throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(path, { mode: other }));
      pool.close();
      const again = Pool.open(path, { mode: other });
      throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(link, { mode: mine }));
      again.close();
    }
  }
});

test('of many writers that find a stale lock, one at a time gets in, every time', async () => {
  const path = newPath();
  const results = await Promise.all(
    Array.from({ length: 4 }, async () => {
      const child = await inProcess('race', path, 'copy', '25');
      await child.kill();
      return child.first;
    }),
  );
  assert.equal(results, Array(4).fill({ violations: 0, opened: 25 }));
  Pool.open(path, { mode: 'copy' }).close();
  assert.equal(
    fs.readdirSync(folder).filter((name) => name.startsWith(`${path.slice(folder.length + 1)}.`)),
    [],
    'nothing is left of it',
  );
  console.log('\nNOTE 100 stale locks contended for by 4 processes: one writer at a time');
});

test('copies that were read around the updates of another writer are read again, and are no damage', () => {
  const old = new MemoryMedium(sizeFor(2));
  Pool.format(old, { segmentSize: MIB });
  const before = old.image();
  for (let i = 0; i < 2; i++) Pool.open(old).close();
  class Beside extends MemoryMedium {
    reads = 0;
    override read(off: number, bank: Bank, ptr: number, len: number): void {
      super.read(off, bank, ptr, len);
      if (off === 0 && this.reads++ === 0) bank.bytes.set(before.subarray(0, len), ptr);
    }
  }
  for (const writable of [false, true]) {
    const pool = Pool.open(new Beside(old.image(), { writable }));
    assert.is(pool.status().epoch, writable ? 3 : 2);
    pool.close();
  }
});

test('breakLock lets a writer in beside one that lives, whose closing then leaves the new lock alone', async () => {
  const path = newPath();
  const child = await inProcess('hold', path, 'copy');
  throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(path, { mode: 'copy' }));
  const pool = Pool.open(path, { mode: 'copy', breakLock: true });
  const text = fs.readFileSync(`${path}.lock`, 'utf8');
  await child.ask();
  assert.is(fs.readFileSync(`${path}.lock`, 'utf8'), text);
  throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(path, { mode: 'copy' }));
  pool.close();
  await child.kill();
});

test('a child process inherits neither descriptors nor mappings nor the lock', async () => {
  for (const mode of MODES) {
    const path = newPath();
    const pool = Pool.open(path, { mode });
    pool.allocate().crc32c();
    const children = [
      spawn('sleep', ['60'], { stdio: 'inherit' }),
      spawn('sleep', ['60'], { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] }),
      fork(fileURLToPath(new URL('./open.child.js', import.meta.url)), ['none'], { execPath: 'sleep', execArgv: ['60'], silent: true }),
    ];
    try {
      for (const { pid } of children) {
        const links = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
        assert.not.ok(
          links.some((link) => link.startsWith(path)),
          `${mode}: ${links.join(' ')}`,
        );
        assert.not.ok(fs.readFileSync(`/proc/${pid}/maps`, 'utf8').includes(path), mode);
      }
      pool.close();
      Pool.open(path, { mode }).close();
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  }
});

test('the lock of a writer that was killed is gone, also while a child of it lives', async () => {
  for (const mode of MODES) {
    const path = newPath();
    const holder = await inProcess('holdWith', path, mode);
    throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(path, { mode }));
    await holder.kill();
    try {
      process.kill(holder.first['child'] as number, 0);
      Pool.open(path, { mode }).close();
      assert.not.ok(fs.existsSync(`${path}.lock`));
    } finally {
      process.kill(holder.first['child'] as number, 'SIGKILL');
    }
  }
});

test('a process that /proc does not show is not taken for gone while its pid is in use', async () => {
  const path = newPath();
  const holder = await inProcess('hold', path, 'copy');
  const hidden = `/proc/${holder.first['pid']}/stat`;
  const { readFileSync } = fs;
  const reading = ((name: string, ...rest: unknown[]): unknown =>
    name === hidden ? failing('ENOENT', 2) : (readFileSync as (...args: unknown[]) => unknown)(name, ...rest)) as typeof readFileSync;
  patched({ readFileSync: reading }, () => throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(path, { mode: 'copy' })));
  await holder.kill();
  patched({ readFileSync: reading }, () => Pool.open(path, { mode: 'copy' }).close());
});

test('who cannot look does not conclude that nobody is there', async () => {
  const path = newPath();
  const holder = await inProcess('hold', path, 'copy');
  const { readFileSync } = fs;
  for (const what of [
    `/proc/${holder.first['pid']}/stat`,
    `/proc/${process.pid}/stat`,
    '/proc/sys/kernel/random/boot_id',
    `${path}.lock`,
  ]) {
    const reading = ((name: string, ...rest: unknown[]): unknown =>
      name === what ? failing('EMFILE', 24) : (readFileSync as (...args: unknown[]) => unknown)(name, ...rest)) as typeof readFileSync;
    patched({ readFileSync: reading }, () => throwsCode('ERR_PMSEG_IO', () => Pool.open(path, { mode: 'copy' }), what));
  }
  assert.equal(await holder.ask(), { closed: true }, 'its lock was left alone');
  await holder.kill();
});

test('without hard links, and without room, locks are whole or not there', () => {
  const path = newPath();
  const linkSync = (): never => failing('EPERM', 1);
  patched({ linkSync }, () => {
    const pool = Pool.open(path, { mode: 'copy' });
    throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(path, { mode: 'copy' }));
    pool.close();
  });
  const before = fs.readdirSync(folder).length;
  for (const patch of [{}, { linkSync }]) {
    patched({ ...patch, writeSync: () => failing('ENOSPC', 28) }, () =>
      throwsCode('ERR_PMSEG_NO_SPACE', () => Pool.open(path, { mode: 'copy' })),
    );
    assert.is(fs.readdirSync(folder).length, before, 'nothing is left');
  }
  Pool.open(path, { mode: 'copy' }).close();
});

test('a pool that is given another name while it is open goes on under that name', () => {
  for (const mode of MODES) {
    const path = newPath();
    const pool = Pool.open(path, { mode });
    fs.renameSync(path, `${path}-moved`);
    pool.put('after', Buffer.from('moved'));
    pool.close();
    assert.not.ok(fs.existsSync(`${path}.lock`));
    const again = Pool.open(`${path}-moved`, { mode });
    assert.is(Buffer.from(again.get('after')).toString(), 'moved');
    again.close();
  }
});
