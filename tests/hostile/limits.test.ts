/**
 * Goal: numbers at the ends of what can be counted are typed errors or right answers, never a pool that its own writer makes unreadable.
 * Method: forge epochs, generations, sequences, positions and lengths just below, at and above 2^53 - 1, and go on with the ordinary calls.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { MemoryMedium, Pool, PmsegError, checkPool } from '../../src/index.js';
import { SORTS, codes, everySort } from '../kit/flips.js';
import { Forger, flagsOf, writeField } from '../kit/forge.js';
import { Prng } from '../kit/prng.js';
import { Rig, WatchedMedium, assertKept, assertSame, contents } from '../kit/images.js';
import { MIB, throwsCode } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const test = suite('limits');
const rig = new Rig(everySort());
const forger = new Forger(rig);
const HUGE = Number.MAX_SAFE_INTEGER;
const { free: FREE, 'log head': LOG, 'log follower': TAIL } = SORTS;
const SMALL = 7;

test('a pool at its last epoch can be read, and is refused for writing before anything is written', () => {
  forger.set('superblock', 0, { epoch: BigInt(HUGE) });
  const before = contents(Pool.open(rig.reader));
  assert.is(before.get('log')?.pieces.length, 4);
  throwsCode('ERR_PMSEG_READ_ONLY', () => Pool.open(rig.writer));
  assert.equal(rig.writer.stored, []);
  rig.undo();

  forger.set('superblock', 0, { epoch: BigInt(HUGE - 1) });
  const pool = Pool.open(rig.writer);
  pool.log('log').append(Buffer.from('under the last epoch'));
  pool.log('log').persist();
  throwsCode('ERR_PMSEG_READ_ONLY', () => pool.log('log').cut(pool.log('log').begin));
  pool.put('more', Buffer.from('more'));
  pool.close();
  const image = Rig.live(rig.writer).slice();
  throwsCode('ERR_PMSEG_READ_ONLY', () => Pool.open(new MemoryMedium(image)));
  const last = Pool.open(new MemoryMedium(image, { writable: false }));
  assertKept(before, contents(last), 'read again');
  assert.equal(last.findings, []);
  rig.undo();
});

test('a segment in its last life is used, and never taken again', () => {
  forger.set('owner', FREE, { generation: BigInt(HUGE - 1) });
  const pool = Pool.open(rig.writer);
  const segment = pool.allocate();
  assert.is(segment.id, FREE);
  pool.free(segment);
  throwsCode('ERR_PMSEG_DAMAGED', () => pool.allocate());
  throwsCode('ERR_PMSEG_DAMAGED', () => pool.put('x', Buffer.alloc(1)));
  pool.close();
  const again = Pool.open(rig.writer);
  assert.equal(codes(checkPool(again).findings), ['LIVES_SPENT']);
  assert.is(again.status().segments.damaged, 1);
  assert.is.not(again.allocate().id, FREE);
  again.close();
  rig.undo();
});

/** Offset in the data of the last segment of the log's last record, "last". */
function lastRecord(): number {
  using pool = Pool.open(rig.reader);
  return (contents(pool).get('log')?.positions.at(-1) as number) - (MIB - media.DATA_OFF);
}

