/**
 * Goal: an object is absent, old or new, never anything between; and no segment is ever lost to a put that did not happen.
 * Method: sizes around every boundary; full pools and full disks at every step; power cut at every operation with subsets of what was not
 * drained, then a writable reopen whose used segments must be exactly those that the names need.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { MemoryMedium, Pool, PmsegError, type Operation } from '../../src/index.js';
import { MIB, memoryPool, throwsCode } from '../kit/pools.js';
import { powerCuts } from '../kit/powercut.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';

const test = suite('object');
const DATA_SIZE = MIB - media.DATA_OFF;
const prng = new Prng();

const used = (pool: Pool): number => pool.status().segments.used;
const named = (pool: Pool): number => pool.list().reduce((sum, { segmentIds }) => sum + segmentIds.length, 0);
const reopened = (medium: MemoryMedium): Pool => Pool.open(new MemoryMedium(medium.image()));

/** Fails unless the segments in use are those that the names need, now and after reopening. */
function assertNothingLost(pool: Pool, medium: MemoryMedium, why: string): void {
  assert.is(used(pool), named(pool), `${why}: in this pool object`);
  const again = reopened(medium);
  assert.equal([used(again), again.findings], [named(again), []], `${why}: after reopening`);
}

test('an object of any size around a boundary comes back, from as many segments as it needs', () => {
  const { pool, medium } = memoryPool(4, 'page');
  for (const size of [
    0,
    1,
    DATA_SIZE - 1,
    DATA_SIZE,
    DATA_SIZE + 1,
    MIB - 1,
    MIB,
    MIB + 1,
    2 * DATA_SIZE,
    3 * DATA_SIZE + 1,
    4 * DATA_SIZE,
  ]) {
    const data = prng.bytes(size);
    pool.put('x', data);
    assert.is(used(pool), Math.max(1, Math.ceil(size / DATA_SIZE)), `${size} bytes`);
    for (const candidate of [pool, reopened(medium)]) {
      assert.is(Buffer.compare(candidate.get('x'), data), 0, `${size} bytes`);
      assert.is(candidate.openObject('x').size, size);
      assert.is(candidate.openObject('x').storedCrc, candidate.engine.bank.core.crc32cStandard(0, bytesIn(candidate, data), size));
    }
    pool.remove('x');
    assert.is(used(pool), 0);
  }
});

/** Where a copy of bytes lies in bank 0; the bio is left to the pool's end. */
function bytesIn(pool: Pool, data: Uint8Array): number {
  const bio = pool.bio(data.byteLength);
  bio.bytes.set(data);
  return pool.engine.bank.view.getUint32(bio.tablePtr, true);
}

test('pieces of any size make the object that one write of all of them makes', () => {
  const { pool } = memoryPool(12, 'page');
  const data = prng.bytes(3 * DATA_SIZE + 777);
  pool.put('whole', data);
  const writer = pool.createObject('pieces');
  for (let done = 0; done < data.byteLength; ) {
    const take = Math.min(data.byteLength - done, prng.below(4) === 0 ? prng.below(MIB) : prng.below(9000));
    writer.write(data.subarray(done, done + take));
    done += take;
    assert.is(writer.size, done);
  }
  throwsCode('ERR_PMSEG_NO_ENTRY', () => pool.get('pieces'));
  writer.commit();
  const [whole, pieces] = [pool.openObject('whole'), pool.openObject('pieces')];
  assert.equal([pieces.size, pieces.storedCrc, pieces.segmentCount], [whole.size, whole.storedCrc, whole.segmentCount]);
  assert.is(Buffer.compare(pool.get('pieces'), data), 0);
  assert.is(used(pool), 8, 'what was taken ahead is given back');
});

