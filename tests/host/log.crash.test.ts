/**
 * Goal: what a log acknowledged survives every order of trims, cuts, full disks and power cuts; what it did not promise never looks promised.
 * Method: constructed cases in which a position, a link or a trim points to where nothing survived; then tests/kit/powercut.ts over short
 * workloads at both persistency models, with a second cut inside recovery.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { MemoryMedium, Pool, PmsegError, checkPool, type Log, type Operation } from '../../src/index.js';
import { MIB, memoryPool, throwsCode } from '../kit/pools.js';
import { powerCuts } from '../kit/powercut.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';

const test = suite('log, crash and damage');
const DATA_SIZE = MIB - media.DATA_OFF;
const prng = new Prng();

const texts = (log: Log): string[] => [...log.recordsSync()].map(({ data }) => Buffer.from(data).toString());
const firsts = (log: Log): (number | undefined)[] => [...log.recordsSync()].map(({ data }) => data[0]);
/** Where in the pool a byte of segment `id`'s data lies. */
const at = (id: number, off: number): number => media.SEGMENTS_OFF + id * MIB + media.DATA_OFF + off;

function reopen(medium: MemoryMedium, change?: (image: Uint8Array) => void): { pool: Pool; medium: MemoryMedium; log: Log } {
  const image = medium.image();
  change?.(image);
  const next = new MemoryMedium(image, { granularity: 'page' });
  const pool = Pool.open(next, { ownerSeed: 'again' });
  return { pool, medium: next, log: pool.log('log') };
}

function newLog(count = 12): { pool: Pool; medium: MemoryMedium; log: Log } {
  const { pool, medium } = memoryPool(count, 'page');
  return { pool, medium, log: pool.log('log', { create: true }) };
}

/** `count` durable records of `len` bytes, each of one value: its number. */
function filled(count: number, len: number, segments = 12): { medium: MemoryMedium; positions: number[] } {
  const { medium, log } = newLog(segments);
  const positions = Array.from({ length: count }, (_, i) => {
    const position = log.append(Buffer.alloc(len, i));
    log.persist();
    return position;
  });
  return { medium, positions };
}

test('a trim up to what was only appended hides nothing that is appended after a crash', () => {
  const { medium, log } = newLog();
  log.append(Buffer.from('first'));
  log.persist();
  log.append(Buffer.alloc(500, 'x'));
  log.trim(log.end);
  const after = reopen(medium);
  after.log.append(Buffer.from('acknowledged'));
  after.log.persist();
  assert.equal(texts(after.log), ['acknowledged']);
  assert.equal(texts(reopen(after.medium).log), ['acknowledged']);
});

test('a trim position behind what survived damage hides nothing that is appended there', () => {
  const { medium, positions } = filled(10, 500);
  const trimmed = reopen(medium);
  trimmed.log.trim(positions[6] as number);
  // The bad record lies before the trim position, in the same segment: the walk cannot pass it.
  const damaged = reopen(trimmed.medium, (image) => (image[at(0, (positions[2] as number) + 30)]! ^= 1));
  assert.ok(damaged.log.damage);
  damaged.log.cut();
  damaged.log.append(Buffer.from('acknowledged'));
  damaged.log.persist();
  assert.equal(texts(damaged.log), ['acknowledged']);
  assert.equal(texts(reopen(damaged.medium).log), ['acknowledged']);
});

test('a log whose segment begins with the damage is cut there, and what is appended then stays', () => {
  const { medium, positions } = filled(10, 300000);
  const first = positions.findIndex((position) => position >= DATA_SIZE);
  const bad = DATA_SIZE;
  const { pool, medium: next, log } = reopen(medium, (image) => (image[at(1, 9)]! ^= 1));
  assert.is(log.damage?.position, bad);
  log.cut();
  log.append(Buffer.alloc(10, 99));
  log.persist();
  assert.equal(firsts(log), [...Array.from({ length: first }, (_, i) => i), 99]);
  const again = reopen(next);
  assert.equal(firsts(again.log), [...Array.from({ length: first }, (_, i) => i), 99]);
  assert.is(again.log.damage, undefined);
  assert.equal(pool.findings, []);
});