for (const sequence of [HUGE - 2, HUGE - 1, HUGE]) {
  test(`a log whose first record has number ${sequence}`, () => {
    // Everything but the last segment is forgotten, and what is left is one epoch record and one record with that number.
    forger.set('owner', LOG, { trimPos: BigInt(MIB - media.DATA_OFF) });
    const epoch = Number(forger.get('superblock', 0, 'epoch'));
    const at = lastRecord();
    const off = forger.dataOff(TAIL);
    const record = rig.bytes(off + at, media.LOG_HEADER_SIZE + 8);
    const first = rig.bytes(off, media.LOG_EPOCH_RECORD_SIZE);
    for (const bytes of [record, first]) writeField(bytes, media.LOG_SEQUENCE_OFF, 8, BigInt(sequence));
    for (const bytes of [record, first]) writeField(bytes, media.LOG_DURABLE_POS_OFF, 8, 0n);
    rig.patch(off, new Uint8Array(at + 64));
    rig.patch(off, first);
    rig.patch(off + first.byteLength, record);
    forger.sealLog(TAIL, 0, first.byteLength, Number(rig.bytes(off + media.LOG_HEADER_SIZE, 1)[0]));
    forger.sealLog(TAIL, first.byteLength, record.byteLength, Number(first[media.LOG_HEADER_SIZE]));
    assert.ok(epoch > 0);
    // No record may have the last number: there would be none for what follows it.
    const readable = sequence < HUGE;
    const pool = Pool.open(rig.writer);
    const log = pool.log('log');
    assert.is([...log.recordsSync()].length, readable ? 1 : 0);
    if (sequence === HUGE - 2) log.append(Buffer.from('the last one'));
    throwsCode('ERR_PMSEG_FULL', () => log.append(Buffer.from('x')));
    log.persist();
    const before = contents(pool);
    // The segment before, whose records are forgotten but there, tells where the numbers go on.
    log.cut(log.begin);
    log.append(Buffer.from('after the cut'));
    log.persist();
    pool.put('other', Buffer.from('goes on'));
    pool.close();
    assert.is(before.get('log')?.error, undefined);
    rig.undo();
  });
}

/** A pool of two 16 MiB segments: a log's head, and a follower that is as far behind as the trim position says. */
function farLog(index: number, trimPos: bigint): Rig {
  const segmentSize = 16 * MIB;
  const medium = new MemoryMedium(2 * MIB + 3 * segmentSize + 4096, { granularity: 'page' });
  Pool.format(medium, { segmentSize, uuid: '00112233-4455-6677-8899-aabbccddeeff' });
  const pool = Pool.open(medium, { ownerSeed: 'far' });
  pool.log('log', { create: true }).append(Buffer.from('first'));
  pool.log('log').persist();
  pool.log('follower', { create: true }).append(Buffer.from('far away'));
  pool.log('follower').persist();
  pool.close();
  const far = new Rig(medium.image());
  const forge = new Forger(far, segmentSize);
  forge.rename(1, '');
  forge.set('owner', 1, { chainIndex: BigInt(index), state: 1n, ownerId: forge.get('owner', 0, 'ownerId') });
  forge.set('owner', 0, { trimPos });
  forge.set('info', 0, { flags: flagsOf(media.TYPE_LOG, true), next: 1n });
  const off = forge.dataOff(1);
  const epoch = far.bytes(off + media.LOG_HEADER_SIZE, 1)[0] as number;
  forge.sealLog(1, 0, media.LOG_EPOCH_RECORD_SIZE, epoch);
  forge.sealLog(1, media.LOG_EPOCH_RECORD_SIZE, media.LOG_HEADER_SIZE + 8, epoch);
  return far;
}

test('a log whose positions end where numbers end', () => {
  const dataSize = 16 * MIB - media.DATA_OFF;
  const limit = Math.floor(HUGE / dataSize);
  for (const [index, found] of [
    [limit - 2, []],
    [limit - 1, []],
    [limit, ['CHAIN_BROKEN', 'UNREACHED', 'LOG_DAMAGED']],
    [2 ** 32 - 1, ['CHAIN_BROKEN', 'UNREACHED', 'LOG_DAMAGED']],
  ] as const) {
    const far = farLog(index, BigInt(Math.min(HUGE, index * dataSize)));
    const pool = Pool.open(far.reader);
    assert.equal(codes(checkPool(pool).findings), [...found], `index ${index}`);
    const before = contents(pool);
    assert.is(before.get('log')?.pieces.length, found.length === 0 ? 1 : 0, `index ${index}`);
    if (found.length === 0) assert.ok((before.get('log')?.positions[0] as number) >= index * dataSize);
    pool.close();
    const writer = Pool.open(far.writer);
    const log = writer.log('log');
    if (index === limit - 2) {
      log.append(Buffer.from('near the end'));
      log.append(new Uint8Array(dataSize - 100));
      throwsCode('ERR_PMSEG_FULL', () => log.append(new Uint8Array(1)));
    } else throwsCode(found.length === 0 ? 'ERR_PMSEG_FULL' : 'ERR_PMSEG_DAMAGED', () => log.append(new Uint8Array(1)));
    writer.close();
    const again = Pool.open(far.writer);
    assertKept(before, contents(again), `index ${index}`);
    assert.equal(codes(checkPool(again).findings), found.length === 0 ? [] : [...found]);
    again.close();
  }
});