test('any range of an object can be read, short only at its end', () => {
  const { pool } = memoryPool(4, 'page');
  const data = prng.bytes(2 * DATA_SIZE + 100);
  pool.put('x', data);
  const reader = pool.openObject('x');
  for (const [position, len] of [
    [0, 10],
    [DATA_SIZE - 3, 6],
    [DATA_SIZE, 1],
    [2 * DATA_SIZE - 1, 500],
    [data.byteLength - 1, 4],
    [data.byteLength, 4],
    [data.byteLength + 9, 4],
    [5, 2 * DATA_SIZE],
  ] as const) {
    const target = Buffer.alloc(len, 0xaa);
    const count = reader.read(target, position);
    const expected = data.subarray(position, position + len);
    assert.is(count, expected.byteLength);
    assert.is(Buffer.compare(target.subarray(0, count), expected), 0, `${position}+${len}`);
    assert.ok(
      target.subarray(count).every((byte) => byte === 0xaa),
      'nothing behind it is touched',
    );
  }
  for (const wrong of [-1, 0.5, Number.NaN]) throwsCode('ERR_PMSEG_ARGUMENT', () => reader.read(Buffer.alloc(1), wrong));
});

test('a writer that is aborted, or forgotten, leaves nothing', () => {
  const { pool, medium } = memoryPool(6, 'page');
  const writer = pool.createObject('x');
  writer.write(Buffer.alloc(2 * MIB));
  assert.ok(used(pool) > 0);
  writer.abort();
  writer.abort();
  assert.is(used(pool), 0);
  for (const call of [() => writer.write(Buffer.alloc(1)), () => writer.commit()]) throwsCode('ERR_PMSEG_CLOSED', call);
  pool.createObject('forgotten').write(Buffer.alloc(2 * MIB));
  const again = reopened(medium);
  assert.equal([used(again), again.list().length], [0, 0]);
  assert.ok(again.recovered.orphanIds.length > 0);
});

test('of two writers under one name the second to commit is told', () => {
  const { pool, medium } = memoryPool(6, 'page');
  const [first, second] = [pool.createObject('x'), pool.createObject('x')];
  first.write(Buffer.from('first'));
  second.write(Buffer.from('second'));
  first.commit();
  throwsCode('ERR_PMSEG_EXISTS', () => second.commit());
  second.abort();
  assert.is(Buffer.from(pool.get('x')).toString(), 'first');
  throwsCode('ERR_PMSEG_EXISTS', () => pool.put('x', Buffer.alloc(0)));
  pool.log('log', { create: true });
  throwsCode('ERR_PMSEG_EXISTS', () => pool.put('log', Buffer.alloc(0), { replace: true }));
  assertNothingLost(pool, medium, 'two writers');
});

test('a pool that is too full refuses, keeps what it has, and loses no segment', () => {
  const { pool, medium } = memoryPool(4, 'page');
  pool.put('kept', Buffer.alloc(2 * DATA_SIZE, 1));
  throwsCode('ERR_PMSEG_FULL', () => pool.put('big', Buffer.alloc(2 * DATA_SIZE + 1)));
  throwsCode('ERR_PMSEG_FULL', () => pool.put('kept', Buffer.alloc(2 * DATA_SIZE + 1, 2), { replace: true }));
  const streamed = pool.createObject('streamed');
  throwsCode('ERR_PMSEG_FULL', () => streamed.write(Buffer.alloc(3 * DATA_SIZE)));
  streamed.abort();
  assertNothingLost(pool, medium, 'full');
  assert.is(pool.get('kept')[0], 1);
  pool.put('kept', Buffer.alloc(2 * DATA_SIZE, 3), { replace: true });
  assert.is(pool.get('kept')[0], 3, 'old and new fit side by side');
  pool.put('rest', Buffer.alloc(2 * DATA_SIZE, 4));
  throwsCode('ERR_PMSEG_FULL', () => pool.put('kept', Buffer.alloc(0), { replace: true }));
  pool.remove('rest');
  pool.put('kept', Buffer.from('small'), { replace: true });
  assertNothingLost(pool, medium, 'replaced by less');
  assert.is(Buffer.from(reopened(medium).get('kept')).toString(), 'small');
});

