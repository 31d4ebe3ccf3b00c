/**
 * Goal: a log gives back what was appended, in order, and nothing else, whatever happened to the medium in between.
 * Method: 1 MiB segments in memory, images patched by hand: torn tails at every byte, stale bytes of earlier lives, planted damage.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { MemoryMedium, Pool, type Log } from '../../src/index.js';
import { MIB, memoryPool, rejectsCode, sizeFor, throwsCode } from '../kit/pools.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';

const test = suite('log');
const DATA_SIZE = MIB - media.DATA_OFF;

const texts = (log: Log, from = 0): string[] => [...log.recordsSync({ from })].map(({ data }) => Buffer.from(data).toString());
/** Where position 0 of a log lies whose head is segment `id`. */
const dataOff = (id: number): number => media.SEGMENTS_OFF + id * MIB + media.DATA_OFF;

function reopen(medium: MemoryMedium, change?: (image: Uint8Array) => void): { pool: Pool; medium: MemoryMedium } {
  const image = medium.image();
  change?.(image);
  const next = new MemoryMedium(image, { granularity: 'page' });
  return { pool: Pool.open(next, { ownerSeed: 'again' }), medium: next };
}

test('records of all sizes come back in order, over segments and reopening', async () => {
  const prng = new Prng();
  const { pool, medium } = memoryPool(24, 'page');
  const log = pool.log('log', { create: true });
  const longest = log.recordLenMax;
  const sizes = [
    0,
    1,
    7,
    8,
    9,
    longest,
    longest - 1,
    ...Array.from({ length: 200 }, () => prng.below(prng.below(10) === 0 ? 300000 : 3000)),
  ];
  const sent: { position: number; data: Uint8Array }[] = [];
  for (const size of sizes) {
    const data = prng.bytes(size);
    const split = prng.below(size + 1);
    sent.push({ position: log.append(prng.below(2) === 0 ? data : [data.subarray(0, split), data.subarray(split)]), data });
    if (prng.below(40) === 0) log.persist();
  }
  throwsCode('ERR_PMSEG_ARGUMENT', () => log.append(new Uint8Array(longest + 1)));
  throwsCode('ERR_PMSEG_ARGUMENT', () => log.append('text' as never));
  log.persist();
  assert.is(log.durable, log.end);
  for (const candidate of [log, reopen(medium).pool.log('log')]) {
    let i = 0;
    for await (const record of candidate.records()) {
      const expected = sent[i++];
      assert.is(record.position, expected?.position);
      assert.is(Buffer.compare(record.data, expected?.data as Uint8Array), 0);
    }
    assert.is(i, sent.length);
    const from = sent[150]?.position as number;
    assert.is([...candidate.recordsSync({ from })].length, sent.length - 150);
    assert.is([...candidate.recordsSync({ from: from + 1 })].length, sent.length - 151);
    assert.is([...candidate.recordsSync({ from: candidate.end })].length, 0);
  }
});

test('a tail torn at any byte ends the log before it, and appending goes on', () => {
  const { pool, medium } = memoryPool(4, 'page');
  const log = pool.log('log', { create: true });
  log.append(Buffer.from('first'));
  const position = log.append(Buffer.from('the second record, to be torn'));
  log.persist();
  const size = log.end - position;
  for (const filling of [0, 0xff]) {
    for (let kept = 0; kept < size; kept++) {
      const { pool: after, medium: next } = reopen(medium, (image) =>
        image.fill(filling, dataOff(0) + position + kept, dataOff(0) + position + size),
      );
      const torn = after.log('log');
      // The padding's zeros may be all that was torn off.
      const whole = filling === 0 && kept >= media.LOG_HEADER_SIZE + 29;
      assert.equal(texts(torn), whole ? ['first', 'the second record, to be torn'] : ['first'], `kept ${kept}`);
      assert.is(torn.damage, undefined);
      torn.append(Buffer.from('third'));
      torn.persist();
      assert.is(texts(reopen(next).pool.log('log')).at(-1), 'third');
    }
  }
});

