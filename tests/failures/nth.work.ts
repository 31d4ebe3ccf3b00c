/**
 * A workload that uses everything of a pool, step by step, and says after each step what must be true of what it left.
 *
 * What is always true
 *   - Steps go on after a failure; each is judged by itself: an error is ours and has a stable code.
 *   - The model holds, for everything named, the values that it may have: one after an acknowledgement, old and new after a failure.
 */
import * as assert from 'uvu/assert';
import { checkPool, isSound, PmsegError, Pool, type Segment } from '../../src/index.js';
import { MIB } from '../kit/pools.js';

export type Mode = 'file' | 'copy' | 'dax';

/** Bytes that tell which value they are, everywhere. */
export function fill(tag: number, len: number): Uint8Array {
  return new Uint8Array(
    Buffer.alloc(
      len,
      Uint8Array.from({ length: 251 }, (_, i) => (tag * 37 + i * 11) & 0xff),
    ).buffer,
    0,
    len,
  );
}

type Value = Uint8Array | undefined;

export class Model {
  /** Values that a name may have; `undefined` = absent. */
  readonly objects = new Map<string, Value[]>();
  /** Numbers of records: appended, known to be durable, and the least that is kept. */
  readonly attempted: number[] = [];
  acknowledged = new Set<number>();
  trimmedTo = 0;
  /** Segment ids and what they hold for sure, by offset; `gone` when it may have been freed. */
  readonly raw = new Map<number, { ranges: Map<number, Uint8Array>; gone: boolean }>();

  maybe(name: string, value: Value): void {
    const old = this.objects.get(name) ?? [undefined];
    this.objects.set(name, [...old, value]);
  }

  surely(name: string, value: Value): void {
    this.objects.set(name, [value]);
  }
}

export interface World {
  readonly path: string;
  readonly mode: Mode;
  readonly model: Model;
  pool: Pool | undefined;
  segment: Segment | undefined;
}

export interface Step {
  readonly name: string;
  run(world: World): unknown;
}

const open = (world: World): Pool => world.pool as Pool;
const raw = (world: World): Segment => world.segment as Segment;

function put(name: string, tag: number, len: number, replace = false): Step {
  return {
    name: `${replace ? 'replace' : 'put'} ${name}`,
    run(world) {
      const value = fill(tag, len);
      world.model.maybe(name, value);
      open(world).put(name, value, { replace });
      world.model.surely(name, value);
    },
  };
}

function remove(name: string): Step {
  return {
    name: `remove ${name}`,
    run(world) {
      if (
        !open(world)
          .list()
          .some((entry) => entry.name === name)
      )
        return;
      world.model.maybe(name, undefined);
      open(world).remove(name);
      world.model.surely(name, undefined);
    },
  };
}

function record(number: number, len: number): Uint8Array {
  const bytes = fill(number, len);
  new DataView(bytes.buffer).setUint32(0, number, true);
  return bytes;
}

let positions = new Map<number, number>();
/** Where the log ended before each record. */
let ends = new Map<number, number>();

function append(number: number, len: number, how: 'append' | 'durable'): Step {
  return {
    name: `log ${how} ${number}`,
    async run({ model, pool }) {
      const log = (pool as Pool).log('log', { create: true });
      const { end } = log;
      // A second attempt after want of room: the record may have been taken already.
      const isTaken = model.attempted.includes(number) && ends.get(number) !== end;
      if (!isTaken) ends.set(number, end);
      model.attempted.push(number);
      if (how === 'append') {
        if (!isTaken) positions.set(number, log.append(record(number, len)));
        return;
      }
      if (isTaken) await log.persistAsync();
      else positions.set(number, await log.appendDurable(record(number, len)));
      model.acknowledged.add(number);
    },
  };
}

const persistLog: Step = {
  name: 'log persist',
  run({ model, pool }) {
    const log = (pool as Pool).log('log', { create: true });
    log.persist();
    for (const [number, position] of positions) if (position < log.durable) model.acknowledged.add(number);
  },
};

function trim(number: number): Step {
  return {
    name: `log trim ${number}`,
    run({ model, pool }) {
      const position = positions.get(number);
      if (position === undefined) return;
      for (const old of model.acknowledged) if (old < number) model.acknowledged.delete(old);
      (pool as Pool).log('log').trim(position);
      model.trimmedTo = number;
    },
  };
}

/** Stores at an offset of its own; what is there before nobody promised. */
function store(off: number, how: (segment: Segment, bytes: Uint8Array) => unknown, name: string): Step {
  return {
    name,
    async run(world) {
      const segment = raw(world);
      if (!segment) return;
      const bytes = fill(off >> 12, 9000);
      await how(segment, bytes);
      world.model.raw.get(segment.id)?.ranges.set(off, bytes);
    },
  };
}

const allocate = (keep: boolean): Step => ({
  name: 'allocate',
  run(world) {
    const segment = open(world).allocate();
    world.model.raw.set(segment.id, { ranges: new Map(), gone: false });
    if (keep) world.segment = segment;
    else {
      (world.model.raw.get(segment.id) as { gone: boolean }).gone = true;
      open(world).free(segment);
      world.model.raw.delete(segment.id);
    }
  },
});

/** Whatever is thrown by an attempt that must not succeed, it must not succeed. */
function refused(attempt: () => Pool): void {
  let pool: Pool;
  try {
    pool = attempt();
  } catch (error) {
    assert.instance(error, PmsegError, String((error as Error).stack));
    return;
  }
  pool.close();
  throw new Error('a second writer was let in');
}