test('a file system that is full from any store on is a typed error, and when there is room again all goes on', () => {
  for (let failing = 0; ; failing++) {
    let left = Infinity;
    const { pool, medium } = memoryPool(8, 'page', (operation) => {
      if (operation.kind === 'store' && left-- <= 0) throw new PmsegError('ERR_PMSEG_NO_SPACE', 'planted', { errno: 28 });
    });
    pool.put('old', Buffer.alloc(2 * MIB, 1));
    left = failing;
    let error: unknown;
    try {
      pool.put('new', Buffer.alloc(2 * MIB, 2));
      pool.put('old', Buffer.alloc(MIB, 3), { replace: true });
      pool.remove('new');
    } catch (caught) {
      error = caught;
    }
    const fired = left < 0;
    left = Infinity;
    if (error !== undefined) assert.is((error as PmsegError).code, 'ERR_PMSEG_NO_SPACE', `store ${failing}: ${(error as Error).stack}`);
    assert.not.ok(pool.status().halted);
    const value = pool.get('old')[0];
    assert.ok(value === 1 || value === 3);
    const again = reopened(medium);
    assert.equal([again.findings, used(again), again.get('old')[0]], [[], named(again), value], `store ${failing}`);
    // What was left behind must not come back when the name is removed.
    pool.remove('old');
    pool.put('after', Buffer.from('after'));
    const last = reopened(medium);
    assert.equal(
      last
        .list()
        .map(({ name }) => name)
        .filter((name) => name !== 'new'),
      ['after'],
      `store ${failing}`,
    );
    assert.equal([last.findings, used(last)], [[], named(last)]);
    if (!fired) break;
  }
});

test('a reader of what was removed or replaced says so', () => {
  const { pool } = memoryPool(6, 'page');
  pool.put('x', Buffer.alloc(2 * MIB, 1));
  const reader = pool.openObject('x');
  const chunks = reader.chunks();
  chunks.next();
  pool.put('x', Buffer.from('new'), { replace: true });
  throwsCode('ERR_PMSEG_NO_ENTRY', () => reader.read(Buffer.alloc(1), 0));
  throwsCode('ERR_PMSEG_NO_ENTRY', () => chunks.next());
  const next = pool.openObject('x');
  pool.remove('x');
  throwsCode('ERR_PMSEG_NO_ENTRY', () => next.read(Buffer.alloc(1), 0));
  throwsCode('ERR_PMSEG_NO_ENTRY', () => pool.openObject('x'));
  throwsCode('ERR_PMSEG_NO_ENTRY', () => pool.remove('x'));
});

test('a segment that an object gave back is another one in its next life', () => {
  const { pool } = memoryPool(3, 'page');
  const before = pool.segment(pool.put('x', Buffer.from('old')).headId);
  pool.put('x', Buffer.from('new'), { replace: true });
  const after = pool.allocate();
  assert.is(after.id, before.id);
  after.write(Buffer.from('raw'), 0);
  throwsCode('ERR_PMSEG_CLOSED', () => before.read(Buffer.alloc(3), 0));
});

test('a flipped bit in the data is told when it is read, not when the pool is opened', () => {
  const { pool, medium } = memoryPool(3, 'page');
  pool.put('x', prng.bytes(DATA_SIZE + 50));
  for (const off of [media.DATA_OFF, MIB - 1, MIB + media.DATA_OFF + 49]) {
    const image = medium.image();
    image[media.SEGMENTS_OFF + off]! ^= 1;
    const again = Pool.open(new MemoryMedium(image));
    assert.equal(again.findings, []);
    throwsCode('ERR_PMSEG_CORRUPT', () => again.get('x'));
  }
});

