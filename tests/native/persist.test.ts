/**
 * Goal: copies into and out of a mapping are exact at every alignment, and every flush does its granularity's work on exactly its range.
 * Method: all lengths 0 … 300 at many source and destination offsets against a plain copy, guard bytes included; barriers by their effect.
 */
import { pbkdf2 } from 'node:crypto';
import { constants, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { GRANULARITY } from '../../src/native.js';
import { FAULTS_PTR, MIB, PAGE, PTR, errno, file, memory, nativeSuite, onDisk, pattern, shim } from './kit.js';

const test = nativeSuite('native persist');

function mapped(size = MIB) {
  const path = file(size);
  const fd = shim.open(path, constants.O_RDWR, 0);
  const bytes = memory();
  return { path, fd, bytes, id: shim.map(bytes, PTR, size, fd, 0, 0, FAULTS_PTR) };
}

for (const name of ['copyIn', 'copyPlain'] as const) {
  test(`${name} copies every length 0 … 300 at every offset in a line, and not a byte more`, () => {
    const { bytes, id } = mapped();
    const src = pattern(400);
    const window = bytes.subarray(PTR, PTR + 512);
    for (let dstOff = 0; dstOff < 64; dstOff++) {
      for (let len = 0; len <= 300; len++) {
        const srcOff = (dstOff * 7 + len * 3) % 67;
        window.fill(0xcc);
        assert.is(shim[name](id, dstOff, src, srcOff, len), 0);
        const want = Buffer.alloc(512, 0xcc);
        want.set(src.subarray(srcOff, srcOff + len), dstOff);
        if (want.compare(window) !== 0) assert.unreachable(`dstOff ${dstOff} srcOff ${srcOff} len ${len}`);
      }
    }
    shim.unmap(id);
  });
}

test('copyIn copies from every source offset in a line', () => {
  const { bytes, id } = mapped();
  const src = pattern(400);
  for (let srcOff = 0; srcOff < 64; srcOff++) {
    for (const dstOff of [0, 1, 63]) {
      shim.copyIn(id, dstOff, src, srcOff, 300);
      assert.is(Buffer.compare(bytes.subarray(PTR + dstOff, PTR + dstOff + 300), src.subarray(srcOff, srcOff + 300)), 0);
    }
  }
  shim.unmap(id);
});

test('copyOut copies every length 0 … 300 from every offset in a line', () => {
  const { id, bytes } = mapped();
  const src = pattern(512);
  bytes.set(src, PTR);
  for (let off = 0; off < 64; off++) {
    for (let len = 0; len <= 300; len++) {
      const dst = Buffer.alloc(310, 0xcc);
      const dstOff = (off + len) % 9;
      shim.copyOut(id, off, dst, dstOff, len);
      const want = Buffer.alloc(310, 0xcc);
      want.set(src.subarray(off, off + len), dstOff);
      if (want.compare(dst) !== 0) assert.unreachable(`off ${off} len ${len}`);
    }
  }
  shim.unmap(id);
});

test('a copy within one linear memory may overlap itself, forwards and backwards', () => {
  for (const name of ['copyIn', 'copyPlain'] as const) {
    for (const shift of [1, 60, 64, 200]) {
      const { bytes, id } = mapped();
      for (const [from, to] of [
        [0, shift],
        [shift, 0],
      ] as const) {
        bytes.set(pattern(1024), PTR);
        const want = pattern(1024);
        want.copyWithin(to, from, from + 512);
        shim[name](id, to, bytes, PTR + from, 512);
        assert.equal(bytes.slice(PTR, PTR + 1024), want);
      }
      shim.unmap(id);
    }
  }
});

test('copies are bounded by the mapping and by the view', () => {
  const { id } = mapped();
  const view = new Uint8Array(100);
  for (const name of ['copyIn', 'copyPlain', 'copyOut'] as const) {
    assert.is(shim[name](id, MIB - 10, view, 0, 11), -errno.ERANGE);
    assert.is(shim[name](id, MIB + 1, view, 0, 0), -errno.ERANGE);
    assert.is(shim[name](id, MIB, view, 0, 0), 0);
    assert.is(shim[name](id, 0, view, 90, 11), -errno.EINVAL);
    assert.is(shim[name](id, 0, view, 101, 0), -errno.EINVAL);
    assert.is(shim[name](id, 0, view, 0, 2 ** 53), -errno.ERANGE);
  }
  shim.unmap(id);
});

/** KiB of mapped test files that were stored to through the mapping and not yet cleaned. */
function dirtyKib(): number {
  const mappings = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const ours = mappings.filter((text) => text.includes('pmseg-native-')).join('');
  return [...ours.matchAll(/^(?:Shared|Private)_Dirty:\s+(\d+)/gm)].reduce((sum, [, kib]) => sum + Number(kib), 0);
}

onDisk(test, 'flush by page cleans the pages of its range; by cache line or byte it leaves the page cache alone', () => {
  const { bytes, id } = mapped();
  bytes.fill(5, PTR, PTR + MIB);
  const dirty = dirtyKib();
  assert.ok(dirty >= MIB / 1024, `${dirty} KiB dirty after the stores`);
  for (const granularity of [GRANULARITY.byte, GRANULARITY.cacheLine]) {
    assert.is(shim.flush(id, granularity, 0, MIB), 0);
    assert.is(shim.fence(), 0);
  }
  assert.is(dirtyKib(), dirty);
  assert.is(shim.flush(id, GRANULARITY.page, 100, MIB - 200), 0);
  assert.is(dirtyKib(), 0);
  shim.unmap(id);
});

test('every granularity flushes any range, aligned or not, also an empty one', () => {
  const { bytes, id } = mapped();
  for (const granularity of Object.values(GRANULARITY)) {
    for (const [off, len] of [
      [0, 0],
      [0, 1],
      [63, 2],
      [PAGE - 1, 2],
      [MIB - 1, 1],
      [MIB, 0],
      [5, 100_000],
    ] as const) {
      assert.is(shim.flush(id, granularity, off, len), 0, `${granularity} ${off} ${len}`);
    }
    assert.is(shim.flush(id, granularity, MIB, 1), -errno.ERANGE);
    assert.is(shim.flush(id, granularity, 0, MIB + 1), -errno.ERANGE);
  }
  assert.is(shim.flush(id, 3, 0, 1), -errno.EINVAL);
  assert.is(bytes[PTR], 0);
  shim.unmap(id);
});

test('the off-thread twins answer as the others do', async () => {
  const { path, fd, bytes, id } = mapped();
  bytes.set(pattern(100), PTR);
  for (const granularity of Object.values(GRANULARITY)) assert.is(await shim.flushAsync(id, granularity, 0, MIB), 0);
  assert.is(await shim.prefetchAsync(id, 100, MIB - 100), 0);
  assert.is(await shim.prefetchAsync(id, 0, 0), 0);
  assert.is(await shim.datasyncAsync(fd), 0);
  const pieces = [pattern(10, 1), pattern(5000, 2), new Uint8Array(0), bytes.subarray(PTR, PTR + 50)];
  assert.is(await shim.pwritevAsync(fd, pieces, 4096, true), 5060);
  assert.equal(new Uint8Array(readFileSync(path).subarray(4096, 4096 + 5060)), new Uint8Array(Buffer.concat(pieces)));
  assert.is(await shim.datasyncAsync(9999), -errno.EBADF);
  assert.is(await shim.pwritevAsync(9999, [], 0, false), -errno.EBADF);
  assert.is(await shim.pwritevAsync(fd, [new Uint8Array(1), 'x' as never], 0, false), -errno.EINVAL);
  assert.is(await shim.flushAsync(id, 2, MIB, 1), -errno.ERANGE);
  assert.is(await shim.flushAsync(id + 1, 2, 0, 1), -errno.EBADF);
  shim.unmap(id);
  shim.close(fd);
});

/** Keeps all of libuv's threads busy for a while, so that what is queued next has not begun when this returns. */
function occupyThreads(): Promise<unknown> {
  const derive = promisify(pbkdf2);
  return Promise.all(Array.from({ length: 8 }, () => derive('', '', 200_000, 64, 'sha512')));
}

test('off-thread work keeps its descriptor and its views', async () => {
  const path = file(0);
  const fd = shim.open(path, constants.O_RDWR, 0);
  const busy = occupyThreads();
  const views = [pattern(4 * MIB, 5)];
  const write = shim.pwritevAsync(fd, views, 0, true);
  // The descriptor is closed and its number given away, the caller's array emptied and the bytes left to the collector.
  views.length = 0;
  assert.is(shim.close(fd), 0);
  const other = shim.open(file(0), constants.O_RDWR, 0);
  for (let i = 0; i < 3; i++) (globalThis as { gc?: () => void }).gc?.();
  assert.is(await write, 4 * MIB);
  assert.is(Buffer.compare(readFileSync(path), pattern(4 * MIB, 5)), 0);
  assert.is(shim.close(other), 0);
  await busy;
});

test('off-thread work keeps its mapping', async () => {
  const { bytes, id } = mapped();
  bytes.fill(6, PTR, PTR + MIB);
  const busy = occupyThreads();
  const flush = shim.flushAsync(id, GRANULARITY.page, 0, MIB);
  assert.is(shim.unmap(id), -errno.EBUSY);
  assert.is(await flush, 0);
  assert.is(shim.unmap(id), 0);
  await busy;
});
