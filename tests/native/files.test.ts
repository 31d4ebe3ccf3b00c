/**
 * Goal: each file call does the one thing it is named after and reports failure as a negated errno.
 * Method: real files in the temporary folder; what another process would see is read back with `fs`.
 */
import { constants, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { STAT_BLOCKS, STAT_DEV, STAT_FIELDS, STAT_INO, STAT_MODE, STAT_NLINK, STAT_SIZE } from '../../src/native.js';
import { MIB, PAGE, errno, file, memory, nativeSuite, onDisk, pattern, shim } from './kit.js';

const test = nativeSuite('native files');
const { O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = constants;

const openRw = (path: string): number => shim.open(path, O_RDWR, 0);

test('open creates with the mode asked for, and says why it cannot', () => {
  const path = `${file(0)}-new`;
  const fd = shim.open(path, O_RDWR | O_CREAT | O_EXCL, 0o600);
  assert.ok(fd >= 0);
  assert.is(statSync(path).mode & 0o777, 0o600);
  assert.is(shim.open(path, O_RDWR | O_CREAT | O_EXCL, 0o600), -errno.EEXIST);
  assert.is(shim.open(`${path}/x`, O_RDONLY, 0), -errno.ENOTDIR);
  assert.is(shim.open(`${path}-none`, O_RDONLY, 0), -errno.ENOENT);
  assert.is(shim.open(`${path}\0x`, O_RDONLY, 0), -errno.EINVAL);
  assert.is(shim.open('x'.repeat(5000), O_RDONLY, 0), -errno.ENAMETOOLONG);
  shim.close(fd);
});

test('open takes names that are not ASCII', () => {
  const path = `${file(0)}-größe-段`;
  shim.close(shim.open(path, O_RDWR | O_CREAT, 0o600));
  assert.ok(existsSync(path));
});

test('stat agrees with fs', () => {
  const path = file(pattern(12345));
  const fd = openRw(path);
  const out = new Float64Array(STAT_FIELDS);
  assert.is(shim.stat(fd, out), 0);
  const want = statSync(path);
  const fields: [number, number][] = [
    [STAT_SIZE, want.size],
    [STAT_INO, want.ino],
    [STAT_DEV, want.dev],
    [STAT_NLINK, want.nlink],
    [STAT_BLOCKS, want.blocks],
    [STAT_MODE, want.mode],
  ];
  for (const [index, value] of fields) assert.is(out[index], value, `field ${index}`);
  assert.is(shim.stat(fd, new Float64Array(STAT_FIELDS - 1)), -errno.EINVAL);
  shim.close(fd);
  assert.is(shim.stat(fd, out), -errno.EBADF);
});

test('pread and pwrite move exactly what they say, and are short at the end of the file', () => {
  const path = file(pattern(1000));
  const fd = openRw(path);
  const view = new Uint8Array(100);
  assert.is(shim.pread(fd, view, 10, 50, 200), 50);
  assert.equal(view.slice(10, 60), pattern(1000).slice(200, 250));
  assert.ok(view.subarray(60).every((byte) => byte === 0) && view.subarray(0, 10).every((byte) => byte === 0));
  assert.is(shim.pread(fd, view, 0, 100, 950), 50);
  assert.is(shim.pread(fd, view, 0, 100, 5000), 0);
  assert.is(shim.pread(fd, view, 1, 100, 0), -errno.EINVAL, 'past the view');
  for (const dsync of [false, true]) assert.is(shim.pwrite(fd, pattern(30, 7), 10, 20, 990, dsync), 20);
  assert.equal(new Uint8Array(readFileSync(path).subarray(990)), pattern(30, 7).slice(10));
  assert.is(shim.pwrite(fd, view, 0, 0, 0, false), 0);
  shim.close(fd);
});

test('pwritev gathers views over shared and plain memory, empty ones too', () => {
  const path = file(0);
  const fd = openRw(path);
  const shared = memory(MIB);
  shared.set(pattern(100, 3), 500);
  const pieces = [pattern(10, 1), shared.subarray(500, 600), new Uint8Array(0), Buffer.from('end')];
  for (const dsync of [false, true]) {
    assert.is(shim.pwritev(fd, pieces, 64, dsync), 113);
    assert.equal(readFileSync(path).subarray(64), Buffer.concat(pieces));
    assert.is(shim.truncate(fd, 0), 0);
  }
  assert.is(shim.pwritev(fd, [], 0, false), 0);
  shim.close(fd);
});

test('pwritev of more than IOV_MAX views is a short count', () => {
  const fd = openRw(file(0));
  assert.is(
    shim.pwritev(
      fd,
      Array.from({ length: 3000 }, () => new Uint8Array(2)),
      0,
      false,
    ),
    2048,
  );
  shim.close(fd);
});

test('an array that plays tricks while it is read is refused or read safely', () => {
  const fd = openRw(file(0));
  const throwing = [new Uint8Array(1), new Uint8Array(1)];
  Object.defineProperty(throwing, 1, {
    get: () => {
      throw new Error('no');
    },
  });
  assert.is(shim.pwritev(fd, throwing, 0, false), -errno.EINVAL);
  const first = pattern(4096);
  let reads = 0;
  const detaching = [first, first];
  Object.defineProperty(detaching, 1, {
    get: () => {
      if (reads++ === 0) structuredClone(first.buffer, { transfer: [first.buffer as ArrayBuffer] });
      return new Uint8Array(3);
    },
  });
  assert.is(shim.pwritev(fd, detaching, 0, false), 3, 'the detached view is empty');
  assert.is(reads, 1, 'no JavaScript runs once the first pointer is taken');
  shim.close(fd);
});

test('a read-only descriptor cannot be written, and barriers say so for a closed one', () => {
  const fd = shim.open(file(10), O_RDONLY, 0);
  assert.is(shim.pwrite(fd, new Uint8Array(1), 0, 1, 0, false), -errno.EBADF);
  assert.is(shim.datasync(fd), 0);
  assert.is(shim.sync(fd), 0);
  shim.close(fd);
  assert.is(shim.datasync(fd), -errno.EBADF);
  assert.is(shim.sync(fd), -errno.EBADF);
});

test('two opens of a file exclude each other until unlock; shared locks go together', () => {
  const path = file(10);
  const [a, b] = [openRw(path), openRw(path)];
  assert.is(shim.lock(a, true), 0);
  assert.is(shim.lock(b, true), -errno.EAGAIN);
  assert.is(shim.lock(b, false), -errno.EAGAIN);
  assert.is(shim.unlock(a), 0);
  assert.is(shim.lock(b, false), 0);
  assert.is(shim.lock(a, false), 0);
  assert.is(shim.lock(a, true), -errno.EAGAIN);
  shim.unlock(b);
  assert.is(shim.lock(a, true), 0);
  const other = shim.dup(a);
  assert.is(shim.lock(other, true), 0, 'a duplicate is the same open');
  shim.close(a);
  assert.is(shim.lock(b, true), -errno.EAGAIN, 'and keeps the lock');
  shim.close(other);
  assert.is(shim.lock(b, true), 0);
  shim.close(b);
});

test('seeks find the data and the holes of a sparse file', () => {
  const fd = openRw(file(0));
  assert.is(shim.truncate(fd, 8 * MIB), 0);
  assert.is(shim.seekData(fd, 0), -errno.ENXIO);
  assert.is(shim.seekHole(fd, 0), 0);
  shim.pwrite(fd, pattern(PAGE), 0, PAGE, 4 * MIB, false);
  const data = shim.seekData(fd, 0);
  assert.ok(data > 0 && data <= 4 * MIB, `data at ${data}`);
  const hole = shim.seekHole(fd, data);
  assert.ok(hole >= 4 * MIB + PAGE && hole < 8 * MIB, `hole at ${hole}`);
  assert.is(shim.seekData(fd, 8 * MIB), -errno.ENXIO);
  shim.close(fd);
});

test('what no write has reached is told from what one has, whoever looked at it', () => {
  const fd = openRw(file(0));
  const kept = shim.allocate(fd, 0, 64 * PAGE);
  const bare = kept < 0 ? kept : shim.unwritten(fd, 0, 64 * PAGE);
  if (bare === -errno.EOPNOTSUPP) {
    console.log('SKIP native files: this file system does not tell which blocks were written');
    return void shim.close(fd);
  }
  assert.is(bare, 64 * PAGE);
  assert.is(shim.pread(fd, new Uint8Array(PAGE), 0, PAGE, 8 * PAGE), PAGE);
  assert.is(shim.unwritten(fd, 8 * PAGE, PAGE), PAGE, 'reading changes nothing');
  shim.pwrite(fd, pattern(PAGE), 0, PAGE, 16 * PAGE, true);
  assert.is(shim.unwritten(fd, 16 * PAGE, PAGE), 0);
  assert.is(shim.unwritten(fd, 4 * PAGE, 64 * PAGE), 12 * PAGE, 'up to the first that was written');
  shim.close(fd);
});

test('punch gives blocks back: zeros to read, the size as it was, and the neighbours untouched', () => {
  const path = file(pattern(64 * PAGE));
  const fd = openRw(path);
  shim.sync(fd);
  const blocks = (): number => {
    const out = new Float64Array(STAT_FIELDS);
    shim.stat(fd, out);
    return out[STAT_BLOCKS] as number;
  };
  const before = blocks();
  assert.is(shim.punch(fd, 8 * PAGE, 16 * PAGE), 0);
  const want = pattern(64 * PAGE);
  want.fill(0, 8 * PAGE, 24 * PAGE);
  assert.equal(new Uint8Array(readFileSync(path)), want);
  assert.ok(blocks() < before);
  assert.is(shim.punch(fd, 0, 0), -errno.EINVAL);
  shim.close(fd);
});

test('allocate gives real blocks and extends the file', () => {
  const path = file(0);
  const fd = openRw(path);
  assert.is(shim.allocate(fd, 0, 4 * MIB), 0);
  assert.is(statSync(path).size, 4 * MIB);
  assert.ok(statSync(path).blocks * 512 >= 4 * MIB);
  assert.is(shim.allocate(fd, 0, 0), -errno.EINVAL);
  assert.is(shim.truncate(fd, 100), 0);
  assert.is(statSync(path).size, 100);
  shim.close(fd);
});

onDisk(test, 'dropping the cache is proved by residency', () => {
  const fd = openRw(file(pattern(64 * PAGE)));
  assert.is(shim.datasync(fd), 0);
  assert.is(shim.resident(fd, 0, 64 * PAGE), 64);
  assert.is(shim.resident(fd, 1, PAGE), 2, 'an unaligned range touches two pages');
  assert.is(shim.resident(fd, 0, 0), 0);
  assert.is(shim.resident(fd, 63 * PAGE, 3 * PAGE), 1, 'nothing past the end');
  assert.is(shim.dropCache(fd, 0, 64 * PAGE), 0);
  assert.is(shim.resident(fd, 0, 64 * PAGE), 0);
  shim.pread(fd, new Uint8Array(10), 0, 10, 0);
  assert.ok(shim.resident(fd, 0, 64 * PAGE) >= 1);
  assert.is(shim.resident(9999, 0, PAGE), -errno.EBADF);
  shim.close(fd);
});

test('the no-copy-on-write flag is set, or refused as unknown', () => {
  const fd = openRw(file(0));
  assert.ok([0, -errno.EOPNOTSUPP, -errno.ENOTTY, -errno.ENOSYS].includes(shim.setNoCow(fd)));
  shim.close(fd);
  assert.is(shim.setNoCow(fd), -errno.EBADF);
});

test('eADR needs a region, and every region to say so', () => {
  const root = mkdtempSync(join(tmpdir(), 'pmseg-sysfs-'));
  const region = (name: string, domain: string): void => {
    const folder = join(root, 'bus/nd/devices', name);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'persistence_domain'), `${domain}\n`);
  };
  assert.is(shim.cpu(root).eadr, false, 'no nd bus');
  mkdirSync(join(root, 'bus/nd/devices/nmem0'), { recursive: true });
  assert.is(shim.cpu(root).eadr, false, 'no region');
  region('region0', 'cpu_cache');
  assert.is(shim.cpu(root).eadr, true);
  region('region1', 'memory_controller');
  assert.is(shim.cpu(root).eadr, false, 'one that does not');
  rmSync(root, { recursive: true });
  const { pageSize, flush } = shim.cpu();
  assert.ok(pageSize >= 4096 && Number.isInteger(Math.log2(pageSize)));
  assert.ok(['clwb', 'clflushopt', 'clflush'].includes(flush));
});

test('the flush instruction is the best that the processor lists', () => {
  const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]?.split(' ') ?? [];
  assert.is(shim.cpu().flush, ['clwb', 'clflushopt'].find((name) => flags.includes(name)) ?? 'clflush');
});
