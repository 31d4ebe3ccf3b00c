/**
 * Goal: a slot holds the old record or the new one after a power cut at any moment, also right after opening and after a store that failed.
 * Method: info updates with every subset of their 8-byte words, owner updates with every subset of their changed 64-byte lines, a second
 * cut inside recovery; failures planted at one store or drain, looked at through the recorded operations.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { MemoryMedium, Pool, PmsegError, type Operation } from '../../src/index.js';
import { MIB, memoryPool, sizeFor, throwsCode } from '../kit/pools.js';
import { powerCuts } from '../kit/powercut.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';

const test = suite('slots, power cuts');
const prng = new Prng();
const EVERY = 1 << 13;
/** Copy 0 of segment `id`'s info. */
const infoOff = (id: number): number => media.SEGMENTS_OFF + id * MIB;

/** A closed pool with raw segments 0 and 1, and a log in segment 2. */
function closedImage(): Uint8Array {
  const { pool, medium } = memoryPool(4, 'page');
  pool.allocate();
  pool.allocate();
  pool.log('log', { create: true });
  pool.close();
  return medium.image();
}

function recorded(image: Uint8Array, change: (pool: Pool) => void): { initial: Uint8Array; operations: Operation[] } {
  const operations: Operation[] = [];
  const medium = new MemoryMedium(image, { granularity: 'cache-line', onOperation: (operation) => operations.push(operation) });
  const pool = Pool.open(medium);
  pool.drain();
  const initial = medium.image();
  operations.length = 0;
  change(pool);
  return { initial, operations };
}

for (const writable of [true, false]) {
  test(`every subset of the words of an info update is the old or the new record (${writable ? 'writable' : 'read-only'} reopening)`, () => {
    const { initial, operations } = recorded(closedImage(), (pool) => {
      pool.segment(0).setNext(pool.segment(1));
      pool.segment(0).setNext(undefined);
    });
    const ends = operations.flatMap(({ kind }, i) => (kind === 'drain' ? [i + 1] : []));
    const states = new Set<string>();
    const images = powerCuts(initial, operations, { granularity: 'cache-line', tear: 8, limit: EVERY, prng }, ({ medium, at, where }) => {
      const found = writable ? medium : new MemoryMedium(medium.image(), { writable: false });
      const pool = Pool.open(found);
      assert.equal(pool.findings, [], where);
      const next = pool.segment(0).next?.id;
      // Drains: the first update's, the one that its second copy rides on, the second update's.
      const done = ends.filter((end) => end <= at).length;
      const possible = done === 0 ? [undefined, 1] : done <= 1 ? [1] : done === 2 ? [1, undefined] : [undefined];
      assert.ok(possible.includes(next), `${where}: next ${next} after ${done} drains`);
      states.add(`${done}:${next}`);
      if (writable) pool.segment(0).setNext(pool.segment(1));
      if (writable) assert.is(pool.segment(0).next?.id, 1);
    });
    assert.ok(images === 20 && states.size === 6, `${images} images, ${[...states].join(' ')}`);
  });
}

test('every subset of the changed lines of an owner update is the old or the new record', () => {
  const { initial, operations } = recorded(closedImage(), (pool) => pool.log('log').seal());
  const begun = operations.findIndex(({ kind }) => kind === 'store');
  const seen = new Set<boolean>();
  const images = powerCuts(initial, operations, { granularity: 'cache-line', tear: 64, limit: EVERY, prng }, ({ medium, at, where }) => {
    const pool = Pool.open(medium);
    const { sealed } = pool.log('log');
    if (at > begun && operations.slice(begun, at).some(({ kind }) => kind === 'drain')) assert.ok(sealed, where);
    seen.add(sealed);
    assert.equal(pool.findings, [], where);
    pool.close();
  });
  assert.ok(images > 4 && seen.size === 2);
});

