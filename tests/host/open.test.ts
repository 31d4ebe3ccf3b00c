/**
 * Goal: what is no pool, or not quite the pool that it was, is refused by name and never changed; one writer at a time.
 * Method: one good pool file, damaged in every way that a table lists (records resealed by the core, so that only the field is wrong), opened
 * in both modes; other processes for locks; a hash of bytes and the modification time around every refusal.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { instantiateCore, type Core } from '../../src/core.js';
import { MemoryMedium, Pool, type CreateOptions } from '../../src/index.js';
import { native, nativeUnavailable } from '../../src/native.js';
import type { OpenOptions } from '../../src/pool.js';
import { MIB, rejectsCode, sizeFor, temporaryFolder, throwsCode } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const test = suite('open');
const folder = temporaryFolder();
const CHILD = fileURLToPath(new URL('./open.child.js', import.meta.url));
const UUID = '00112233-4455-6677-8899-aabbccddeeff';
const SIZE = sizeFor(3);
const MODES = native ? (['file', 'copy'] as const) : (['copy'] as const);
if (!native) test.skip('opening in file mode', `no native shim: ${nativeUnavailable}`);

let number = 0;
const newPath = (): string => join(folder, `pool-${number++}`);

/** A core on a memory of its own, to seal what a test has changed. */
const memory = new WebAssembly.Memory({ initial: 65536, maximum: 65536, shared: true });
const core: Core = instantiateCore(memory);
const SCRATCH = 0x2000000;

/** Changes a record of an image and seals it again, with a seq that is `step` ahead. */
function reseal(image: Buffer, off: number, size: number, change: (record: DataView) => void, step = 0): void {
  const bytes = new Uint8Array(memory.buffer, SCRATCH, size);
  bytes.set(image.subarray(off, off + size));
  change(new DataView(memory.buffer, SCRATCH, size));
  const version = bytes[media.META_VERSION_OFF] as number;
  core.metaSeal(SCRATCH, size, ((image[off + media.META_SEQ_OFF] as number) + step) & 0xff);
  if (version === media.MEDIA_VERSION) image.set(bytes, off);
  else sealVersion(image, off, bytes, version);
}

/** The seal writes the version that the core knows; another one needs its crc made by hand. */
function sealVersion(image: Buffer, off: number, bytes: Uint8Array, version: number): void {
  bytes[media.META_VERSION_OFF] = version;
  const crc = core.crc32c(media.CRC_SEED, SCRATCH + media.META_SEQ_OFF, bytes.byteLength - media.META_SEQ_OFF);
  new DataView(memory.buffer, SCRATCH).setUint32(media.META_CRC_OFF, crc, true);
  image.set(bytes, off);
}

/** Both superblocks changed alike, so that only the field is wrong. */
const both =
  (change: (record: DataView) => void) =>
  (image: Buffer): void => {
    for (const off of [0, SIZE - media.COPY_SIZE]) reseal(image, off, media.SUPERBLOCK_SIZE, change);
  };

const good = ((): Buffer => {
  const path = newPath();
  const pool = Pool.create(path, { size: SIZE, segmentSize: MIB, uuid: UUID, ownerSeed: 'open', sparse: true });
  pool.put('object', Buffer.from('value'));
  const raw = pool.allocate();
  raw.write(Buffer.from('raw'), 0);
  pool.close();
  return fs.readFileSync(path);
})();

function fileOf(change: (image: Buffer) => Buffer | void): string {
  const image = Buffer.from(good);
  const path = newPath();
  fs.writeFileSync(path, change(image) ?? image);
  return path;
}

/** Contents and times of a file. */
function printOf(path: string): string {
  const { mtimeNs, size, ino } = fs.statSync(path, { bigint: true });
  return `${createHash('sha256').update(fs.readFileSync(path)).digest('hex')} ${mtimeNs} ${size} ${ino}`;
}

