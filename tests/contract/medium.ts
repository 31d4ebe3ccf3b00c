/**
 * Goal: a segment behaves the same on every medium; only what a barrier costs differs.
 * Method: one suite over a pool of four 1 MiB segments. Copies are held against a plain byte array, with seeded random pieces and offsets.
 */
import * as assert from 'uvu/assert';
import { Bio, Pool, SegmentPos, type Segment } from '../../src/index.js';
import type { OpenOptions } from '../../src/pool.js';
import { MIB, throwsCode, rejectsCode } from '../kit/pools.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';

export interface World {
  /** A new pool with four free segments of 1 MiB. */
  create(): Pool;
  /** The same pool again, after it was closed. */
  open(options?: OpenOptions): Pool;
  mode: string;
  granularity: string;
}

/** Random pieces of memory of `len` bytes in all: Buffers, other views, shared memory, empty ones. */
function pieces(prng: Prng, len: number): ArrayBufferView[] {
  const views: ArrayBufferView[] = [];
  for (let left = len; left > 0; ) {
    const take = Math.min(left, prng.below(5) === 0 ? 0 : 1 + prng.below(3000));
    const shared = prng.below(3) === 0;
    const buffer = shared ? new SharedArrayBuffer(take + 8) : new ArrayBuffer(take + 8);
    views.push(prng.below(4) === 0 ? new DataView(buffer, 3, take) : new Uint8Array(buffer, prng.below(8), take));
    left -= take;
  }
  return views;
}

function concat(views: readonly ArrayBufferView[]): Buffer {
  return Buffer.concat(views.map((view) => Uint8Array.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))));
}

/** A bio of `len` bytes of random content, in one of the places that a bio can be. */
function randomBio(prng: Prng, pool: Pool, segment: Segment, len: number): Bio {
  const kind = prng.below(3);
  const bio =
    kind === 0 ? Bio.from(pieces(prng, len)) : kind === 1 ? segment.bio(Math.floor(len / 3), 0, len - Math.floor(len / 3)) : pool.bio(len);
  for (const piece of bio.pieces) piece.set(prng.bytes(piece.byteLength));
  return bio;
}