test('a cut inside the recovery of a cut update loses neither copy', () => {
  const { initial, operations } = recorded(closedImage(), (pool) => pool.segment(0).setNext(pool.segment(1)));
  let again = 0;
  powerCuts(initial, operations, { granularity: 'cache-line', tear: 8, limit: EVERY, prng }, ({ medium, where, since }) => {
    const image = medium.image();
    const next = Pool.open(medium).segment(0).next?.id;
    const recovery = [...since];
    again += powerCuts(image, recovery, { granularity: 'cache-line', tear: 8, limit: 16, prng }, (second) => {
      const pool = Pool.open(second.medium);
      assert.equal([pool.findings, pool.segment(0).next?.id], [[], next], `${where}, then ${second.where}`);
    });
  });
  assert.ok(again > 100, `${again}`);
});

test('the first thing that a writable opening does is a drain, also of a medium that was open before', () => {
  const operations: Operation[] = [];
  const medium = new MemoryMedium(closedImage(), { granularity: 'page', onOperation: (operation) => operations.push(operation) });
  for (let i = 0; i < 3; i++) {
    operations.length = 0;
    const pool = Pool.open(medium);
    assert.is(operations[0]?.kind, 'drain', `opening ${i}`);
    operations.length = 0;
    pool.segment(i % 2).setNext(pool.segment(1 - (i % 2)));
    pool.segment(i % 2).setNext(undefined);
    pool.close();
  }
});

test('after a store that failed for want of room, what it left is drained before the other copy is touched', () => {
  for (let failing = 0; failing < 40; failing++) {
    const operations: (Operation | 'failed')[] = [];
    let left = Infinity;
    const { pool } = memoryPool(6, 'page', (operation) => {
      if (operation.kind === 'store' && left-- === 0) {
        operations.push('failed');
        throw new PmsegError('ERR_PMSEG_NO_SPACE', 'planted', { errno: 28 });
      }
      operations.push(operation);
    });
    pool.drain();
    operations.length = 0;
    left = failing;
    for (let round = 0; round < 3; round++) {
      try {
        pool.put('x', Buffer.alloc(2 * MIB, round), { replace: true });
      } catch (error) {
        assert.is((error as PmsegError).code, 'ERR_PMSEG_NO_SPACE');
      }
    }
    assertOrder(operations, `store ${failing}`);
  }
});

/** Both copies of a slot are never on their way at once, unless the second repeats what the first made durable. */
function assertOrder(operations: readonly (Operation | 'failed')[], why: string): void {
  const undrained = new Map<number, Uint8Array>();
  for (const operation of operations) {
    if (operation === 'failed' || operation.kind === 'flush') continue;
    if (operation.kind === 'drain') {
      undrained.clear();
      continue;
    }
    const { off, bytes } = operation;
    const inSegment = (off - media.SEGMENTS_OFF) % MIB;
    const isSlot = off < media.SEGMENTS_OFF || inSegment < media.DATA_OFF;
    // Whole metadata images are written above the high-water mark, where nothing is in force yet.
    if (!isSlot || bytes.byteLength > media.OWNER_SIZE) continue;
    const other = off < media.SEGMENTS_OFF ? undefined : inSegment % 8192 === 0 ? off + media.COPY_SIZE : off - media.COPY_SIZE;
    if (other !== undefined)
      assert.not.ok(undrained.has(other), `${why}: slot copy at ${off} is overwritten while its sister at ${other} is not durable`);
    undrained.set(off, bytes);
  }
}