/** Fails unless opening is refused with this code, in every mode, and nothing is changed or left behind. */
function assertRefused(path: string, code: string, options: OpenOptions = {}): void {
  const isFile = fs.existsSync(path) && fs.statSync(path).isFile();
  const before = isFile ? printOf(path) : '';
  for (const mode of MODES) {
    const error = throwsCode(code, () => Pool.open(path, { mode, ...options }), `${mode}: ${code}`);
    assert.is(error['path'], path, `${mode}: the error names the file`);
    if (isFile) assert.is(printOf(path), before, `${mode}: nothing is changed`);
    assert.not.ok(fs.existsSync(`${path}.lock`), `${mode}: no lock is left`);
  }
}

const OTHER = 0x40;
const REFUSED: [string, string, (image: Buffer) => Buffer | void][] = [
  ['an empty file', 'ERR_PMSEG_NOT_POOL', () => Buffer.alloc(0)],
  ['one byte', 'ERR_PMSEG_NOT_POOL', () => Buffer.alloc(1)],
  ['zeros', 'ERR_PMSEG_NOT_POOL', () => Buffer.alloc(SIZE)],
  ['text', 'ERR_PMSEG_NOT_POOL', () => Buffer.alloc(20000, 'no pool. ')],
  ['a pool cut by one byte', 'ERR_PMSEG_TRUNCATED', (image) => image.subarray(0, SIZE - 1)],
  ['a pool cut by one page', 'ERR_PMSEG_TRUNCATED', (image) => image.subarray(0, SIZE - 4096)],
  ['half a pool', 'ERR_PMSEG_TRUNCATED', (image) => image.subarray(0, SIZE / 2)],
  ['the first two pages of a pool', 'ERR_PMSEG_TRUNCATED', (image) => image.subarray(0, 8192)],
  ['the first page of a pool', 'ERR_PMSEG_TRUNCATED', (image) => image.subarray(0, 4096)],
  ['a pool with a byte more', 'ERR_PMSEG_DAMAGED', (image) => Buffer.concat([image, Buffer.alloc(1)])],
  ['a pool with a page more', 'ERR_PMSEG_DAMAGED', (image) => Buffer.concat([image, Buffer.alloc(4096)])],
  ['another magic', 'ERR_PMSEG_NOT_POOL', both((record) => record.setUint32(media.SUPERBLOCK_MAGIC_OFF, 1, true))],
  ['another version', 'ERR_PMSEG_VERSION', both((record) => record.setUint8(media.META_VERSION_OFF, 2))],
  ['an unknown incompatible feature', 'ERR_PMSEG_VERSION', both((record) => record.setUint32(media.SUPERBLOCK_INCOMPAT_OFF, OTHER, true))],
  ['both superblocks corrupt', 'ERR_PMSEG_CORRUPT', (image) => [0, SIZE - 4096].forEach((off) => (image[off + 50]! ^= 1))],
  ['superblocks two steps apart', 'ERR_PMSEG_DAMAGED', (image) => reseal(image, 0, media.SUPERBLOCK_SIZE, () => undefined, 2)],
  ['no segments', 'ERR_PMSEG_DAMAGED', both((record) => record.setUint32(media.SUPERBLOCK_SEGMENT_COUNT_OFF, 0, true))],
  ['more segments than fit', 'ERR_PMSEG_DAMAGED', both((record) => record.setUint32(media.SUPERBLOCK_SEGMENT_COUNT_OFF, 4, true))],
  ['segments of an odd size', 'ERR_PMSEG_DAMAGED', both((record) => record.setUint32(media.SUPERBLOCK_SEGMENT_SIZE_OFF, MIB - 4096, true))],
  ['data that begins elsewhere', 'ERR_PMSEG_DAMAGED', both((record) => record.setUint32(media.SUPERBLOCK_DATA_OFF_OFF, 8192, true))],
  ['segments over the superblock', 'ERR_PMSEG_DAMAGED', both((record) => record.setBigUint64(media.SUPERBLOCK_SEGMENTS_OFF_OFF, 0n, true))],
  ['segments far outside', 'ERR_PMSEG_DAMAGED', both((record) => record.setBigUint64(media.SUPERBLOCK_SEGMENTS_OFF_OFF, 2n ** 63n, true))],
  ['a mark above the count', 'ERR_PMSEG_DAMAGED', both((record) => record.setUint32(media.SUPERBLOCK_HIGH_WATER_OFF, 4, true))],
  [
    'a pool size beyond counting',
    'ERR_PMSEG_DAMAGED',
    both((record) => record.setBigUint64(media.SUPERBLOCK_POOL_SIZE_OFF, 2n ** 60n, true)),
  ],
  ['a state that does not exist', 'ERR_PMSEG_DAMAGED', both((record) => record.setUint32(media.SUPERBLOCK_STATE_OFF, 3, true))],
  ['a reserved field in use', 'ERR_PMSEG_DAMAGED', both((record) => record.setUint8(media.SUPERBLOCK_PAD_OFF + 9, 1))],
  ['a label that is no text', 'ERR_PMSEG_DAMAGED', both((record) => record.setUint8(media.SUPERBLOCK_LABEL_OFF, 0xff))],
];