test('a trim position far behind the end gives nothing up, and appends show', () => {
  const untouched = contents(Pool.open(rig.reader));
  for (const trimPos of [MIB, 2 * MIB, 2 ** 32, 2 ** 52, HUGE]) {
    forger.set('owner', LOG, { trimPos: BigInt(trimPos) });
    const pool = Pool.open(rig.writer);
    const log = pool.log('log');
    log.append(Buffer.from('after'));
    log.persist();
    pool.close();
    const again = Pool.open(rig.writer);
    assert.is(Buffer.from([...again.log('log').recordsSync()].at(-1)?.data as Uint8Array).toString(), 'after', `trim position ${trimPos}`);
    assert.equal(codes(checkPool(again).findings), [], `trim position ${trimPos}`);
    const others = contents(again);
    for (const all of [untouched, others]) all.delete('log');
    assertSame(untouched, others, `trim position ${trimPos}`);
    again.close();
    rig.undo();
  }
});

test('an object of 2^53 - 1 bytes takes no memory and gives no bytes', () => {
  forger.set('owner', SMALL, { byteLen: BigInt(HUGE) });
  for (const medium of [rig.reader, rig.writer]) {
    using pool = Pool.open(medium);
    throwsCode('ERR_PMSEG_DAMAGED', () => pool.get('small'));
    const reader = pool.openObject('small');
    throwsCode('ERR_PMSEG_DAMAGED', () => reader.read(new Uint8Array(10), HUGE - 5));
    assert.is(reader.read(new Uint8Array(10), HUGE), 0);
    throwsCode('ERR_PMSEG_DAMAGED', () => [...reader.chunks()]);
  }
  const pool = Pool.open(rig.writer);
  pool.put('small', Buffer.from('anew'), { replace: true });
  assert.is(Buffer.from(pool.get('small')).toString(), 'anew');
  pool.close();
  rig.undo();
});

test('an image cut off, made longer, or of something else, at any size: typed errors, and nothing is written', () => {
  const prng = new Prng();
  const { byteLength } = rig.base;
  const edges = [0, 256, 4096, 8192, 2 * MIB, 3 * MIB, byteLength - 4096, byteLength];
  const sizes = new Set(edges.flatMap((size) => [size - 4096, size - 1, size, size + 1, size + 4096]));
  for (let i = 0; i < 10; i++) sizes.add(prng.below(byteLength));
  sizes.delete(byteLength);
  const known = new Set(['ERR_PMSEG_NOT_POOL', 'ERR_PMSEG_TRUNCATED', 'ERR_PMSEG_DAMAGED']);
  const refused = (image: Uint8Array, where: string): void => {
    for (const writable of [false, true]) {
      const medium = new WatchedMedium(image, writable);
      let error: unknown;
      try {
        Pool.open(medium);
      } catch (reason) {
        error = reason;
      }
      assert.ok(error instanceof PmsegError && known.has(error.code), `${where}: ${String(error)}`);
      assert.equal(medium.stored, [], where);
    }
  };
  for (const size of sizes) {
    if (size < 0) continue;
    const image = new Uint8Array(size);
    image.set(rig.base.subarray(0, size));
    refused(image, `${size} bytes of ${byteLength}`);
  }
  for (const byte of [0, 0xff, 0x50]) refused(new Uint8Array(byteLength).fill(byte), `nothing but ${byte}`);
  const tile = prng.bytes(65521);
  refused(
    new Uint8Array(byteLength).map((_, i) => tile[i % tile.byteLength] as number),
    'random bytes',
  );
  // The first superblock alone, moved into a pool-sized file of something else, is one good copy: a pool without one good segment.
  const image = new Uint8Array(byteLength).fill(0xee);
  image.set(rig.base.subarray(0, 4096));
  const pool = Pool.open(new WatchedMedium(image, false));
  assert.equal(pool.list(), []);
  assert.is(pool.status().segments.free, 0);
  pool.close();
});
