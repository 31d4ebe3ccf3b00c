/**
 * Workloads over every kind of update that a pool makes, each with the oracle that says what may be left after power was lost in it.
 *
 * Oracles promise too: what a recovered pool has shown, and what they themselves then make durable, must survive the next loss of power.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { type Oracle, type Outcome, type RecordOptions } from '../../src/crashtest/index.js';
import { completeZeroed } from '../../src/complete.js';
import { Bio, PmsegError, checkPool, type Log, type Pool } from '../../src/index.js';
import { MIB } from '../kit/pools.js';

export interface Case extends Pick<RecordOptions, 'setup' | 'damage' | 'workload' | 'withOpen'> {
  readonly name: string;
  /** Segments of the pool, 1 MiB each. */
  readonly segmentCount: number;
  /** Its records fill segments. */
  readonly large?: boolean;
  readonly oracle: Oracle;
}

/** Values of one kind among the promises, in order. */
function promised<Value>(outcome: Outcome, kind: string): Value[] {
  return outcome.acknowledged.flatMap((given) => {
    const promise = given as Record<string, unknown>;
    return kind in promise ? [promise[kind] as Value] : [];
  });
}

/** No damage, no copy left behind, and exactly the segments that names and raw ones need. The oracles have read the data already. */
function assertWhole({ pool, where }: Outcome, rawCount = 0): void {
  assert.equal([pool.findings, pool.status().degraded], [[], []], where);
  const named = pool.list().reduce((sum, { segmentIds }) => sum + segmentIds.length, 0);
  assert.is(pool.status().segments.used, named + rawCount, `${where}: segments in use`);
  const { findings } = checkPool(pool, { quick: true });
  assert.equal(
    findings.filter(({ severity }) => severity === 'damage'),
    [],
    where,
  );
}

/** The text with which bytes begin. */
function textAt(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.buffer, bytes.byteOffset, end < 0 ? bytes.byteLength : end).toString();
}

function textOf(pool: Pool, name: string): string | null {
  try {
    return textAt(pool.get(name));
  } catch (error) {
    if (error instanceof PmsegError && error.code === 'ERR_PMSEG_NO_ENTRY') return null;
    throw error;
  }
}

/** An object that goes through some values: it has the last promised one or the one after, and keeps what it was seen with. */
function objectOracle(name: string, values: readonly (string | null)[], also?: (outcome: Outcome) => void): Oracle {
  return (outcome) => {
    const { pool, where } = outcome;
    const found = textOf(pool, name);
    const step = promised<number>(outcome, 'step').at(-1) ?? 0;
    const seen = promised<string | null>(outcome, 'seen');
    if (seen.length > 0) assert.is(found, seen.at(-1), `${where}: what was seen once stays`);
    assert.ok(values.slice(step, step + 2).includes(found), `${where}: ${found} after step ${step}`);
    outcome.acknowledge({ seen: found });
    also?.(outcome);
    assertWhole(outcome);
    return JSON.stringify([found, pool.list().length]);
  };
}

const ZEROS = 700_000;
/** Mostly zeros, so that few pieces of the medium change; the last bytes say which record it is. */
function big(text: string): Buffer {
  const data = Buffer.alloc(ZEROS);
  data.write(text, 0);
  data.write(text, ZEROS - 100);
  return data;
}

const texts = (log: Log): string[] => [...log.recordsSync()].map(({ data }) => textAt(data));

/**
 * A log that is given records in order: what is there is a run of them that begins at a promised place or the next, ends no earlier than
 * promised, and may be followed by what oracles of earlier lives have added.
 */