for (const [what, code, change] of REFUSED) {
  test(`${what} is refused with ${code}, and nothing is changed`, () => {
    const path = fileOf(change);
    assertRefused(path, code);
    assertRefused(path, code, { readOnly: true });
  });
}

test('an unknown read-only compatible feature is refused for writing and accepted for reading', () => {
  const path = fileOf(both((record) => record.setUint32(media.SUPERBLOCK_RO_COMPAT_OFF, OTHER, true)));
  assertRefused(path, 'ERR_PMSEG_READ_ONLY');
  const pool = Pool.open(path, { readOnly: true });
  assert.is(Buffer.from(pool.get('object')).toString(), 'value');
  pool.close();
  const compatible = Pool.open(fileOf(both((record) => record.setUint32(media.SUPERBLOCK_COMPAT_OFF, OTHER, true))));
  compatible.put('more', Buffer.from('x'));
  compatible.close();
});

test('what is no file is refused', () => {
  assertRefused(join(folder, 'missing'), 'ERR_PMSEG_IO');
  assertRefused(folder, 'ERR_PMSEG_NOT_POOL');
  assertRefused(folder, 'ERR_PMSEG_NOT_POOL', { readOnly: true });
  const fifo = newPath();
  assert.is(spawnSync('mkfifo', [fifo]).status, 0);
  assertRefused(fifo, 'ERR_PMSEG_NOT_POOL');
  assertRefused('/dev/null', 'ERR_PMSEG_NOT_POOL');
  for (const wrong of ['', 'a\0b', 7, null, undefined])
    assert.instance(
      throwsCode('ERR_PMSEG_ARGUMENT', () => Pool.open(wrong as never)),
      TypeError,
    );
  assert.instance(
    throwsCode('ERR_PMSEG_ARGUMENT', () =>
      Pool.open(
        fileOf(() => undefined),
        { mode: 'fast' as never },
      ),
    ),
    RangeError,
  );
});

test('one bad superblock of two is enough to open: degraded, and healed by the first writable opening', () => {
  for (const off of [0, SIZE - media.COPY_SIZE]) {
    const path = fileOf((image) => void (image[off + 40]! ^= 1));
    const reader = Pool.open(path, { readOnly: true });
    assert.equal(reader.status().degraded, [{ kind: 'superblock', segmentId: undefined }]);
    assert.is(Buffer.from(reader.get('object')).toString(), 'value');
    reader.close();
    Pool.open(path).close();
    const again = Pool.open(path, { readOnly: true });
    assert.equal(again.status().degraded, []);
    again.close();
  }
});

test('superblocks one step apart are an update that was cut short: the newer one counts, whichever it is', () => {
  for (const off of [0, SIZE - media.COPY_SIZE]) {
    const path = fileOf((image) =>
      reseal(image, off, media.SUPERBLOCK_SIZE, (record) => record.setBigUint64(media.SUPERBLOCK_EPOCH_OFF, 77n, true), 1),
    );
    const before = printOf(path);
    const reader = Pool.open(path, { readOnly: true });
    assert.is(reader.status().epoch, 77);
    reader.close();
    assert.is(printOf(path), before, 'reading changes nothing');
    const pool = Pool.open(path);
    assert.is(pool.status().epoch, 78);
    pool.close();
  }
});

