/**
 * Goal: a mapping is the file, ends without a trace in memory, and nothing that could hurt later is ever mapped.
 * Method: store and load through the memory and through the file in turn; then every refusal, each with its errno.
 */
import { closeSync, constants, openSync, readFileSync, readdirSync, readlinkSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import { MAP_HOW } from '../../src/native.js';
import { FAULTS_PTR, MEMORY_SIZE, MIB, PAGE, PTR, errno, file, memory, nativeSuite, pattern, shim, survivor } from './kit.js';

const test = nativeSuite('native map');

/** Maps a new file of `size` bytes at PTR of a new memory. */
function mapped(size = MIB, how: number = MAP_HOW.shared) {
  const path = file(pattern(size));
  const fd = shim.open(path, how === MAP_HOW.private ? constants.O_RDONLY : constants.O_RDWR, 0);
  const bytes = memory();
  const id = shim.map(bytes, PTR, size, fd, 0, how, FAULTS_PTR);
  assert.ok(id >= 0, `map: ${id}`);
  return { path, fd, bytes, id, size };
}

/** Open descriptors of this process on a path. */
function descriptorsOn(path: string): number {
  return readdirSync('/proc/self/fd').filter((name) => {
    try {
      return readlinkSync(`/proc/self/fd/${name}`) === path;
    } catch {
      return false;
    }
  }).length;
}

test('the address of a view is that of its first byte', () => {
  const bytes = memory();
  assert.is(shim.address(bytes) % PAGE, 0);
  assert.is(shim.address(bytes.subarray(100)), shim.address(bytes) + 100);
});

test('a shared mapping shows the file, and stores reach it', () => {
  const { path, fd, bytes, id, size } = mapped();
  assert.equal(bytes.slice(PTR, PTR + size), pattern(size));
  bytes.set([1, 2, 3], PTR + 5000);
  assert.equal([...readFileSync(path).subarray(5000, 5003)], [1, 2, 3]);
  assert.is(shim.unmap(id), 0);
  shim.close(fd);
});

test('a write to the file is seen at once through the mapping', () => {
  const { fd, bytes, id } = mapped();
  for (const dsync of [false, true]) {
    const salt = dsync ? 8 : 9;
    assert.is(shim.pwrite(fd, pattern(300, salt), 0, 300, 4000, dsync), 300);
    assert.equal(bytes.slice(PTR + 4000, PTR + 4300), pattern(300, salt));
  }
  shim.unmap(id);
  shim.close(fd);
});

test('a write from a mapping of the same file works', () => {
  const { path, fd, bytes, id } = mapped();
  assert.is(shim.pwrite(fd, bytes, PTR, 4096, 65536, false), 4096);
  assert.equal(new Uint8Array(readFileSync(path).subarray(65536, 65536 + 4096)), pattern(MIB).slice(0, 4096));
  shim.unmap(id);
  shim.close(fd);
});

test('a private mapping over a read-only descriptor keeps stores to itself', () => {
  const { path, fd, bytes, id, size } = mapped(MIB, MAP_HOW.private);
  bytes.fill(0xee, PTR, PTR + 100);
  assert.equal(new Uint8Array(readFileSync(path)), pattern(size));
  shim.unmap(id);
  shim.close(fd);
});

test('a shared mapping over a read-only descriptor is refused and leaves usable memory', () => {
  const fd = shim.open(file(MIB), constants.O_RDONLY, 0);
  const bytes = memory();
  assert.is(shim.map(bytes, PTR, MIB, fd, 0, MAP_HOW.shared, FAULTS_PTR), -errno.EACCES);
  bytes.fill(7, PTR, PTR + MIB);
  assert.is(bytes[PTR + MIB - 1], 7);
  assert.is(shim.map(bytes, PTR, MIB, fd, 0, MAP_HOW.private, FAULTS_PTR) >= 0, true, 'the range is free again');
  shim.close(fd);
});

test('MAP_SYNC is refused where the file is not on DAX, and `syncable` says so before', () => {
  const fd = shim.open(file(MIB), constants.O_RDWR, 0);
  if (shim.syncable(fd) === 1) return;
  assert.is(shim.syncable(fd), 0);
  assert.is(shim.map(memory(), PTR, MIB, fd, 0, MAP_HOW.sync, FAULTS_PTR), -errno.EOPNOTSUPP);
  shim.close(fd);
});

test('after unmap the range is zeros, writable, and the file no longer changes', () => {
  const { path, fd, bytes, id, size } = mapped();
  bytes[PTR - 1] = 3;
  bytes[PTR + size] = 4;
  assert.is(shim.unmap(id), 0);
  assert.ok(bytes.subarray(PTR, PTR + size).every((byte) => byte === 0));
  assert.equal([bytes[PTR - 1], bytes[PTR + size]], [3, 4], 'the neighbours are untouched');
  bytes.fill(0xaa, PTR, PTR + size);
  assert.equal(new Uint8Array(readFileSync(path)), pattern(size));
  assert.is(shim.unmap(id), -errno.EBADF, 'an id ends with its mapping');
  shim.close(fd);
});

test('a mapping keeps no descriptor past unmap, and needs none of the caller', () => {
  const { path, fd, bytes, id } = mapped();
  shim.close(fd);
  assert.is(descriptorsOn(path), 1);
  assert.is(bytes[PTR], pattern(1)[0]);
  shim.unmap(id);
  assert.is(descriptorsOn(path), 0);
});

test('a slot is used again, its id never', () => {
  const first = mapped();
  shim.unmap(first.id);
  const second = mapped();
  assert.is.not(second.id, first.id);
  assert.is(shim.badTest(first.id, 0, 1), -errno.EBADF);
  assert.is(shim.badTest(second.id, 0, 1), -errno.ENOENT);
  shim.unmap(second.id);
});

test('what could hurt later is refused', () => {
  const fd = shim.open(file(MIB), constants.O_RDWR, 0);
  const bytes = memory();
  const at = (ptr: number, len: number, fileOff: number, faults = FAULTS_PTR): number => shim.map(bytes, ptr, len, fd, fileOff, 0, faults);
  assert.is(at(PTR, MIB + PAGE, 0), -errno.ERANGE, 'past the end of the file');
  assert.is(at(PTR, MIB, PAGE), -errno.ERANGE, 'past the end of the file, by its offset');
  assert.is(at(PTR, PAGE, 2 ** 53 - PAGE), -errno.ERANGE, 'far past the end of the file');
  assert.is(at(MEMORY_SIZE - PAGE, MIB, 0), -errno.ERANGE, 'past the end of the memory');
  assert.is(at(PTR + 1, PAGE, 0), -errno.EINVAL, 'address not aligned');
  assert.is(at(PTR, PAGE - 1, 0), -errno.EINVAL, 'length not aligned');
  assert.is(at(PTR, PAGE, 512), -errno.EINVAL, 'file offset not aligned');
  assert.is(at(PTR, 0, 0), -errno.EINVAL, 'empty');
  assert.is(at(PTR, MIB, 0, PTR + 4), -errno.EINVAL, 'counter inside the mapping');
  assert.is(at(PTR, MIB, 0, FAULTS_PTR + 2), -errno.EINVAL, 'counter not aligned');
  assert.is(at(PTR, MIB, 0, MEMORY_SIZE - 2), -errno.ERANGE, 'counter past the end of the memory');
  assert.is(shim.map(bytes, PTR, MIB, 9999, 0, 0, FAULTS_PTR), -errno.EBADF);
  const growable = new Uint8Array(new WebAssembly.Memory({ initial: MEMORY_SIZE / 65536 }).buffer);
  assert.is(shim.map(growable, PTR, MIB, fd, 0, 0, FAULTS_PTR), -errno.EINVAL, 'memory that could move or be detached');
  const id = at(PTR, MIB, 0);
  for (const [ptr, len] of [
    [PTR, MIB],
    [PTR - PAGE, 2 * PAGE],
    [PTR + MIB - PAGE, 2 * PAGE],
    [PTR + PAGE, PAGE],
  ] as const) {
    assert.is(at(ptr, len, 0), -errno.EEXIST, `overlap at ${ptr}`);
  }
  const below = at(PTR - PAGE, PAGE, 0);
  assert.ok(below >= 0, 'touching is not overlapping');
  shim.unmap(below);
  shim.unmap(id);
  shim.close(fd);
});

test('a page of the file can be mapped at any file offset', () => {
  const { fd, bytes, id } = mapped();
  const other = shim.map(bytes, 8 * MIB, 2 * PAGE, fd, 3 * PAGE, 0, FAULTS_PTR);
  assert.equal(bytes.slice(8 * MIB, 8 * MIB + 2 * PAGE), bytes.slice(PTR + 3 * PAGE, PTR + 5 * PAGE));
  shim.unmap(other);
  shim.unmap(id);
});

test('every attach needs its unmap, and only the last one mends', () => {
  const { bytes, id } = mapped();
  assert.is(shim.attach(bytes, id), 0);
  assert.is(shim.attach(memory(), id), -errno.EINVAL, 'another memory');
  assert.is(shim.attach(bytes, id + 1), -errno.EBADF);
  assert.is(shim.unmap(id), 0);
  assert.is(bytes[PTR], pattern(1)[0]);
  assert.is(shim.unmap(id), 0);
  assert.is(bytes[PTR], 0);
});

test('a thread uses a mapping only after attach; its end gives back what it attached and mends what it mapped', async () => {
  const { path, fd, bytes, id } = mapped();
  const source = `
    const { workerData, parentPort } = require('node:worker_threads');
    import(workerData.door).then(({ native }) => {
      const before = native.badTest(workerData.id, 0, 1);
      const attached = native.attach(workerData.bytes, workerData.id);
      const after = native.copyPlain(workerData.id, 0, new Uint8Array([99]), 0, 1);
      const own = native.map(workerData.bytes, ${8 * MIB}, ${MIB}, workerData.fd, 0, 0, ${FAULTS_PTR});
      parentPort.postMessage({ before, attached, after, own });
    });`;
  const door = new URL('../../src/native.js', import.meta.url).href;
  const worker = new Worker(source, { eval: true, workerData: { door, id, bytes, fd } });
  const said = await new Promise<Record<string, number>>((resolve, reject) => worker.on('message', resolve).on('error', reject));
  if (worker.threadId >= 0) await new Promise((resolve) => worker.on('exit', resolve));
  assert.is(said['before'], -errno.EBADF);
  assert.equal([said['attached'], said['after']], [0, 0]);
  assert.ok((said['own'] ?? -1) >= 0);
  assert.is(bytes[PTR], 99, 'still mapped here');
  assert.is(bytes[8 * MIB], 0, 'mended at the end of the thread that mapped it');
  assert.is(readFileSync(path)[0], 99);
  assert.is(shim.unmap(id), 0);
  assert.is(bytes[PTR], 0, 'this was the last attach');
});

test('a memory that nobody else refers to lives as long as its mapping', () => {
  assert.equal(survivor('collected', file(pattern(MIB))), { stillThere: true });
});

test('a descriptor of the shim is closed across exec and dup', () => {
  const path = file(PAGE);
  const outside = openSync(path, 'r+');
  const fds = [shim.open(path, constants.O_RDWR, 0), shim.dup(outside)];
  for (const fd of fds) assert.match(readdirFlags(fd), /^02/, 'O_CLOEXEC');
  writeSync(outside, 'x');
  closeSync(outside);
  for (const fd of fds) assert.is(shim.close(fd), 0);
  assert.is(shim.close(fds[0] as number), -errno.EBADF);
});

/** The octal flags of a descriptor: 02000000 is O_CLOEXEC. */
function readdirFlags(fd: number): string {
  return /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '';
}