test('a log can be cut before any record, and at its end', () => {
  const { medium, positions } = filled(9, 300000);
  const end = reopen(medium).log.end;
  for (const [i, position] of [...positions, end].entries()) {
    const { medium: next, log } = reopen(medium);
    log.cut(position);
    assert.is([...log.recordsSync()].length, i, `cut at ${position}`);
    log.append(Buffer.alloc(10, 99));
    log.persist();
    const again = reopen(next);
    assert.equal(firsts(again.log), [...Array.from({ length: i }, (_, n) => n), 99], `cut at ${position}, reopened`);
    assert.equal([again.log.damage, again.pool.findings], [undefined, []]);
    assert.is(again.pool.status().segments.used, again.pool.list()[0]?.segmentIds.length);
  }
  const { log } = reopen(medium);
  throwsCode('ERR_PMSEG_ARGUMENT', () => log.cut(end + 8));
  throwsCode('ERR_PMSEG_ARGUMENT', () => log.cut((positions[1] as number) + 8));
});

test('a bad record before a link to a damaged segment had been durable: damage, not a torn tail', () => {
  const { medium, positions } = filled(6, 300000);
  const bad = positions[1] as number;
  const { pool, log } = reopen(medium, (image) => {
    image[at(0, bad + 1000)]! ^= 1;
    for (const copy of [0, media.COPY_SIZE]) image[at(1, copy - media.DATA_OFF + 9)]! ^= 1;
    // Nothing in the segment itself proves it.
    image.fill(0, at(0, bad + 2000), at(1, -media.DATA_OFF));
  });
  assert.ok(pool.findings.some(({ code }) => code === 'CHAIN_BROKEN'));
  assert.is(log.damage?.position, bad);
  throwsCode('ERR_PMSEG_DAMAGED', () => log.append(Buffer.from('x')));
});

test('any flipped bit of a record that is proven durable is damage at that record', () => {
  const { medium, positions } = filled(6, 20, 1);
  const [bad, next] = [positions[2] as number, positions[3] as number];
  const image = medium.image();
  const found = new MemoryMedium(image, { writable: false });
  for (let bit = 0; bit < (next - bad) * 8; bit++) {
    const flipped = image.slice();
    flipped[at(0, bad + (bit >> 3))]! ^= 1 << (bit & 7);
    found.restore(flipped);
    const pool = Pool.open(found);
    assert.is(pool.log('log').damage?.position, bad, `bit ${bit}`);
    pool.close();
  }
});

test('records longer than the buffer keep their order among short ones', () => {
  const medium = new MemoryMedium(26 * MIB + 4096, { granularity: 'page' });
  Pool.format(medium, { segmentSize: 8 * MIB });
  const pool = Pool.open(medium);
  const log = pool.log('log', { create: true });
  const sizes = [10, 3 * MIB, 0, MIB - 24, MIB - 56, 5, MIB, 2 * MIB + 1, 7, 7 * MIB, 1];
  const sent = sizes.map((size) => {
    const data = prng.bytes(size);
    return { position: log.append(data), data };
  });
  throwsCode('ERR_PMSEG_ARGUMENT', () => log.append(new Uint8Array(log.recordLenMax + 1)));
  log.persist();
  for (const candidate of [log, reopen(medium).log]) {
    const read = [...candidate.recordsSync()];
    assert.equal(
      read.map(({ position }) => position),
      sent.map(({ position }) => position),
    );
    read.forEach(({ data }, i) => assert.is(Buffer.compare(data, sent[i]?.data as Uint8Array), 0, `record ${i}`));
  }
});

test('a log of the same shape over the same segments shows nothing of the one before', () => {
  const { pool, medium, log } = newLog(6);
  for (let i = 0; i < 12; i++) log.append(Buffer.alloc(300000, 1));
  log.persist();
  pool.remove('log');
  for (let count = 0; count <= 12; count++) {
    const next = pool.log('log', { create: true });
    for (let i = 0; i < count; i++) next.append(Buffer.alloc(300000, 2));
    next.persist();
    const again = reopen(medium);
    assert.equal(
      firsts(again.log),
      Array.from({ length: count }, () => 2),
    );
    assert.is(again.log.damage, undefined);
    pool.remove('log');
  }
});