function logOracle(records: readonly string[], firsts: readonly number[] = [0]): Oracle {
  return (outcome) => {
    const { pool, where } = outcome;
    const kept = promised<number>(outcome, 'kept').at(-1);
    if (kept === undefined && !pool.list().some(({ name }) => name === 'log')) {
      assertWhole(outcome);
      return 'no log';
    }
    const log = pool.log('log');
    assert.is(log.damage, undefined, `${where}: called damaged`);
    const found = texts(log);
    const probes = promised<string>(outcome, 'probe');
    const own = found.filter((text) => !text.startsWith('probe'));
    const step = promised<number>(outcome, 'trimmed').at(-1) ?? 0;
    const first = own.length > 0 ? records.indexOf(own[0] as string) : -1;
    assert.equal(own, first < 0 ? [] : records.slice(first, first + own.length), `${where}: order`);
    const end = first < 0 ? (kept ?? 0) : first + own.length;
    assert.ok(end >= (kept ?? 0), `${where}: ${own.length} records from ${first}, promised up to ${kept}`);
    const possible = firsts.slice(step, step + 2);
    if (own.length > 0) assert.ok(possible.includes(first), `${where}: begins at ${first}, not ${possible.join(' or ')}`);
    else assert.ok(possible.some((begin) => begin >= (kept ?? 0)) || (kept ?? 0) === 0, `${where}: all records are gone`);
    for (const probe of probes) assert.ok(found.includes(probe), `${where}: lost ${probe}`);
    assert.equal(found.slice(0, own.length), own, `${where}: probes come last`);
    if (log.sealed) assert.is(end, records.length, `${where}: sealed without its last records`);
    // What was shown as recovered stays; and the log goes on.
    outcome.acknowledge({ kept: Math.max(end, kept ?? 0) });
    if (!log.sealed) {
      const probe = `probe ${probes.length}`;
      log.append(Buffer.from(probe));
      log.persist();
      outcome.acknowledge({ probe });
      assert.equal(texts(log), [...found, probe], where);
    }
    assertWhole(outcome);
    return JSON.stringify([own.length, first, found.length - own.length, log.sealed]);
  };
}

const SMALL = Array.from({ length: 8 }, (_, i) => `record ${i} ${'x'.repeat(i * 13)}`);
const LARGE = Array.from({ length: 7 }, (_, i) => `large ${i}`);

/** Appends each record and persists after some; says what is kept. */
function fill(log: Log, records: readonly Buffer[], every: number, acknowledge: (value: unknown) => void): void {
  records.forEach((data, i) => {
    log.append(data);
    if ((i + 1) % every !== 0) return;
    log.persist();
    acknowledge({ kept: i + 1 });
  });
}

const buffers = (list: readonly string[]): Buffer[] => list.map((text) => Buffer.from(text));

/** Two values of 64 bits, each in another sector. */
const RAW_OFFS = [0, 8, 600, 5000];

/** An object in segment 0, a log in 1, a raw segment 2. */
const oneOfEach = (pool: Pool): void => {
  pool.put('a', Buffer.from('one'));
  pool.log('log', { create: true }).append(Buffer.from('record'));
  pool.log('log').persist();
  pool.allocate();
};

/** An object, a log and a raw segment, of whose records some copies were bad until they were repaired. */
const repairOracle: Oracle = (outcome) => {
  const { pool, where } = outcome;
  assert.equal([textOf(pool, 'a'), texts(pool.log('log')), pool.segment(2).type], ['one', ['record'], 'cache-data'], where);
  assert.equal(pool.findings, [], where);
  const degraded = pool.status().degraded.length;
  const cut = pool.recovered.completed.filter(({ kind }) => kind !== 'superblock');
  if (promised(outcome, 'repaired').length > 0) assert.equal([degraded, cut], [0, []], `${where}: repaired, but not durably`);
  checkPool(pool, { repair: true });
  outcome.acknowledge({ repaired: true });
  assertWhole(outcome, 1);
  return String(degraded);
};