test('an unacknowledged record behind a torn one never becomes valid, whatever is appended over the gap', () => {
  const { pool, medium } = memoryPool(4, 'page');
  const log = pool.log('log', { create: true });
  log.append(Buffer.from('kept'));
  log.persist();
  const torn = log.append(Buffer.alloc(100, 'a'));
  const behind = log.append(Buffer.alloc(100, 'b'));
  log.flush();
  for (let len = 0; len <= 140; len++) {
    const first = reopen(medium, (image) => (image[dataOff(0) + torn + 30]! ^= 1));
    const again = first.pool.log('log');
    assert.equal(texts(again), ['kept']);
    const position = again.append(Buffer.alloc(len, 'c'));
    again.persist();
    const last = reopen(first.medium).pool.log('log');
    assert.equal(texts(last), ['kept', 'c'.repeat(len)], `${len} bytes, ${position} ${behind}`);
    assert.is(last.damage, undefined);
  }
});

test('bytes of an earlier life of the segments never show', () => {
  const { pool, medium } = memoryPool(4, 'page');
  const first = pool.log('log', { create: true });
  for (let i = 0; i < 1000; i++) first.append(Buffer.from(`old ${i}`));
  first.persist();
  pool.remove('log');
  const second = pool.log('log', { create: true });
  assert.equal(texts(second), []);
  second.append(Buffer.from('new'));
  second.persist();
  assert.equal(texts(reopen(medium).pool.log('log')), ['new']);
});

/** A log of ten durable records in one or more segments. */
function durableLog(len: number): { medium: MemoryMedium; positions: number[] } {
  const { pool, medium } = memoryPool(12, 'page');
  const log = pool.log('log', { create: true });
  const positions = Array.from({ length: 10 }, (_, i) => {
    const position = log.append(Buffer.alloc(len, i));
    log.persist();
    return position;
  });
  return { medium, positions };
}

test('damage in the middle is told from a torn tail, and waits to be cut', () => {
  const { medium, positions } = durableLog(500);
  const bad = positions[4] as number;
  const { pool, medium: damaged } = reopen(medium, (image) => (image[dataOff(0) + bad + 40]! ^= 0x10));
  const log = pool.log('log');
  assert.is(log.damage?.position, bad);
  const seen: number[] = [];
  const error = throwsCode('ERR_PMSEG_DAMAGED', () => {
    for (const { position } of log.recordsSync()) seen.push(position);
  });
  assert.is(error['offset'], bad);
  assert.equal(seen, positions.slice(0, 4));
  throwsCode('ERR_PMSEG_DAMAGED', () => log.append(Buffer.from('x')));
  throwsCode('ERR_PMSEG_ARGUMENT', () => log.cut(bad - 8));
  log.cut();
  assert.is([...log.recordsSync()].length, 4);
  const cutOnly = reopen(damaged).pool.log('log');
  assert.is(cutOnly.damage, undefined, 'a cut holds');
  assert.is([...cutOnly.recordsSync()].length, 4);
  log.append(Buffer.from('after the cut'));
  log.persist();
  assert.is(texts(reopen(damaged).pool.log('log')).at(-1), 'after the cut');
});

test('a bad record in a segment that has a successor is damage, and cutting frees what follows', () => {
  const { medium, positions } = durableLog(300000);
  const bad = positions[2] as number;
  assert.ok(bad < DATA_SIZE && (positions[9] as number) > 2 * DATA_SIZE);
  const { pool, medium: damaged } = reopen(medium, (image) => (image[dataOff(0) + bad + 5000]! ^= 1));
  const used = pool.status().segments.used;
  const log = pool.log('log');
  assert.is(log.damage?.position, bad);
  log.cut();
  assert.is(pool.status().segments.used, 1);
  assert.ok(used > 3);
  log.append(Buffer.from('next'));
  log.persist();
  const last = reopen(damaged);
  assert.is([...last.pool.log('log').recordsSync()].length, 3);
  assert.equal(last.pool.findings, []);
});