test('names are 1 to 1,024 bytes of well-formed UTF-8 without NUL, and come back as they went in', () => {
  const { pool, medium } = memoryPool(16, 'page');
  const good = [
    'a',
    'n'.repeat(1024),
    'é'.repeat(512),
    '\u{1f600}'.repeat(256),
    ' ',
    '../x/',
    '\n',
    '__proto__',
    'a\u0301',
    '\u00e1',
    '\ufeffbom',
  ];
  for (const name of good) pool.put(name, Buffer.from(name));
  for (const wrong of ['', 'n'.repeat(1025), 'é'.repeat(512) + 'x', 'a\0b', '\0', '\ud800', 'x\udc00y']) {
    assert.instance(
      throwsCode('ERR_PMSEG_ARGUMENT', () => pool.put(wrong, Buffer.alloc(1))),
      RangeError,
    );
    assert.instance(
      throwsCode('ERR_PMSEG_ARGUMENT', () => pool.log(wrong, { create: true })),
      RangeError,
    );
  }
  for (const wrong of [undefined, null, 7, {}, Buffer.from('a')]) {
    assert.instance(
      throwsCode('ERR_PMSEG_ARGUMENT', () => pool.put(wrong as never, Buffer.alloc(1))),
      TypeError,
    );
    assert.instance(
      throwsCode('ERR_PMSEG_ARGUMENT', () => pool.remove(wrong as never)),
      TypeError,
    );
  }
  for (const wrong of ['text', undefined, 7, new ArrayBuffer(3)])
    assert.instance(
      throwsCode('ERR_PMSEG_ARGUMENT', () => pool.put('z', wrong as never)),
      TypeError,
    );
  assertNothingLost(pool, medium, 'names');
  const again = reopened(medium);
  assert.equal(
    again.list().map(({ name }) => name),
    [...good].sort(),
  );
  for (const name of good) assert.is(Buffer.from(again.get(name)).toString(), name);
});

/** Small pieces of many values, so that a mixture of two objects cannot pass for one. */
const OLD = prng.bytes(DATA_SIZE + 3000);
const NEW = prng.bytes(3000);

for (const [granularity, tear] of [
  ['cache-line', 64],
  ['byte', 8],
  ['page', 512],
] as const) {
  test(`power lost at any moment of put, replace and remove leaves old or new (${granularity})`, () => {
    const operations: Operation[] = [];
    const { pool, medium } = memoryPool(4, granularity, (operation) => operations.push(operation));
    pool.put('other', Buffer.from('other'));
    pool.drain();
    const initial = medium.image();
    operations.length = 0;
    const steps: { at: number; value: Uint8Array | undefined }[] = [{ at: 0, value: undefined }];
    const step = (value: Uint8Array | undefined): void => void steps.push({ at: operations.length, value });
    pool.put('x', OLD);
    step(OLD);
    pool.put('x', NEW, { replace: true });
    step(NEW);
    pool.remove('x');
    step(undefined);

    const nameOf = (candidate: Pool): number => {
      try {
        const bytes = candidate.get('x');
        return steps.findIndex(({ value }) => value && Buffer.compare(value, bytes) === 0);
      } catch (error) {
        assert.is((error as PmsegError).code, 'ERR_PMSEG_NO_ENTRY');
        return 0;
      }
    };
    const judge = (candidate: Pool, at: number, where: string): void => {
      const done = steps.findLastIndex((given) => given.at <= at);
      const possible = new Set([done, done + 1].map((i) => (i >= 3 ? 0 : i)));
      const found = nameOf(candidate);
      assert.ok(possible.has(found), `${where}: state ${found} after step ${done}`);
      assert.is(Buffer.from(candidate.get('other')).toString(), 'other');
      assert.equal([candidate.findings, used(candidate)], [[], named(candidate)], where);
    };
    let again = 0;
    let seen = 0;
    const images = powerCuts(initial, operations, { granularity, tear, limit: 24, prng }, ({ medium: found, at, where, since }) => {
      const image = seen++ % 60 === 0 ? found.image() : undefined;
      judge(Pool.open(found), at, where);
      const recovery = [...since];
      if (!image) return;
      again += powerCuts(image, recovery, { granularity, tear, limit: 4, prng }, (second) =>
        judge(Pool.open(second.medium), at, `${where}, then recovery's ${second.where}`),
      );
    });
    console.log(`NOTE put, replace, remove (${granularity}): ${images} images, ${again} in recovery`);
    assert.ok(images > 100 && again > 10);
  });
}