export const CASES: readonly Case[] = [
  {
    name: 'segments are allocated, linked and freed in single steps, also right after opening',
    segmentCount: 4,
    withOpen: true,
    workload: (pool, acknowledge) => {
      const first = pool.allocate();
      acknowledge({ step: 1 });
      const second = pool.allocate();
      acknowledge({ step: 2 });
      first.setNext(second);
      acknowledge({ step: 3 });
      first.setNext(undefined);
      acknowledge({ step: 4 });
      pool.free(second);
      acknowledge({ step: 5 });
      pool.allocate();
      acknowledge({ step: 6 });
    },
    oracle: (outcome) => {
      const { pool, where } = outcome;
      const used = [...pool].map(({ id, next }) => `${id}${next ? `>${next.id}` : ''}`).join(' ');
      const states = ['', '0', '0 1', '0>1 1', '0 1', '0', '0 1'];
      const step = promised<number>(outcome, 'step').at(-1) ?? 0;
      const seen = promised<string>(outcome, 'seen').at(-1);
      assert.ok(seen === undefined ? states.slice(step, step + 2).includes(used) : used === seen, `${where}: "${used}" after step ${step}`);
      outcome.acknowledge({ seen: used });
      assertWhole(outcome, [...pool].length);
      return used;
    },
  },
  {
    name: 'the first update of a slot after opening',
    segmentCount: 3,
    setup: (pool) => {
      const [a, b] = [pool.allocate(), pool.allocate()];
      a.setNext(b);
    },
    withOpen: true,
    workload: (pool, acknowledge) => {
      for (let step = 1; step <= 4; step++) {
        pool.segment(0).setNext(step % 2 === 1 ? undefined : pool.segment(1));
        acknowledge({ step });
      }
    },
    oracle: (outcome) => {
      const { pool, where } = outcome;
      const next = pool.segment(0).next?.id ?? -1;
      const step = promised<number>(outcome, 'step').at(-1) ?? 0;
      const seen = promised<number>(outcome, 'seen').at(-1);
      const possible = seen !== undefined ? [seen] : [1, -1, 1, -1, 1].slice(step, step + 2);
      assert.ok(possible.includes(next), `${where}: next ${next} after step ${step}`);
      outcome.acknowledge({ seen: next });
      assertWhole(outcome, 2);
      return String(next);
    },
  },
  {
    name: 'bytes of a raw segment are durable when the barrier returns',
    segmentCount: 2,
    setup: (pool) => {
      const segment = pool.allocate();
      for (const off of RAW_OFFS) segment.write(Buffer.alloc(8, 1), off);
      segment.persist();
    },
    workload: async (pool, acknowledge) => {
      const segment = pool.segment(0);
      const store = (value: number): void => RAW_OFFS.forEach((off) => void segment.write(Buffer.alloc(8, value), off));
      store(2);
      segment.persist(0, 6000);
      acknowledge({ value: 2 });
      store(3);
      await segment.persistAsync(0, 6000);
      acknowledge({ value: 3 });
      const view = segment.view(0, 6000, { write: true });
      for (const off of RAW_OFFS) view.bytes.fill(4, off, off + 8);
      segment.persist(0, 6000);
      acknowledge({ value: 4 });
      for (const off of RAW_OFFS) view.bytes.fill(5, off, off + 8);
      view.release();
      await segment.persistAsync(0, 6000);
      acknowledge({ value: 5 });
      using bio = segment.bio(8);
      bio.bytes.fill(6);
      for (const off of RAW_OFFS) segment.copyFromBio(off, 8, bio, 0, { persist: true });
      acknowledge({ value: 6 });
      const lent = segment.view(0, 6000, { write: true });
      for (const off of RAW_OFFS) lent.bytes.fill(7, off, off + 8);
      segment.flush(0, 6000);
      segment.drain();
      lent.release();
      acknowledge({ value: 7 });
      store(8);
      pool.drain();
      acknowledge({ value: 8 });
      store(9);
      await pool.drainAsync();
      acknowledge({ value: 9 });
    },
    oracle: (outcome) => {
      const least = promised<number>(outcome, 'value').at(-1) ?? 1;
      const segment = outcome.pool.segment(0);
      const values = RAW_OFFS.map((off) => {
        const bytes = Buffer.alloc(8);
        segment.read(bytes, off);
        assert.ok(
          bytes.every((byte) => byte === bytes[0]),
          'a word is whole',
        );
        return bytes[0] as number;
      });
      assert.ok(
        values.every((value) => value >= least && value <= least + 1),
        `${outcome.where}: ${values.join(' ')} after ${least}`,
      );
      assertWhole(outcome, 1);
      return values.join(' ');
    },
  },
  {
    name: 'put, put --replace and rm are atomic',
    segmentCount: 4,
    setup: (pool) => void pool.put('keep', Buffer.from('kept')),
    workload: (pool, acknowledge) => {
      pool.put('a', Buffer.from('one'));
      acknowledge({ step: 1 });
      pool.put('a', Buffer.from('two, longer'), { replace: true });
      acknowledge({ step: 2 });
      pool.put('a', Buffer.from('three'), { replace: true });
      acknowledge({ step: 3 });
      pool.remove('a');
      acknowledge({ step: 4 });
    },
    oracle: objectOracle('a', [null, 'one', 'two, longer', 'three', null], ({ pool }) => assert.is(textOf(pool, 'keep'), 'kept')),
  },
  {
    name: 'objects of several segments, aborted, replaced and removed',
    large: true,
    segmentCount: 8,
    workload: (pool, acknowledge) => {
      const longer = (text: string): Buffer => Buffer.concat([big(text), big(text), big(text)]);
      pool.put('a', longer('one'));
      acknowledge({ step: 1 });
      const aborted = pool.createObject('a', { replace: true });
      aborted.write(big('never'));
      aborted.write(big('never'));
      aborted.abort();
      pool.put('a', longer('two'), { replace: true });
      acknowledge({ step: 2 });
      pool.remove('a');
      acknowledge({ step: 3 });
    },
    oracle: (outcome) => {
      const { pool, where } = outcome;
      const step = promised<number>(outcome, 'step').at(-1) ?? 0;
      const found = textOf(pool, 'a');
      const seen = promised<string | null>(outcome, 'seen');
      assert.ok(
        seen.length > 0 ? found === seen.at(-1) : [null, 'one', 'two', null].slice(step, step + 2).includes(found),
        `${where}: ${found} after ${step}`,
      );
      outcome.acknowledge({ seen: found });
      assertWhole(outcome);
      return JSON.stringify(found);
    },
  },
  {
    name: 'a log is made, appended to, persisted and sealed',
    segmentCount: 3,
    workload: (pool, acknowledge) => {
      const log = pool.log('log', { create: true });
      acknowledge({ kept: 0 });
      fill(log, buffers(SMALL), 3, acknowledge);
      log.seal();
      acknowledge({ kept: SMALL.length });
    },
    oracle: logOracle(SMALL),
  },
  {
    name: 'a log begins a new epoch at the first append after opening',
    segmentCount: 3,
    setup: (pool) => {
      const log = pool.log('log', { create: true });
      for (const data of buffers(SMALL.slice(0, 3))) log.append(data);
      log.persist();
    },
    withOpen: true,
    workload: (pool, acknowledge) => {
      const log = pool.log('log');
      acknowledge({ kept: 3 });
      for (let i = 3; i < SMALL.length; i++) {
        log.append(Buffer.from(SMALL[i] as string));
        if (i % 2 === 0) continue;
        log.persist();
        acknowledge({ kept: i + 1 });
      }
    },
    oracle: logOracle(SMALL),
  },
  {
    name: 'concurrent durable appends share barriers and keep their order',
    segmentCount: 3,
    setup: (pool) => void pool.log('log', { create: true }).append(Buffer.alloc(0)),
    workload: async (pool, acknowledge) => {
      const log = pool.log('log');
      const wait = async (i: number, delay: number): Promise<void> => {
        for (let n = 0; n < delay; n++) await new Promise((resolve) => setImmediate(resolve));
        const position = await log.appendDurable(Buffer.from(SMALL[i] as string));
        assert.ok(log.durable > position);
        acknowledge({ kept: i + 1 });
      };
      await Promise.all(SMALL.map((_, i) => wait(i, Math.floor(i / 3))));
    },
    oracle: logOracle(SMALL),
  },
  {
    name: 'a log rolls over into new segments',
    large: true,
    segmentCount: 7,
    workload: (pool, acknowledge) => {
      const log = pool.log('log', { create: true });
      acknowledge({ kept: 0 });
      fill(log, LARGE.slice(0, 4).map(big), 1, acknowledge);
    },
    oracle: logOracle(LARGE.slice(0, 4)),
  },
  {
    name: 'a log is trimmed, over segments and inside one',
    large: true,
    segmentCount: 9,
    setup: (pool) => {
      const log = pool.log('log', { create: true });
      for (const data of LARGE.slice(0, 5).map(big)) log.append(data);
      log.persist();
    },
    workload: (pool, acknowledge) => {
      const log = pool.log('log');
      acknowledge({ kept: 5 });
      const positions = [...log.recordsSync()].map(({ position }) => position);
      [2, 4].forEach((first, i) => {
        log.trim(positions[first] as number);
        acknowledge({ trimmed: i + 1 });
      });
    },
    oracle: logOracle(LARGE.slice(0, 5), [0, 2, 4]),
  },
  {
    name: 'a trim of what was only appended persists it first',
    segmentCount: 3,
    setup: (pool) => void pool.log('log', { create: true }),
    workload: (pool, acknowledge) => {
      const log = pool.log('log');
      for (const data of buffers(SMALL.slice(0, 4))) log.append(data);
      const position = [...log.recordsSync()][2]?.position as number;
      log.trim(position);
      acknowledge({ kept: 4, trimmed: 1 });
      log.append(Buffer.from(SMALL[4] as string));
      log.persist();
      acknowledge({ kept: 5 });
    },
    oracle: logOracle(SMALL, [0, 2]),
  },
  {
    name: 'a damaged log is cut and goes on',
    segmentCount: 4,
    setup: (pool) => {
      const log = pool.log('log', { create: true });
      for (const data of buffers(SMALL.slice(0, 4))) {
        log.append(data);
        log.persist();
      }
    },
    damage: (medium) => {
      const data = medium.bytes(media.SEGMENTS_OFF + media.DATA_OFF, 4096);
      data[Buffer.from(data).indexOf('record 2')]! ^= 1;
    },
    workload: (pool, acknowledge) => {
      const log = pool.log('log');
      acknowledge({ kept: 2 });
      log.cut();
      acknowledge({ cut: true });
      log.append(Buffer.from('after the cut'));
      log.persist();
      acknowledge({ kept: 3 });
    },
    oracle: (outcome) => {
      const { pool, where } = outcome;
      const log = pool.log('log');
      if (log.damage) {
        assert.equal(promised(outcome, 'cut'), [], `${where}: damaged again`);
        log.cut();
      }
      const records = [...SMALL.slice(0, 2), 'after the cut'];
      const found = texts(log);
      const kept = Math.max(0, ...promised<number>(outcome, 'kept'));
      assert.equal(found, records.slice(0, found.length), where);
      assert.ok(found.length >= kept, `${where}: ${found.length} of ${kept}`);
      outcome.acknowledge({ cut: true });
      outcome.acknowledge({ kept: found.length });
      assert.equal(pool.findings, [], where);
      return String(found.length);
    },
  },
  {
    name: 'a log is removed, its name used again',
    segmentCount: 5,
    setup: (pool) => {
      const log = pool.log('log', { create: true });
      for (const data of LARGE.slice(0, 2).map(big)) log.append(data);
      log.persist();
    },
    workload: (pool, acknowledge) => {
      pool.remove('log');
      acknowledge({ step: 1 });
      pool.put('log', Buffer.from('an object'));
      acknowledge({ step: 2 });
    },
    oracle: (outcome) => {
      const { pool, where } = outcome;
      const kind = pool.list()[0]?.kind ?? 'nothing';
      const step = promised<number>(outcome, 'step').at(-1) ?? 0;
      const seen = promised<string>(outcome, 'seen').at(-1);
      assert.ok(
        seen ? kind === seen : ['log', 'nothing', 'object'].slice(step, step + 2).includes(kind),
        `${where}: ${kind} after ${step}`,
      );
      if (kind === 'log') assert.equal(texts(pool.log('log')), LARGE.slice(0, 2), where);
      if (kind === 'object') assert.is(textOf(pool, 'log'), 'an object');
      outcome.acknowledge({ seen: kind });
      assertWhole(outcome);
      return kind;
    },
  },
  {
    name: 'the superblock: closed, opened, closed',
    segmentCount: 3,
    setup: (pool) => {
      pool.put('a', Buffer.from('one'));
      pool.allocate();
    },
    withOpen: true,
    workload: (pool, acknowledge, reopen) => {
      pool.segment(1).setNext(undefined);
      pool.close();
      const again = reopen();
      again.put('a', Buffer.from('two'), { replace: true });
      acknowledge({ step: 1 });
      again.close();
    },
    oracle: (outcome) => {
      const found = textOf(outcome.pool, 'a');
      const step = promised<number>(outcome, 'step').at(-1) ?? 0;
      const seen = promised<string>(outcome, 'seen').at(-1);
      assert.ok(seen ? found === seen : ['one', 'two'].slice(step, step + 2).includes(found as string), `${outcome.where}: ${found}`);
      outcome.acknowledge({ seen: found });
      assertWhole(outcome, 1);
      return JSON.stringify([found, outcome.pool.status().clean]);
    },
  },
  {
    name: 'a repair of bad copies',
    segmentCount: 4,
    setup: oneOfEach,
    damage: (medium) => {
      const { SEGMENTS_OFF, COPY_SIZE, SEGMENT_OWNER_OFF } = media;
      medium.bytes(SEGMENTS_OFF + 9, 1)[0]! ^= 4;
      medium.bytes(SEGMENTS_OFF + SEGMENT_OWNER_OFF + COPY_SIZE + 130, 1)[0]! ^= 4;
      medium.bytes(SEGMENTS_OFF + MIB + COPY_SIZE + 9, 1)[0]! ^= 4;
      medium.bytes(SEGMENTS_OFF + MIB + SEGMENT_OWNER_OFF + 60, 1)[0]! ^= 4;
      medium.bytes(SEGMENTS_OFF + 2 * MIB + 17, 1)[0]! ^= 4;
    },
    workload: (pool, acknowledge) => {
      // Without the data: reading a log has a barrier of its own.
      checkPool(pool, { repair: true, quick: true });
      acknowledge({ repaired: true });
    },
    oracle: repairOracle,
  },
  {
    name: 'records on pages that were brought back as zeros',
    segmentCount: 4,
    setup: oneOfEach,
    workload: (pool, acknowledge) => {
      const { engine } = pool;
      const zeroed = [0, MIB + media.SEGMENT_OWNER_OFF + media.COPY_SIZE].map((off) => ({
        off: media.SEGMENTS_OFF + off,
        len: media.COPY_SIZE,
      }));
      for (const { off, len } of [...zeroed, { off: 0, len: media.COPY_SIZE }])
        engine.medium.write(off, Bio.from(new Uint8Array(len)), 0, len);
      engine.barrier.drain();
      completeZeroed(engine, [...zeroed, { off: 0, len: media.COPY_SIZE }]);
      acknowledge({ repaired: true });
    },
    oracle: repairOracle,
  },
];