export function mediumContract(name: string, world: World): void {
  const test = suite(name);

  test('status says what the medium is', () => {
    const pool = world.create();
    const status = pool.status();
    assert.is(status.mode, world.mode);
    assert.is(status.granularity, world.granularity);
    assert.equal(status.segments, { total: 4, free: 4, used: 0, damaged: 0 });
    assert.ok(status.guarantee.length > 10);
    pool.close();
  });

  test('copies move exactly the bytes that were asked for, and no position', () => {
    const prng = new Prng();
    const pool = world.create();
    const segment = pool.allocate();
    const { dataSize } = segment;
    const model = new Uint8Array(dataSize);
    segment.copyFromBio(0, dataSize, Bio.from(model));
    for (let round = 0; round < 120; round++) {
      const off = prng.below(4) === 0 ? dataSize - prng.below(9000) - 1 : prng.below(dataSize);
      const len = Math.min(dataSize - off, prng.below(5) === 0 ? prng.below(40000) : prng.below(300));
      const advance = prng.below(50);
      const bioOff = prng.below(50);
      const bio = randomBio(prng, pool, segment, advance + bioOff + len + prng.below(20)).advance(advance);
      const before = concat(bio.pieces);
      if (prng.below(2) === 0) {
        segment.copyFromBio(off, len, bio, bioOff, { persist: prng.below(10) === 0 });
        model.set(before.subarray(advance + bioOff, advance + bioOff + len), off);
        assert.is(Buffer.compare(concat(bio.pieces), before), 0, 'the bio is only read');
      } else {
        segment.copyToBio(off, len, bio, bioOff);
        before.set(model.subarray(off, off + len), advance + bioOff);
        assert.is(Buffer.compare(concat(bio.pieces), before), 0, `round ${round}: off ${off} len ${len}`);
      }
      assert.is(bio.pos, advance);
      bio.release();
    }
    const all = Buffer.alloc(dataSize);
    assert.is(segment.read(all, 0), dataSize);
    assert.is(Buffer.compare(all, model), 0);
    pool.close();
    const again = world.open({ readOnly: true });
    const reread = Buffer.alloc(dataSize);
    again.segment(segment.id).read(reread, 0);
    assert.is(Buffer.compare(reread, model), 0, 'after reopening');
    again.close();
  });

  test('a short bio is an I/O error before anything is copied', () => {
    const pool = world.create();
    const segment = pool.allocate();
    segment.write(Buffer.from('before'), 0);
    const target = Buffer.from('target');
    for (const call of [
      () => segment.copyToBio(0, 7, Bio.from(target)),
      () => segment.copyFromBio(0, 7, Bio.from(target)),
      () => segment.copyToBio(0, 3, Bio.from(target), 4),
    ]) {
      assert.is(throwsCode('ERR_PMSEG_SHORT_COPY', call)['errno'], 5);
    }
    assert.is(target.toString(), 'target');
    const now = Buffer.alloc(6);
    segment.read(now, 0);
    assert.is(now.toString(), 'before');
    pool.close();
  });

  test('wrong types and values are told from each other, and nothing happens', () => {
    const pool = world.create();
    const segment = pool.allocate();
    const bio = Bio.from(Buffer.alloc(8));
    for (const off of [-1, 0.5, Number.NaN, Infinity, segment.dataSize + 1, 2 ** 53]) {
      assert.instance(
        throwsCode('ERR_PMSEG_ARGUMENT', () => segment.copyToBio(off, 0, bio)),
        RangeError,
      );
      assert.instance(
        throwsCode('ERR_PMSEG_ARGUMENT', () => segment.view(off, 0)),
        RangeError,
      );
    }
    for (const len of [-1, 0.5, Number.NaN, segment.dataSize, 2 ** 53])
      assert.instance(
        throwsCode('ERR_PMSEG_ARGUMENT', () => segment.copyFromBio(1, len, bio)),
        RangeError,
      );
    for (const wrong of ['0', null, undefined, {}, 1n])
      assert.instance(
        throwsCode('ERR_PMSEG_ARGUMENT', () => segment.copyToBio(wrong as never, 1, bio)),
        TypeError,
      );
    for (const wrong of ['text', null, 7, new ArrayBuffer(4)])
      assert.instance(
        throwsCode('ERR_PMSEG_ARGUMENT', () => Bio.from(wrong as never)),
        TypeError,
      );
    const buffer = new ArrayBuffer(8);
    const detached = Bio.from(new Uint8Array(buffer));
    structuredClone(buffer, { transfer: [buffer] });
    assert.instance(
      throwsCode('ERR_PMSEG_ARGUMENT', () => segment.copyFromBio(0, 8, detached)),
      TypeError,
    );
    for (const id of [-1, 4, 1.5])
      assert.instance(
        throwsCode('ERR_PMSEG_ARGUMENT', () => pool.segment(id)),
        RangeError,
      );
    segment.copyToBio(segment.dataSize, 0, bio);
    pool.close();
  });

  test('read and write have short counts at the end of the data', () => {
    const pool = world.create();
    const segment = pool.allocate();
    const end = segment.dataSize;
    assert.is(segment.write(Buffer.alloc(10, 1), end - 4), 4);
    assert.is(segment.writev([Buffer.alloc(3, 2), Buffer.alloc(0), Buffer.alloc(3, 3)], end - 4), 4);
    const [a, b] = [Buffer.alloc(2), Buffer.alloc(9)];
    assert.is(segment.readv([a, b], end - 4), 4);
    assert.equal([...a, ...b.subarray(0, 3)], [2, 2, 2, 3, 0]);
    assert.is(segment.read(b, end), 0);
    assert.is(segment.read(b, end + 100), 0);
    pool.close();
  });

  test('views, writes and reads show the same bytes', async () => {
    const pool = world.create();
    const segment = pool.allocate();
    segment.write(Buffer.alloc(200000, 1), 0);
    const view = segment.view(1000, 100000);
    assert.is(view.bytes[0], 1);
    segment.write(Buffer.from([9, 8]), 1000);
    assert.equal([view.bytes[0], view.bytes[1], view.bytes[2]], [9, 8, 1]);
    const writable = segment.view(2000, 5000, { write: true });
    writable.bytes.fill(5);
    assert.is(view.bytes[1000], 5);
    const read = Buffer.alloc(3);
    segment.read(read, 1999);
    assert.equal([...read], [1, 5, 5]);
    segment.persist(2000, 5000);
    await segment.persistAsync(0, 10);
    throwsCode('ERR_PMSEG_BUSY', () => pool.close());
    throwsCode('ERR_PMSEG_BUSY', () => pool.free(segment));
    assert.is(pool.status().viewCount, 2);
    view.release();
    writable.release();
    writable.release();
    pool.close();
    const again = world.open();
    again.segment(segment.id).read(read, 6998);
    assert.equal([...read], [5, 5, 1]);
    again.close();
  });

  test('crc32c is the standard one, verify finds nothing wrong', () => {
    const pool = world.create();
    const segment = pool.allocate();
    segment.write(Buffer.from('123456789'), 77);
    assert.is(segment.crc32c(77, 9), 0xe3069283);
    assert.is(segment.crc32c(0, 0), 0);
    assert.equal(segment.verify(), { degraded: [] });
    pool.close();
  });

  test('segments are taken lowest id first, given back, and taken again', () => {
    const pool = world.create();
    const segments = [0, 1, 2, 3].map(() => pool.allocate());
    assert.equal(
      segments.map(({ id }) => id),
      [0, 1, 2, 3],
    );
    throwsCode('ERR_PMSEG_FULL', () => pool.allocate());
    pool.free(segments[2] as Segment);
    pool.free(segments[1] as Segment);
    throwsCode('ERR_PMSEG_CLOSED', () => (segments[1] as Segment).read(Buffer.alloc(1), 0));
    throwsCode('ERR_PMSEG_CLOSED', () => pool.free(segments[1] as Segment));
    throwsCode('ERR_PMSEG_NO_ENTRY', () => pool.segment(1));
    assert.equal(
      [...pool].map(({ id }) => id),
      [0, 3],
    );
    assert.is(pool.allocate().id, 1);
    throwsCode('ERR_PMSEG_ARGUMENT', () => pool.allocate({ type: 'object' as never }));
    pool.close();
    const again = world.open();
    assert.equal(
      [...again].map(({ id }) => id),
      [0, 1, 3],
    );
    assert.is(again.segment(1).type, 'cache-data');
    again.close();
  });

  test('chains are followed, and circles noticed', () => {
    const pool = world.create();
    const [a, b, c] = [pool.allocate(), pool.allocate(), pool.allocate()];
    a.setNext(b);
    b.setNext(c);
    assert.equal(
      [...a.chain()].map(({ id }) => id),
      [0, 1, 2],
    );
    throwsCode('ERR_PMSEG_DAMAGED', () => a.setNext(a));
    c.setNext(b);
    throwsCode('ERR_PMSEG_DAMAGED', () => [...a.chain()]);
    c.setNext(undefined);
    pool.close();
    const again = world.open();
    assert.equal(
      [...again.segment(0).chain()].map(({ id }) => id),
      [0, 1, 2],
    );
    again.close();
  });

  test('a position never leaves the data', () => {
    const pool = world.create();
    const segment = pool.allocate();
    const pos = new SegmentPos(segment, 10);
    assert.is(pos.advance(20).off, 30);
    assert.is(pos.remain, segment.dataSize - 30);
    throwsCode('ERR_PMSEG_ARGUMENT', () => pos.advance(segment.dataSize - 29));
    throwsCode('ERR_PMSEG_ARGUMENT', () => pos.advance(0xffff_ffff));
    assert.is(pos.off, 30);
    assert.is(pos.clone().advance(pos.remain).remain, 0);
    throwsCode('ERR_PMSEG_ARGUMENT', () => new SegmentPos(segment, segment.dataSize + 1));
    pool.close();
  });

  test('a read-only pool reads everything and writes nothing', () => {
    const pool = world.create();
    const segment = pool.allocate();
    segment.write(Buffer.from('x'), 0);
    pool.put('name', Buffer.from('value'));
    pool.log('log', { create: true }).append(Buffer.from('record'));
    pool.log('log').persist();
    pool.close();
    const reader = world.open({ readOnly: true });
    const same = reader.segment(segment.id);
    for (const call of [
      () => same.write(Buffer.from('y'), 0),
      () => same.persist(),
      () => same.view(0, 1, { write: true }),
      () => same.setNext(undefined),
      () => reader.allocate(),
      () => reader.free(same),
      () => reader.put('other', Buffer.from('')),
      () => reader.remove('name'),
      () => reader.log('log').append(Buffer.from('')),
      () => reader.log('log').trim(0),
      () => reader.drain(),
    ]) {
      throwsCode('ERR_PMSEG_READ_ONLY', call);
    }
    assert.is(Buffer.from(reader.get('name')).toString(), 'value');
    assert.equal(
      [...reader.log('log').recordsSync()].map(({ data }) => Buffer.from(data).toString()),
      ['record'],
    );
    reader.close();
  });

  test('segments of objects and logs are theirs to write', () => {
    const pool = world.create();
    const entry = pool.put('object', Buffer.from('data'));
    const segment = pool.segment(entry.headId);
    assert.is(segment.type, 'object');
    throwsCode('ERR_PMSEG_READ_ONLY', () => segment.write(Buffer.from('x'), 0));
    throwsCode('ERR_PMSEG_READ_ONLY', () => pool.free(segment));
    pool.close();
  });

  test('after close every call says so', async () => {
    const pool = world.create();
    const segment = pool.allocate();
    const log = pool.log('log', { create: true });
    pool.close();
    pool.close();
    for (const call of [
      () => segment.read(Buffer.alloc(1), 0),
      () => segment.persist(),
      () => pool.status(),
      () => pool.allocate(),
      () => pool.get('x'),
      () => log.append(Buffer.from('')),
    ]) {
      throwsCode('ERR_PMSEG_CLOSED', call);
    }
    await rejectsCode('ERR_PMSEG_CLOSED', segment.persistAsync());
    await rejectsCode('ERR_PMSEG_CLOSED', pool.drainAsync());
  });

  test('a copy at any edge of the data or of a bio moves what it must and nothing beside it', () => {
    const pool = world.create();
    const segment = pool.allocate();
    const { dataSize } = segment;
    const model = new Prng(7).bytes(dataSize);
    segment.copyFromBio(0, dataSize, Bio.from(model));
    for (const off of [
      0,
      1,
      63,
      64,
      65,
      4095,
      4096,
      65535,
      65536,
      dataSize - 65536,
      dataSize - 65,
      dataSize - 64,
      dataSize - 1,
      dataSize,
    ]) {
      for (const len of [0, 1, 2, 63, 64, 65, 4096, 65536, dataSize - off]) {
        if (len > dataSize - off) {
          assert.instance(
            throwsCode('ERR_PMSEG_ARGUMENT', () => segment.copyToBio(off, len, pool.bio(8))),
            RangeError,
          );
          continue;
        }
        for (const bioOff of [0, 1, 7]) {
          const bios = [Bio.from(Buffer.alloc(bioOff + len, 0xaa)), segment.bio(bioOff, len, 0), segment.bio(len + bioOff)];
          for (const bio of bios) {
            for (const piece of bio.pieces) piece.fill(0xaa);
            segment.copyToBio(off, len, bio, bioOff);
            const got = concat(bio.pieces);
            assert.ok(
              got.subarray(0, bioOff).every((byte) => byte === 0xaa),
              'nothing before it',
            );
            assert.is(Buffer.compare(got.subarray(bioOff), model.subarray(off, off + len)), 0, `off ${off} len ${len} bioOff ${bioOff}`);
            segment.copyFromBio(off, len, bio, bioOff);
            throwsCode('ERR_PMSEG_SHORT_COPY', () => segment.copyToBio(off, len, bio, bioOff + 1));
            bio.release();
          }
        }
      }
    }
    const all = Buffer.alloc(dataSize);
    segment.read(all, 0);
    assert.is(Buffer.compare(all, model), 0, 'what was copied back is what was there');
    pool.close();
  });

  test('writes, stores through views and reads agree in every order', () => {
    const pool = world.create();
    const segment = pool.allocate();
    const read = (): number[] => {
      const bytes = Buffer.alloc(4);
      segment.read(bytes, 70000);
      return [...bytes];
    };
    segment.write(Buffer.from([1, 1, 1, 1]), 70000);
    const writable = segment.view(70000, 4, { write: true });
    assert.equal([...writable.bytes], [1, 1, 1, 1]);
    writable.bytes[0] = 2;
    segment.write(Buffer.from([3]), 70001);
    assert.equal(
      [[...writable.bytes], read()],
      [
        [2, 3, 1, 1],
        [2, 3, 1, 1],
      ],
    );
    segment.flush(70000, 4);
    writable.bytes[2] = 4;
    segment.write(Buffer.from([5]), 70003);
    assert.equal(
      [[...writable.bytes], read()],
      [
        [2, 3, 4, 5],
        [2, 3, 4, 5],
      ],
    );
    const other = segment.view(60000, 20000);
    assert.equal([...other.bytes.subarray(10000, 10004)], [2, 3, 4, 5]);
    writable.bytes[3] = 6;
    writable.release();
    assert.is(other.bytes[10003], 6);
    segment.persist(70000, 4);
    other.release();
    segment.write(Buffer.from([7]), 70000);
    pool.close();
    const again = world.open({ readOnly: true });
    const bytes = Buffer.alloc(4);
    again.segment(segment.id).read(bytes, 70000);
    assert.equal([...bytes], [7, 3, 4, 6]);
    again.close();
  });

  test('a call that moves no bytes is refused like any other', () => {
    const pool = world.create();
    const [segment, freed] = [pool.allocate(), pool.allocate()];
    const { dataSize } = segment;
    pool.free(freed);
    throwsCode('ERR_PMSEG_CLOSED', () => freed.read(Buffer.alloc(1), dataSize));
    throwsCode('ERR_PMSEG_CLOSED', () => freed.write(Buffer.alloc(0), 0));
    for (const wrong of [undefined, null, 'bio', Buffer.alloc(8)]) {
      for (const call of [() => segment.copyToBio(0, 8, wrong as never), () => segment.copyFromBio(0, 8, wrong as never)]) {
        assert.instance(throwsCode('ERR_PMSEG_ARGUMENT', call), TypeError);
      }
    }
    const released = segment.bio(8);
    released.release();
    throwsCode('ERR_PMSEG_CLOSED', () => segment.copyToBio(0, 8, released));
    throwsCode('ERR_PMSEG_ARGUMENT', () => segment.read(Buffer.alloc(1), -1));
    throwsCode('ERR_PMSEG_ARGUMENT', () => Bio.from(Array.from({ length: 1025 }, () => Buffer.alloc(1))));
    throwsCode('ERR_PMSEG_ARGUMENT', () => Bio.from(Buffer.alloc(4)).advance(5));
    pool.close();
    throwsCode('ERR_PMSEG_CLOSED', () => segment.read(Buffer.alloc(1), dataSize));
    const reader = world.open({ readOnly: true });
    throwsCode('ERR_PMSEG_READ_ONLY', () => reader.segment(segment.id).write(Buffer.alloc(1), dataSize));
    reader.close();
  });

  test('prefetch and concurrent barriers come back', async () => {
    const pool = world.create();
    const segment = pool.allocate();
    await segment.prefetch(0, MIB / 2);
    await Promise.all(Array.from({ length: 20 }, (_, i) => (segment.write(Buffer.from([i]), i), segment.persistAsync(i, 1))));
    await pool[Symbol.asyncDispose]();
    assert.ok(pool.closed);
  });
}