test('segments whose metadata is damaged are listed, never allocated, and do not keep the others from opening', () => {
  for (const [slot, code] of [
    [media.SEGMENT_INFO_OFF, 'INFO'],
    [media.SEGMENT_OWNER_OFF, 'OWNER'],
  ] as const) {
    const path = fileOf((image) => {
      for (const copy of [0, media.COPY_SIZE]) image[media.SEGMENTS_OFF + MIB + slot + copy + 9]! ^= 1;
    });
    const pool = Pool.open(path);
    assert.equal(
      pool.findings.map((finding) => [finding.code, finding.segmentId, finding.severity]),
      [[`${code}_LOST`, 1, 'damage']],
    );
    assert.equal(pool.status().segments, { total: 3, free: 1, used: 1, damaged: 1 });
    assert.is(pool.allocate().id, 2);
    throwsCode('ERR_PMSEG_FULL', () => pool.allocate());
    throwsCode('ERR_PMSEG_DAMAGED', () => pool.segment(1));
    assert.is(Buffer.from(pool.get('object')).toString(), 'value');
    pool.close();
  }
});

test('create makes pools only of sizes and options that make sense, under new names, and leaves nothing behind', () => {
  const path = newPath();
  const before = fs.readdirSync(folder).length;
  const wrong: [Partial<CreateOptions>, typeof RangeError | typeof TypeError][] = [
    [{ size: 0 }, RangeError],
    [{ size: sizeFor(1) - 1 }, RangeError],
    [{ size: -1 }, RangeError],
    [{ size: 1.5 }, RangeError],
    [{ size: Number.NaN }, RangeError],
    [{ size: 2 ** 53 }, RangeError],
    [{ size: '1' as never }, TypeError],
    [{ segmentSize: MIB / 2 }, RangeError],
    [{ segmentSize: 3 * MIB }, RangeError],
    [{ segmentSize: 2048 * MIB }, RangeError],
    [{ segmentSize: '1' as never }, TypeError],
    [{ label: 'l'.repeat(65) }, RangeError],
    [{ label: 'é'.repeat(33) }, RangeError],
    [{ label: 'a\0b' }, RangeError],
    [{ label: '\ud800' }, RangeError],
    [{ label: 5 as never }, TypeError],
    [{ uuid: 'not a uuid' }, RangeError],
    [{ uuid: `${UUID}0` }, RangeError],
    [{ uuid: '0011-2233445566778899aabbccddeeff' }, RangeError],
  ];
  for (const [options, kind] of wrong) {
    const error = throwsCode(
      'ERR_PMSEG_ARGUMENT',
      () => Pool.create(path, { size: SIZE, segmentSize: MIB, sparse: true, ...options }),
      JSON.stringify(options),
    );
    assert.instance(error, kind);
  }
  throwsCode('ERR_PMSEG_IO', () => Pool.create(join(folder, 'no', 'such', 'folder'), { size: SIZE, segmentSize: MIB }));
  assert.is(fs.readdirSync(folder).length, before);
  const existing = fileOf(() => undefined);
  const print = printOf(existing);
  throwsCode('ERR_PMSEG_EXISTS', () => Pool.create(existing, { size: SIZE, segmentSize: MIB }));
  assert.is(printOf(existing), print);
  const dangling = newPath();
  fs.symlinkSync(join(folder, 'nowhere'), dangling);
  throwsCode('ERR_PMSEG_EXISTS', () => Pool.create(dangling, { size: SIZE, segmentSize: MIB }));
  assert.is(fs.readdirSync(folder).length, before + 2, 'nothing but what the test made');
});