test('a file system that is full at any store of an append, a roll-over or a trim stops that call alone', () => {
  for (let failing = 0; ; failing++) {
    let left = Infinity;
    const { pool, medium } = memoryPool(8, 'page', (operation) => {
      if (operation.kind === 'store' && left-- === 0) throw new PmsegError('ERR_PMSEG_NO_SPACE', 'planted', { errno: 28 });
    });
    const log = pool.log('log', { create: true });
    left = failing;
    let failures = 0;
    const sent: number[] = [];
    const retried = (call: () => void): void => {
      try {
        call();
      } catch (error) {
        assert.is((error as PmsegError).code, 'ERR_PMSEG_NO_SPACE', `store ${failing}`);
        failures++;
        call();
      }
    };
    let third = 0;
    for (let i = 0; i < 8; i++) {
      retried(() => {
        const position = log.append(Buffer.alloc(400000, i));
        if (i === 5) third = position;
      });
      sent.push(i);
      if (i % 3 === 2) retried(() => log.persist());
    }
    retried(() => log.persist());
    retried(() => log.trim(third));
    assert.equal(firsts(log), [5, 6, 7], `store ${failing}`);
    const again = reopen(medium);
    assert.equal([firsts(again.log), again.log.damage, again.pool.findings], [[5, 6, 7], undefined, []], `store ${failing}`);
    assert.is(again.pool.status().segments.used, again.pool.list()[0]?.segmentIds.length, `store ${failing}`);
    if (failures === 0) break;
  }
});

test('a log is cut among records that were only appended', () => {
  const { medium, log } = newLog();
  const positions = ['one', 'two', 'three'].map((text) => log.append(Buffer.from(text)));
  log.cut(positions[2]);
  assert.equal(texts(log), ['one', 'two']);
  log.append(Buffer.from('after'));
  log.persist();
  assert.equal(texts(reopen(medium).log), ['one', 'two', 'after']);
});

test('a cut holds in the last bytes of a segment, where no epoch record has room', () => {
  for (const room of [24, 32]) {
    const { medium, log } = newLog();
    // The epoch record, and one that leaves just so much.
    log.append(Buffer.alloc(DATA_SIZE - 32 - 24 - room, 'x'));
    const last = log.append(Buffer.alloc(0));
    log.persist();
    assert.is(last, DATA_SIZE - room);
    log.cut(last);
    assert.is(texts(log).length, 1, `${room} bytes`);
    const again = reopen(medium);
    assert.is(texts(again.log).length, 1, `${room} bytes: what was cut away is back`);
    again.log.append(Buffer.from('after'));
    again.log.persist();
    assert.is(texts(reopen(again.medium).log)[1], 'after');
  }
});

test('persist is one durable write where nothing else is on its way', () => {
  const { medium } = newLog();
  const calls: string[] = [];
  class Counting extends MemoryMedium {
    override writeDurable(...args: Parameters<MemoryMedium['writeDurable']>): void {
      calls.push('writeDurable');
      super.writeDurable(...args);
    }
    override drain(): void {
      calls.push('drain');
      super.drain();
    }
  }
  const pool = Pool.open(new Counting(medium.image(), { granularity: 'page' }));
  const log = pool.log('log');
  log.append(Buffer.from('epoch begins'));
  log.persist();
  calls.length = 0;
  log.append(Buffer.from('a'));
  log.append(Buffer.from('b'));
  log.persist();
  assert.equal(calls, ['writeDurable']);
  calls.length = 0;
  log.append(Buffer.from('c'));
  log.flush();
  log.append(Buffer.from('d'));
  log.persist();
  assert.equal(calls, ['drain'], 'with a write before it, write and drain');
  calls.length = 0;
  log.persist();
  assert.equal(calls, [], 'nothing to do');
});

test('a pool of more logs than there are buffers is read and checked all the same', () => {
  const { pool, medium } = memoryPool(120, 'page');
  for (let i = 0; i < 120; i++) {
    const log = pool.log(`log ${i}`, { create: true });
    log.append(Buffer.from(`${i}`));
    log.persist();
    log.close();
  }
  const again = Pool.open(new MemoryMedium(medium.image()));
  assert.equal(
    checkPool(again).findings.filter(({ severity }) => severity === 'damage'),
    [],
  );
  for (let i = 0; i < 120; i++) assert.equal(texts(again.log(`log ${i}`)), [`${i}`]);
});