/** Everything that is read agrees with the model, as far as it can be read. */
export function verify(pool: Pool, model: Model): void {
  for (const [name, values] of model.objects) {
    const entry = pool.list().find((known) => known.name === name);
    const value = entry ? Buffer.from(pool.get(name)) : undefined;
    const fits = values.some((wanted) => (wanted === undefined ? value === undefined : value?.equals(wanted)));
    assert.ok(fits, `object ${name} ${value ? `has ${value.byteLength} other bytes` : 'is absent'}`);
  }
  for (const { name, kind } of pool.list()) assert.ok(kind === 'log' || model.objects.has(name), `${name} was never put`);
  if (model.acknowledged.size > 0 || pool.list().some(({ kind }) => kind === 'log')) verifyLog(pool, model);
  for (const [id, { ranges, gone }] of model.raw) {
    if (gone) continue;
    for (const [off, bytes] of ranges) {
      const got = Buffer.alloc(bytes.byteLength);
      pool.segment(id).read(got, off);
      assert.ok(got.equals(bytes), `segment ${id} has other bytes at ${off}`);
    }
  }
}

function verifyLog(pool: Pool, model: Model): void {
  const numbers: number[] = [];
  for (const { data } of pool.log('log').recordsSync()) {
    const number = new DataView(data.buffer).getUint32(0, true);
    assert.ok(Buffer.from(data).equals(record(number, data.byteLength)), `record ${number} has other bytes`);
    assert.ok(number > (numbers.at(-1) ?? 0), `record ${number} comes after record ${numbers.at(-1)}`);
    assert.ok(number >= model.trimmedTo, `record ${number} was trimmed`);
    assert.ok(model.attempted.includes(number), `record ${number} was never appended`);
    numbers.push(number);
  }
  for (const number of model.acknowledged) assert.ok(numbers.includes(number), `record ${number} is lost`);
}

/** Sound, and every segment accounted for. */
export function verifyPool(pool: Pool, model: Model): void {
  const result = checkPool(pool);
  assert.ok(isSound(result), JSON.stringify(result.findings));
  const { total, free, used, damaged } = pool.status().segments;
  assert.is(free + used + damaged, total);
  const owned = pool.list().reduce((sum, { segmentIds }) => sum + segmentIds.length, 0);
  const rawIds = [...pool].filter(({ type }) => type === 'cache-data').map(({ id }) => id);
  assert.is(used, owned + rawIds.length, 'a segment belongs to nothing');
  for (const [id, { gone }] of model.raw) assert.ok(gone || rawIds.includes(id), `segment ${id} was freed`);
  verify(pool, model);
}

const close: Step = {
  name: 'close',
  run(world) {
    const pool = open(world);
    world.pool = undefined;
    world.segment = undefined;
    [positions, ends] = [new Map(), new Map()];
    try {
      pool.close();
    } finally {
      assert.ok(pool.closed, 'whatever fails, the pool is closed');
    }
  },
};

const opening: Step = {
  name: 'open',
  run(world) {
    world.pool = Pool.open(world.path, { mode: world.mode, ownerSeed: 'nth' });
    // What an allocation that failed has left is not counted against anybody.
    for (const segment of world.pool) if (segment.type === 'cache-data' && !world.model.raw.has(segment.id)) world.pool.free(segment);
  },
};

export const CREATE: Step = {
  name: 'create',
  run(world) {
    [positions, ends] = [new Map(), new Map()];
    world.pool = Pool.create(world.path, {
      size: 12 * MIB + 4096,
      segmentSize: MIB,
      mode: world.mode,
      ownerSeed: 'nth',
      sparse: world.mode !== 'copy',
    });
  },
};

export const STEPS: readonly Step[] = [
  put('first', 1, 500),
  allocate(true),
  store(0, (segment, bytes) => (segment.write(bytes, 0), segment.persist(0, 9000)), 'write, persist'),
  store(65536, (segment, bytes) => (segment.write(bytes, 65536), segment.persistAsync(65536, 9000)), 'write, persistAsync'),
  store(
    131072,
    (segment, bytes) => {
      using view = segment.view(131072, 9000, { write: true });
      view.bytes.set(bytes);
      segment.persist(131072, 9000);
    },
    'view, persist',
  ),
  put('large', 2, MIB + 5000),
  put('first', 3, 700, true),
  append(1, 1000, 'append'),
  append(2, 1000, 'append'),
  persistLog,
  append(3, 1000, 'durable'),
  { name: 'get', run: (world) => verify(open(world), world.model) },
  append(4, 700_000, 'durable'),
  append(5, 700_000, 'append'),
  persistLog,
  trim(4),
  allocate(false),
  { name: 'prefetch', run: (world) => raw(world)?.prefetch(0, 65536) },
  { name: 'check', run: (world) => void checkPool(open(world)) },
  { name: 'a second writer', run: ({ path, mode }) => refused(() => Pool.open(path, { mode })) },
  {
    name: 'a reader',
    run({ path, mode, model }) {
      using pool = Pool.open(path, { mode, readOnly: true });
      for (const { name, kind } of pool.list()) if (kind === 'object' && !model.objects.has(name)) throw new Error(name);
    },
  },
  remove('large'),
  close,
  opening,
  { name: 'get', run: (world) => verify(open(world), world.model) },
  put('second', 4, 3000),
  append(6, 1000, 'durable'),
  close,
];