test('sizes are rounded down to pages; label, uuid and mode are as asked for; blocks are real unless sparse', () => {
  const odd = newPath();
  const pool = Pool.create(odd, { size: 1e9, sparse: true, label: 'é'.repeat(32), uuid: UUID.toUpperCase() });
  const status = pool.status();
  assert.equal(
    [status.size, status.label, status.uuid, status.segmentSize],
    [Math.floor(1e9 / 4096) * 4096, 'é'.repeat(32), UUID, 16 * MIB],
  );
  pool.close();
  const { size, mode, blocks } = fs.statSync(odd);
  assert.equal([size, mode & 0o777], [status.size, 0o600]);
  assert.ok(blocks * 512 < MIB * 4, 'sparse');
  const full = newPath();
  const calls: number[] = [];
  Pool.create(full, { size: SIZE, segmentSize: MIB, onProgress: (done) => calls.push(done) }).close();
  assert.ok(fs.statSync(full).blocks * 512 >= SIZE, 'real blocks');
});

test('the same commands with the same uuid and seed make the same bytes', () => {
  const hashes = [0, 1].map(() => {
    const path = newPath();
    const pool = Pool.create(path, { size: SIZE, segmentSize: MIB, uuid: UUID, ownerSeed: 'same', label: 'twin' });
    pool.put('a', Buffer.from('one'));
    pool.put('a', Buffer.from('two'), { replace: true });
    const log = pool.log('log', { create: true });
    log.append(Buffer.from('record'));
    log.persist();
    pool.close();
    const again = Pool.open(path, { ownerSeed: 'same' });
    again.log('log').append(Buffer.from('second'));
    again.log('log').persist();
    again.remove('a');
    again.put('b', Buffer.from('three'));
    again.close();
    return createHash('sha256').update(fs.readFileSync(path)).digest('hex');
  });
  assert.is(hashes[0], hashes[1]);
});

// --- One writer

function run(verb: string, path: string, env: Record<string, string> = {}): Record<string, unknown> {
  const { stdout, stderr } = spawnSync(process.execPath, [CHILD, verb, path], { env: { ...process.env, ...env }, encoding: 'utf8' });
  assert.ok(stdout, stderr);
  return JSON.parse(stdout);
}

for (const mode of MODES) {
  test(`a second writer is refused, in this process and in another, and readers are not (${mode})`, () => {
    const path = fileOf(() => undefined);
    const pool = Pool.open(path, { mode });
    for (const other of MODES) throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(path, { mode: other }));
    assert.is(run('use', path)['error'], 'ERR_PMSEG_LOCKED');
    assert.is(run('use', path, { PMSEG_NATIVE: 'off' })['error'], 'ERR_PMSEG_LOCKED');
    const reader = Pool.open(path, { mode, readOnly: true });
    assert.is(Buffer.from(reader.get('object')).toString(), 'value');
    reader.close();
    throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(path, { mode }));
    pool.close();
    assert.not.ok(fs.existsSync(`${path}.lock`));
    assert.is(run('use', path)['mode'], native ? 'file' : 'copy');
    Pool.open(path, { mode }).close();
  });
}

/** A child that holds a pool open. */
async function holder(
  path: string,
  command = process.execPath,
  args = [CHILD, 'hold', path],
): Promise<{ pid: number; end: () => Promise<void> }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const text = await new Promise<string>((resolve, reject) => {
    child.stdout?.once('data', (bytes: Buffer) => resolve(bytes.toString()));
    child.once('exit', () => reject(new Error('the child ended before it opened the pool')));
  });
  const end = (): Promise<void> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve();
      else child.once('exit', () => resolve()).kill('SIGKILL');
    });
  return { pid: (JSON.parse(text) as { pid: number }).pid, end };
}

test('the lock of a writer that was killed is stale, and what it left is recovered', async () => {
  const path = fileOf(() => undefined);
  const child = await holder(path);
  throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(path));
  if (native) throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(path, { breakLock: true }), 'its kernel lock shows that it lives');
  await child.end();
  assert.ok(fs.existsSync(`${path}.lock`), 'nobody has removed it');
  const pool = Pool.open(path);
  assert.equal([pool.status().clean, pool.findings, pool.status().segments.used], [false, [], 3]);
  pool.close();
  assert.not.ok(fs.existsSync(`${path}.lock`));
});