test('records appended while iterating are seen, and positions only rise', () => {
  const { log } = newLog();
  log.append(Buffer.from([0]));
  let last = -1;
  let count = 0;
  for (const { position, data } of log.recordsSync()) {
    assert.ok(position > last);
    assert.is(data[0], count++);
    last = position;
    if (count < 50) {
      log.append(Buffer.alloc(100000, count));
      log.flush();
    }
    if (count % 10 === 0) log.trim(position);
  }
  assert.is(count, 50);
});

for (const [granularity, tear] of [
  ['cache-line', 8],
  ['byte', 8],
  ['page', 512],
] as const) {
  test(`power lost at any moment of appends, roll-overs and trims keeps what was acknowledged (${granularity})`, () => {
    const operations: Operation[] = [];
    const { pool, medium } = memoryPool(5, granularity, (operation) => operations.push(operation));
    const log = pool.log('log', { create: true });
    pool.drain();
    const initial = medium.image();
    operations.length = 0;
    /** From operation `at` on: so many records acknowledged, so many trimmed away; `sent` were ever appended. */
    const promises: { at: number; kept: number; begin: number }[] = [{ at: 0, kept: 0, begin: 0 }];
    const positions: number[] = [];
    let begin = 0;
    const promise = (): void => void promises.push({ at: operations.length, kept: positions.length, begin });
    for (let i = 0; i < 9; i++) {
      positions.push(log.append(Buffer.alloc(i % 2 === 0 ? 120 + i : 500000, i + 1)));
      if (i % 3 === 0) continue;
      log.persist();
      promise();
      if (i !== 5 && i !== 8) continue;
      log.trim(positions[i - 1] as number);
      begin = i - 1;
      promise();
    }
    const begins = [0, 4, 7];

    const judge = (candidate: Pool, when: number, where: string): void => {
      const { kept, begin: least } = promises.findLast((given) => given.at <= when) as (typeof promises)[0];
      const found = candidate.log('log');
      assert.is(found.damage, undefined, where);
      const read = [...found.recordsSync()];
      // One before the promised trim can only show while the next is under way.
      const first = read[0] === undefined ? least : (read[0].data[0] as number) - 1;
      assert.ok(begins.includes(first) && first >= least, `${where}: begins with record ${first}, trimmed to ${least}`);
      read.forEach(({ data }, i) => {
        const number = first + i;
        assert.is(data.byteLength, number % 2 === 0 ? 120 + number : 500000, where);
        assert.ok(
          data.every((byte) => byte === number + 1),
          `${where}: record ${number}`,
        );
      });
      assert.ok(
        first + read.length >= kept || (read.length === 0 && kept <= least),
        `${where}: ${read.length} from ${first}, ${kept} acknowledged`,
      );
      found.append(Buffer.from('after'));
      found.persist();
      assert.is(Buffer.from([...found.recordsSync()].at(-1)?.data ?? []).toString(), 'after', where);
      assert.equal(candidate.findings, [], where);
      assert.is(
        candidate.status().segments.used,
        candidate.list().reduce((sum, { segmentIds }) => sum + segmentIds.length, 0),
        where,
      );
      found.close();
    };
    let seen = 0;
    let again = 0;
    const images = powerCuts(initial, operations, { granularity, tear, limit: 8, prng }, ({ medium: found, at: when, where, since }) => {
      const image = seen++ % 40 === 0 ? found.image() : undefined;
      judge(Pool.open(found), when, where);
      const recovery = [...since];
      if (!image) return;
      again += powerCuts(image, recovery, { granularity, tear, limit: 3, prng }, (second) => {
        // What recovery appended itself may be there too.
        const opened = Pool.open(second.medium);
        const read = [...opened.log('log').recordsSync()];
        const { kept, begin: least } = promises.findLast((given) => given.at <= when) as (typeof promises)[0];
        const numbers = read.filter(({ data }) => data.byteLength !== 5).map(({ data }) => (data[0] as number) - 1);
        assert.ok(numbers.length === 0 ? kept <= least : (numbers.at(-1) as number) + 1 >= kept, `${where}, then ${second.where}`);
        assert.equal([opened.log('log').damage, opened.findings], [undefined, []], `${where}, then ${second.where}`);
        opened.close({ force: true });
      });
    });
    console.log(`NOTE append, roll-over, trim (${granularity}): ${images} images, ${again} in recovery`);
    assert.ok(images > 50 && again > 10);
  });
}