test('a failed drain halts: what is read stays, nothing more is written, and reopening goes on', () => {
  for (let failing = 0; ; failing++) {
    let left = Infinity;
    let stores = 0;
    const { pool, medium } = memoryPool(4, 'page', (operation) => {
      if (operation.kind === 'store') stores++;
      if (operation.kind === 'drain' && left-- === 0) throw new PmsegError('ERR_PMSEG_NO_SPACE', 'planted', { errno: 28 });
    });
    const segment = pool.allocate();
    segment.write(Buffer.from('kept'), 0);
    segment.persist(0, 4);
    left = failing;
    let error: PmsegError | undefined;
    try {
      segment.setNext(pool.allocate());
      segment.setNext(undefined);
      pool.free(pool.segment(1));
    } catch (caught) {
      error = caught as PmsegError;
    }
    left = Infinity;
    if (!error) break;
    assert.equal(
      [error.code, error.errno, pool.status().halted],
      ['ERR_PMSEG_HALTED', 28, true],
      'a drain that failed for want of room is still a failed drain',
    );
    const before = stores;
    for (const call of [
      () => segment.write(Buffer.from('x'), 0),
      () => segment.persist(0, 4),
      () => segment.view(0, 4, { write: true }),
      () => pool.allocate(),
      () => pool.drain(),
      () => pool.put('x', Buffer.alloc(1)),
      () => pool.log('l', { create: true }),
    ]) {
      throwsCode('ERR_PMSEG_HALTED', call);
    }
    const read = Buffer.alloc(4);
    segment.read(read, 0);
    assert.is(read.toString(), 'kept');
    pool.close();
    assert.is(stores, before, 'nothing is written after the halt, not by close either');
    const again = Pool.open(new MemoryMedium(medium.image()));
    assert.equal([again.findings, again.status().halted, again.status().clean], [[], false, false]);
  }
});

test('on cache-line and byte granularity a copy is durable when it returns, on page granularity after a barrier', async () => {
  for (const granularity of ['byte', 'cache-line', 'page'] as const) {
    /** The medium as a power cut that takes everything undrained would leave it. */
    let durable = new Uint8Array(sizeFor(2));
    const undrained: { off: number; bytes: Uint8Array }[] = [];
    const { pool, medium } = memoryPool(2, granularity, (operation) => {
      if (operation.kind === 'store') undrained.push(operation);
      if (operation.kind !== 'drain') return;
      for (const { off, bytes } of undrained.splice(0)) durable.set(bytes, off);
    });
    durable = medium.image();
    const segment = pool.allocate();
    const survives = (off: number, byte: number): boolean => durable[media.SEGMENTS_OFF + media.DATA_OFF + off] === byte;
    const drains = (call: () => void): number => {
      const before = medium.counts.drains;
      call();
      return medium.counts.drains - before;
    };
    pool.drain();
    assert.is(
      drains(() => segment.write(Buffer.from([1]), 0)),
      granularity === 'page' ? 0 : 1,
    );
    assert.is(survives(0, 1), granularity !== 'page', granularity);
    assert.is(
      drains(() => segment.persist(0, 1)),
      1,
    );
    assert.ok(survives(0, 1));
    const bio = segment.bio(1);
    bio.bytes[0] = 2;
    assert.is(
      drains(() => segment.copyFromBio(1, 1, bio, 0, { persist: true })),
      1,
    );
    assert.ok(survives(1, 2));
    segment.write(Buffer.from([3]), 2);
    await segment.persistAsync(2, 1);
    assert.ok(survives(2, 3));
    segment.write(Buffer.from([4]), 3);
    pool.drain();
    assert.ok(survives(3, 4));
    segment.write(Buffer.from([5]), 4);
    segment.flush(4, 1);
    segment.drain();
    assert.ok(survives(4, 5));
    assert.is(
      drains(() => segment.copyFromBio(0, 0, bio)),
      0,
      'nothing copied, nothing waited for',
    );
  }
});

test('a freed segment is free on the medium before its id can be taken again', () => {
  const operations: Operation[] = [];
  const { pool } = memoryPool(3, 'page', (operation) => operations.push(operation));
  const segment = pool.allocate();
  pool.drain();
  operations.length = 0;
  pool.free(segment);
  const kinds = operations.flatMap((operation): (string | number)[] =>
    operation.kind === 'drain' ? ['drain'] : operation.kind === 'store' ? [operation.off - infoOff(0)] : [],
  );
  assert.equal(kinds, [0, 'drain', media.COPY_SIZE]);
});