test('a killed writer that nobody has waited for is gone all the same', async () => {
  const path = fileOf(() => undefined);
  // The shell becomes `sleep`, which never waits for the child that it inherits.
  const parent = await holder(path, '/bin/sh', ['-c', '"$0" "$1" hold "$2" & exec sleep 60', process.execPath, CHILD, path]);
  process.kill(parent.pid, 'SIGKILL');
  // State and number of threads: the first of them may be a zombie while others are still on their way out.
  const stat = (): string[] => fs.readFileSync(`/proc/${parent.pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ');
  while (stat()[0] !== 'Z' || stat()[17] !== '1') await new Promise((resolve) => setTimeout(resolve, 5));
  try {
    Pool.open(path).close();
  } finally {
    await parent.end();
  }
});

test('a lock file is stale only if it is shown to be: anything else is refused until told otherwise', () => {
  const path = fileOf(() => undefined);
  const lockPath = `${path}.lock`;
  const held = Pool.open(path, { mode: 'copy' });
  const self = JSON.parse(fs.readFileSync(lockPath, 'utf8')) as Record<string, unknown>;
  held.close();
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  for (const [what, holder, stale] of [
    ['a pid that is gone', { ...self, pid: dead }, true],
    ['a pid that was given to another process', { ...self, startTime: '1' }, true],
    ['this very process', self, false],
    ['another boot', { ...self, pid: dead, bootId: '11111111-2222-3333-4444-555555555555' }, false],
    ['another pid namespace', { ...self, pid: dead, pidNamespace: 'pid:[1]' }, false],
    ['an unknown boot', { ...self, pid: dead, bootId: 'unknown' }, false],
    ['no pid', { ...self, pid: undefined }, false],
    ['nonsense', 'nonsense', false],
  ] as const) {
    fs.writeFileSync(lockPath, typeof holder === 'string' ? holder : JSON.stringify(holder));
    if (!stale) {
      throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(path), what);
      assert.ok(fs.existsSync(lockPath), `${what}: left alone`);
    }
    Pool.open(path, { breakLock: !stale }).close();
    assert.not.ok(fs.existsSync(lockPath), what);
  }
});

test('a failed opening leaves the lock of another writer alone and gives up its own', () => {
  const path = fileOf(() => undefined);
  const pool = Pool.open(path);
  throwsCode('ERR_PMSEG_LOCKED', () => Pool.open(path));
  assert.ok(fs.existsSync(`${path}.lock`));
  pool.close();
  throwsCode('ERR_PMSEG_GRANULARITY', () => Pool.open(path, { require: 'byte' }));
  Pool.open(path).close();
});

// --- The file changes while it is open

for (const mode of MODES) {
  const CHANGES: [string, (path: string) => void][] = [
    ['removed', (path) => fs.unlinkSync(path)],
    [
      'replaced',
      (path) =>
        fs.renameSync(
          fileOf(() => undefined),
          path,
        ),
    ],
    ['cut short', (path) => fs.truncateSync(path, SIZE - 4096)],
    ['cut to nothing', (path) => fs.truncateSync(path, 0)],
    ['made longer', (path) => fs.truncateSync(path, SIZE + 4096)],
  ];
  for (const [what, change] of CHANGES) {
    test(`a file that is ${what} while it is open: the next barrier says so, and the pool halts (${mode})`, async () => {
      for (const asynchronous of [false, true]) {
        const path = fileOf(() => undefined);
        const pool = Pool.open(path, { mode });
        const segment = pool.allocate();
        change(path);
        if (asynchronous) await rejectsCode('ERR_PMSEG_REPLACED', pool.drainAsync());
        else throwsCode('ERR_PMSEG_REPLACED', () => pool.drain());
        assert.ok(pool.status().halted);
        throwsCode('ERR_PMSEG_HALTED', () => segment.write(Buffer.from('x'), 0));
        throwsCode('ERR_PMSEG_HALTED', () => pool.put('x', Buffer.alloc(1)));
        const size = fs.existsSync(path) ? fs.statSync(path).size : -1;
        pool.close();
        assert.is(fs.existsSync(path) ? fs.statSync(path).size : -1, size, 'close does not make it longer');
      }
    });
  }
}

// --- Granularity and modes

function forced<T>(value: string, call: () => T): T {
  process.env['PMSEG_FORCE_GRANULARITY'] = value;
  try {
    return call();
  } finally {
    delete process.env['PMSEG_FORCE_GRANULARITY'];
  }
}

test('a medium that promises less than is required is refused; a forced promise counts only when that is allowed', () => {
  const path = fileOf(() => undefined);
  assertRefused(path, 'ERR_PMSEG_GRANULARITY', { require: 'cache-line' });
  assertRefused(path, 'ERR_PMSEG_GRANULARITY', { require: 'byte', readOnly: true });
  Pool.open(path, { require: 'page' }).close();
  assert.instance(
    throwsCode('ERR_PMSEG_ARGUMENT', () => Pool.open(path, { require: 'sector' as never })),
    RangeError,
  );
  forced('sector', () => throwsCode('ERR_PMSEG_ARGUMENT', () => Pool.open(path)));
  forced('byte', () => throwsCode('ERR_PMSEG_GRANULARITY', () => Pool.open(path, { mode: 'copy' })));
  const strict = (['byte', 'cache-line', 'page'] as const).map((granularity) => new MemoryMedium(good, { granularity }));
  for (const [i, wanted] of (['byte', 'cache-line', 'page'] as const).entries()) {
    strict.forEach((medium, have) => {
      if (have <= i) Pool.open(medium, { require: wanted }).close();
      else throwsCode('ERR_PMSEG_GRANULARITY', () => Pool.open(medium, { require: wanted }));
    });
  }
  if (!native) return;
  throwsCode('ERR_PMSEG_GRANULARITY', () => Pool.open(path, { mode: 'dax' }));
  for (const granularity of ['byte', 'cache-line', 'page'] as const) {
    forced(granularity, () => {
      const pool = Pool.open(path);
      assert.equal(
        [pool.status().granularity, pool.status().forced, pool.status().mode],
        [granularity, true, granularity === 'page' ? 'file' : 'dax'],
      );
      pool.close();
      throwsCode('ERR_PMSEG_GRANULARITY', () => Pool.open(path, { require: granularity }));
      Pool.open(path, { require: granularity, allowForced: true }).close();
    });
  }
  throwsCode('ERR_PMSEG_GRANULARITY', () => forced('cache-line', () => Pool.open(path, { require: 'byte', allowForced: true })));
});

test('without the shim a pool opens in copy mode and says why; other modes are refused', () => {
  const path = fileOf(() => undefined);
  const status = run('use', path, { PMSEG_NATIVE: 'off' });
  assert.equal([status['mode'], status['granularity'], status['forced']], ['copy', 'page', false]);
  assert.match(String(status['nativeUnavailable']), /PMSEG_NATIVE=off/);
  assert.is(run('use', path, { PMSEG_NATIVE: 'off', PMSEG_FORCE_GRANULARITY: 'byte' })['error'], 'ERR_PMSEG_GRANULARITY');
  const pool = Pool.open(path);
  assert.is(pool.status().segments.used, 3);
  pool.close();
});

test('opening for reading changes neither bytes nor times, whatever there is to recover', async () => {
  const path = fileOf(() => undefined);
  const child = await holder(path);
  await child.end();
  const before = printOf(path);
  for (const mode of MODES) {
    const pool = Pool.open(path, { mode, readOnly: true });
    assert.is(pool.status().clean, false);
    pool.get('object');
    pool.segment(1).crc32c();
    pool.close();
    assert.is(printOf(path), before, mode);
  }
  fs.rmSync(`${path}.lock`);
});