test('trimming frees whole segments, holds over reopening, and never moves back', () => {
  const { medium, positions } = durableLog(300000);
  const { pool, medium: next } = reopen(medium);
  const log = pool.log('log');
  const before = pool.status().segments.used;
  log.trim(positions[1] as number);
  assert.is(pool.status().segments.used, before, 'the head stays');
  log.trim(positions[7] as number);
  assert.ok(pool.status().segments.used < before);
  log.trim(positions[3] as number);
  assert.is(log.begin, positions[7]);
  throwsCode('ERR_PMSEG_ARGUMENT', () => log.trim(log.end + 1));
  const again = reopen(next);
  assert.equal(
    [...again.pool.log('log').recordsSync()].map(({ position }) => position),
    positions.slice(7),
  );
  assert.is(again.pool.status().segments.used, pool.status().segments.used);
  again.pool.log('log').trim(log.end);
  assert.equal(texts(again.pool.log('log')), []);
  again.pool.log('log').append(Buffer.from('still here'));
  assert.equal(texts(again.pool.log('log')), ['still here']);
});

test('concurrent durable appends share barriers, and each is durable when it says so', async () => {
  const { pool, medium } = memoryPool(4, 'page');
  const log = pool.log('log', { create: true });
  const before = medium.counts.drains;
  await Promise.all(
    Array.from({ length: 64 }, async (_, i) => {
      const position = await log.appendDurable(Buffer.from(`${i}`));
      assert.ok(log.durable > position);
    }),
  );
  assert.ok(medium.counts.drains - before <= 2, `${medium.counts.drains - before} drains`);
  assert.is(texts(log).length, 64);
});

test('a barrier that fails rejects every caller and halts the pool', async () => {
  let failing = false;
  const { pool } = memoryPool(4, 'page', (operation) => {
    if (failing && operation.kind === 'drain') throw new Error('planted');
  });
  const log = pool.log('log', { create: true });
  failing = true;
  await Promise.all([1, 2, 3].map(() => rejectsCode('ERR_PMSEG_HALTED', log.appendDurable(Buffer.from('x')))));
  failing = false;
  throwsCode('ERR_PMSEG_HALTED', () => log.append(Buffer.from('y')));
  throwsCode('ERR_PMSEG_HALTED', () => log.persist());
});

test('a sealed log is read, not appended to', () => {
  const { pool, medium } = memoryPool(4, 'page');
  const log = pool.log('log', { create: true });
  log.append(Buffer.from('last'));
  log.seal();
  throwsCode('ERR_PMSEG_SEALED', () => log.append(Buffer.from('x')));
  const again = reopen(medium).pool.log('log');
  assert.ok(again.sealed);
  assert.equal(texts(again), ['last']);
  throwsCode('ERR_PMSEG_SEALED', () => again.append(Buffer.from('x')));
});

test('a full pool stops an append, not the log', () => {
  const { pool, medium } = memoryPool(3, 'page');
  pool.put('ballast', Buffer.alloc(2 * DATA_SIZE));
  const log = pool.log('log', { create: true });
  const big = Buffer.alloc(400000);
  log.append(big);
  log.append(big);
  for (let i = 0; i < 3; i++) throwsCode('ERR_PMSEG_FULL', () => log.append(big));
  assert.is([...log.recordsSync()].length, 2);
  pool.remove('ballast');
  log.append(big);
  log.persist();
  assert.is([...reopen(medium).pool.log('log').recordsSync()].length, 3);
});

test('a log opened again in the same pool continues under a new epoch', () => {
  const { pool, medium } = memoryPool(3, 'page');
  for (let i = 0; i < 5; i++) {
    const log = pool.log('log', { create: true });
    log.append(Buffer.from(`${i}`));
    log.persist();
    log.append(Buffer.from('lost: never flushed'));
    log.close();
  }
  assert.equal(texts(pool.log('log')), ['0', '1', '2', '3', '4']);
  assert.equal(texts(reopen(medium).pool.log('log')), ['0', '1', '2', '3', '4']);
  throwsCode('ERR_PMSEG_NO_ENTRY', () => pool.log('other'));
  pool.put('object', Buffer.from(''));
  throwsCode('ERR_PMSEG_NO_ENTRY', () => pool.log('object'));
  assert.is(medium.size, sizeFor(3));
});
