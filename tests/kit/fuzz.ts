/**
 * Whole pools made up by fast-check: random calls build one, random mutations that know the format change its image, and every image must
 * end with right answers or typed errors.
 *
 * What is held against every image
 *   - Opening for reading and checking write nothing; a second check says the same.
 *   - What could be got before opening for writing, and before a repair, can be got after; a second repair finds and writes nothing.
 *   - Going on to use the pool changes no other name than the one that is used.
 *   - Where no record was forged, everything whose segments were left alone reads as it was put.
 *   - Only typed errors; nothing outside of the medium or across a segment's end is touched; the looks at the medium are counted; the arena
 *     is as empty after as before.
 */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import type { Bank } from '../../src/bank.js';
import { Pool, checkPool, type Finding, type Log } from '../../src/index.js';
import { FIELDS, Forger, writeField, type RecordKind } from './forge.js';
import { Rig, WatchedMedium, assertKept, contents, homeOff, typed, type Content } from './images.js';
import { MIB, sizeFor } from './pools.js';

const COUNT = 8;
const SIZE = sizeFor(COUNT);
const DATA_SIZE = MIB - media.DATA_OFF;
/** Looks at the medium that one image may cost: some for each segment and each MiB of data, for each of the openings below. */
const LOOKS_MAX = 20000;

// --- Building

const names = fc.constantFrom('a', 'b', 'c');
const logNames = fc.constantFrom('l', 'm');
const lens = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 10, 5000) },
  { weight: 1, arbitrary: fc.constantFrom(DATA_SIZE, DATA_SIZE + 1) },
);
const part = fc.integer({ min: 0, max: 100 });

export const calls = fc.array(
  fc.oneof(
    fc.record({ call: fc.constant('put' as const), name: names, len: lens }),
    fc.record({ call: fc.constant('remove' as const), name: fc.oneof(names, logNames) }),
    fc.record({ call: fc.constant('allocate' as const) }),
    fc.record({ call: fc.constant('free' as const), at: part }),
    fc.record({ call: fc.constant('setNext' as const), at: part, to: part }),
    fc.record({
      call: fc.constant('append' as const),
      name: logNames,
      len: fc.constantFrom(0, 1, 8, 100, 3000, 50000, 600000),
      count: fc.integer({ min: 1, max: 4 }),
      persist: fc.boolean(),
    }),
    fc.record({ call: fc.constant('trim' as const), name: logNames, at: part }),
    fc.record({ call: fc.constant('cut' as const), name: logNames, at: part }),
    fc.record({ call: fc.constant('seal' as const), name: logNames }),
    fc.record({ call: fc.constant('reopen' as const), closed: fc.boolean() }),
  ),
  { minLength: 3, maxLength: 14 },
);
export type Call = ReturnType<typeof calls.generate>['value'][number];

function positionAt(log: Log, percent: number): number {
  const all = [log.begin, ...[...log.recordsSync()].map(({ position }) => position), log.end];
  return all[Math.floor((percent * (all.length - 1)) / 100)] as number;
}

function make(pool: Pool, call: Exclude<Call, { call: 'reopen' }>, turn: number): void {
  const raws = [...pool].filter(({ type }) => type === 'cache-data');
  const raw = (at: number): (typeof raws)[number] | undefined => raws[at % Math.max(1, raws.length)];
  switch (call.call) {
    case 'put':
      pool.put(call.name, Buffer.alloc(call.len, `${call.name}${turn} `), { replace: true });
      return;
    case 'remove':
      return pool.remove(call.name);
    case 'allocate':
      pool.allocate().write(Buffer.from(`raw ${turn}`), turn);
      return;
    case 'free': {
      const segment = raw(call.at);
      if (segment) pool.free(segment);
      return;
    }
    case 'setNext': {
      const [segment, next] = [raw(call.at), raw(call.to)];
      if (segment && segment !== next) segment.setNext(next);
      return;
    }
  }
  const log = pool.log(call.name, { create: true });
  if (call.call === 'trim') log.trim(positionAt(log, call.at));
  else if (call.call === 'cut') log.cut(positionAt(log, call.at));
  else if (call.call === 'seal') log.seal();
  else {
    for (let i = 0; i < call.count; i++) log.append(Buffer.alloc(call.len, `${call.name}${turn}.${i} `));
    if (call.persist) log.persist();
    else log.flush();
  }
}

/** Zeroes the medium and builds a pool on it. */
export function build(medium: WatchedMedium, list: readonly Call[]): void {
  for (const [off, len] of medium.stored) Rig.live(medium, off, len).fill(0);
  medium.forget();
  Pool.format(medium, { segmentSize: MIB, uuid: '00112233-4455-6677-8899-aabbccddeeff' });
  let pool = Pool.open(medium, { ownerSeed: 'fuzz' });
  list.forEach((call, turn) => {
    if (call.call === 'reopen') {
      if (call.closed) pool.close();
      pool = Pool.open(medium, { ownerSeed: 'fuzz' });
    } else typed(() => make(pool, call, turn));
  });
  pool.close();
}

// --- Mutating

/** An index into the segments of the pool, those in use first: see `Mutator.begin`. */
const segments = fc.integer({ min: 0, max: COUNT - 1 });
/** An index into its heads. */
const heads = fc.integer({ min: 0, max: 4 });
const homes = fc.constantFrom<RecordKind>('info', 'owner', 'info', 'owner', 'superblock');
const ofSegments = fc.constantFrom<'info' | 'owner'>('info', 'owner');
/** What a field becomes: something by its own value, another segment's owner id, or a number that is an end of something. */
const values = fc.oneof(
  fc.record({ plus: fc.constantFrom(-2, -1, 1, 2, 128) }),
  fc.record({ bit: fc.integer({ min: 0, max: 63 }) }),
  fc.record({ ownerOf: segments }),
  fc.record({ number: fc.constantFrom(0n, 1n, 2n, 3n, 4n, 5n, 7n, 8n, 24n, 32n, BigInt(COUNT)) }),
  fc.record({ number: fc.constantFrom(DATA_SIZE - 1, DATA_SIZE, DATA_SIZE + 1, 2 * DATA_SIZE, 3 * DATA_SIZE, MIB).map(BigInt) }),
  fc.record({ number: fc.constantFrom(31n, 32n, 52n, 53n, 63n, 64n).chain((bit) => fc.constantFrom(2n ** bit - 1n, 2n ** bit)) }),
  fc.record({ number: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
);
type Value = ReturnType<typeof values.generate>['value'];
const copies = fc.constantFrom([0, 1], [0, 1], [0, 1], [0], [1]);
const records = fc.integer({ min: 0, max: 12 });

export const mutations = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('field' as const),
      record: homes,
      segment: segments,
      field: part,
      value: values,
      copies,
      seal: fc.constantFrom(true, true, true, false),
    }),
    fc.record({ kind: fc.constant('clone' as const), record: ofSegments, from: segments, to: segments }),
    fc.record({ kind: fc.constant('cloneAll' as const), from: segments, to: segments, name: fc.constantFrom('', 'z') }),
    fc.record({ kind: fc.constant('copy' as const), record: ofSegments, from: segments, to: segments, copies }),
    fc.record({ kind: fc.constant('link' as const), from: segments, to: segments }),
    fc.record({ kind: fc.constant('replace' as const), newer: heads, older: heads, mutual: fc.boolean() }),
    fc.record({ kind: fc.constant('cross' as const), from: heads, to: heads, owner: fc.boolean() }),
    fc.record({
      kind: fc.constant('end' as const),
      what: fc.constantFrom('epoch', 'generation', 'trimPos', 'byteLen', 'sequence'),
      segment: segments,
      back: fc.integer({ min: -1, max: 2 }),
    }),
    fc.record({
      kind: fc.constant('garbage' as const),
      segment: segments,
      page: fc.integer({ min: 0, max: 5 }),
      byte: fc.constantFrom(0, 0xff, 0x5a),
      len: fc.constantFrom(1, 24, 512, 4096),
    }),
    fc.record({
      kind: fc.constant('log' as const),
      segment: segments,
      record: records,
      field: fc.constantFrom('lenKind', 'sequence', 'durablePos', 'payload', 'crc'),
      value: values,
      seal: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('logCopy' as const), from: segments, record: records, to: segments, at: records, seal: fc.boolean() }),
    fc.record({ kind: fc.constant('flip' as const), segment: segments, bit: fc.integer({ min: 0, max: 18000 * 8 }) }),
  ),
  { minLength: 1, maxLength: 4 },
);
export type Mutation = ReturnType<typeof mutations.generate>['value'][number];

const LOG_FIELDS: Record<string, readonly [number, number]> = {
  lenKind: [media.LOG_LEN_KIND_OFF, 4],
  sequence: [media.LOG_SEQUENCE_OFF, 8],
  durablePos: [media.LOG_DURABLE_POS_OFF, 8],
  payload: [media.LOG_HEADER_SIZE, 8],
  crc: [media.LOG_CRC_OFF, 4],
};

/** [offset in the data, size, epoch] of what its headers say are the records of a segment. */
function recordsOf(rig: Rig, forger: Forger, segment: number): [number, number, number][] {
  const found: [number, number, number][] = [];
  let epoch = 1;
  for (let off = 0; off <= DATA_SIZE - 64 && found.length < 13; ) {
    const view = new DataView(rig.bytes(forger.dataOff(segment) + off, 32).buffer);
    const lenKind = view.getUint32(media.LOG_LEN_KIND_OFF, true);
    const size = media.LOG_HEADER_SIZE + Math.ceil((lenKind & media.LOG_LEN_MASK) / media.LOG_ALIGN) * media.LOG_ALIGN;
    if (size > DATA_SIZE - off) break;
    if (lenKind >>> media.LOG_KIND_SHIFT === media.LOG_KIND_EPOCH)
      epoch = Math.max(1, Math.min(Number(view.getBigUint64(media.LOG_HEADER_SIZE, true)), Number.MAX_SAFE_INTEGER));
    found.push([off, size, epoch]);
    off += size;
  }
  return found;
}

export class Mutator {
  readonly #rig: Rig;
  readonly #forger: Forger;
  /** Segments whose bytes were changed since the last `begin`; -1 is the superblock. */
  readonly touched = new Set<number>();
  /** Whether something that verifies was made up. */
  forged = false;
  /** Ids: those in use, then all others; and those that begin something. */
  #order: readonly number[] = [];
  #heads: readonly number[] = [];

  constructor(rig: Rig) {
    this.#rig = rig;
    this.#forger = new Forger(rig);
  }

  /** Learns what a new pool is made of. */
  learn(used: readonly number[], heads: readonly number[]): void {
    const free = Array.from({ length: COUNT }, (_, id) => id).filter((id) => !used.includes(id));
    this.#order = [...used, ...free];
    this.#heads = heads.length > 0 ? heads : [0];
  }

  begin(): void {
    this.touched.clear();
    this.forged = false;
  }

  #id(index: number): number {
    return this.#order[index] as number;
  }

  #headId(index: number): number {
    return this.#heads[index % this.#heads.length] as number;
  }

  #value(value: Value, old: bigint): bigint {
    if ('plus' in value) return old + BigInt(value.plus);
    if ('bit' in value) return old ^ (1n << BigInt(value.bit));
    if ('ownerOf' in value) return this.#forger.get('owner', value.ownerOf, 'ownerId');
    return value.number;
  }

  /** A mutation whose indexes are turned into ids. */
  apply(drawn: Mutation): void {
    const forger = this.#forger;
    const mutation = { ...drawn };
    if ('segment' in mutation) mutation.segment = this.#id(mutation.segment);
    for (const end of ['from', 'to'] as const)
      if (end in mutation) {
        const ends = mutation as { from: number; to: number };
        ends[end] = mutation.kind === 'cross' ? this.#headId(ends[end]) : this.#id(ends[end]);
      }
    switch (mutation.kind) {
      case 'field': {
        const { record, segment, copies: of, seal } = mutation;
        const fields = Object.keys(FIELDS[record]);
        const field = fields[mutation.field % fields.length] as string;
        const old = forger.get(record, segment, field);
        forger.set(record, segment, { [field]: this.#value(mutation.value, old) }, { copies: of, seal });
        this.#touch(seal, record === 'superblock' ? -1 : segment);
        return;
      }
      case 'clone':
        forger.clone(mutation.record, mutation.from, mutation.to);
        return this.#touch(true, mutation.to);
      case 'cloneAll':
        for (const kind of ['info', 'owner'] as const) forger.clone(kind, mutation.from, mutation.to);
        if (mutation.name !== '') forger.rename(mutation.to, mutation.name);
        return this.#touch(true, mutation.to);
      case 'copy':
        for (const copy of mutation.copies)
          forger.put(mutation.record, mutation.to, copy, forger.record(mutation.record, mutation.from), false);
        return this.#touch(false, mutation.to);
      case 'link': {
        const flags = forger.get('info', mutation.from, 'flags') | BigInt(media.INFO_HAS_NEXT);
        forger.set('info', mutation.from, { flags, next: BigInt(mutation.to) });
        return this.#touch(true, mutation.from);
      }
      case 'replace':
        return this.#replace(mutation);
      case 'cross':
        return this.#cross(mutation);
      case 'end':
        return this.#end(mutation);
      case 'garbage': {
        const bytes = new Uint8Array(mutation.len).fill(mutation.byte);
        this.#rig.patch(homeOff(mutation.segment, 'info', MIB) + mutation.page * media.COPY_SIZE, bytes);
        return this.#touch(false, mutation.segment);
      }
      case 'log':
        return this.#log(mutation);
      case 'logCopy':
        return this.#logCopy(mutation);
      case 'flip':
        this.#rig.flip(homeOff(mutation.segment, 'info', MIB) * 8 + mutation.bit);
        return this.#touch(false, mutation.segment);
    }
  }

  #touch(forged: boolean, segment: number): void {
    this.touched.add(segment);
    this.forged ||= forged;
  }

  /** Makes one head say that it replaced another one of its name. */
  #replace({ newer: newerIndex, older: olderIndex, mutual }: Extract<Mutation, { kind: 'replace' }>): void {
    const forger = this.#forger;
    const [newer, older] = [this.#headId(newerIndex), this.#headId(olderIndex)];
    const name = forger.record('owner', older).subarray(media.OWNER_NAME_OFF);
    for (const copy of [0, 1]) {
      const record = forger.record('owner', newer, copy);
      record.set(name, media.OWNER_NAME_OFF);
      writeField(record, media.OWNER_NAME_LEN_OFF, 4, forger.get('owner', older, 'nameLen'));
      forger.put('owner', newer, copy, record);
    }
    forger.set('owner', newer, { replaces: forger.get('owner', older, 'ownerId') });
    if (mutual) forger.set('owner', older, { replaces: forger.get('owner', newer, 'ownerId') });
    for (const segment of [newer, older]) this.#touch(true, segment);
  }

  /** Makes one head lead to where another one leads, as its own owner or as the other one. */
  #cross({ from, to, owner }: Extract<Mutation, { kind: 'cross' }>): void {
    const forger = this.#forger;
    forger.set('info', from, { flags: forger.get('info', to, 'flags'), next: forger.get('info', to, 'next') });
    if (owner) forger.set('owner', from, { ownerId: forger.get('owner', to, 'ownerId') });
    this.#touch(true, from);
  }

  /** Brings a number to its end, or a little before or behind it. */
  #end({ what, segment, back }: Extract<Mutation, { kind: 'end' }>): void {
    const number = 2n ** 53n - 1n - BigInt(back);
    if (what === 'epoch') this.#forger.set('superblock', 0, { epoch: number });
    else if (what !== 'sequence') this.#forger.set('owner', segment, { [what]: number });
    else {
      const all = recordsOf(this.#rig, this.#forger, segment);
      all.forEach(([off, size, epoch], i) => {
        const at = this.#forger.dataOff(segment) + off;
        const bytes = this.#rig.bytes(at, media.LOG_HEADER_SIZE);
        // The first record is an epoch record and has the number of the one behind it.
        writeField(bytes, media.LOG_SEQUENCE_OFF, 8, number - BigInt(all.length - Math.max(i, 1)));
        this.#rig.patch(at, bytes);
        this.#forger.sealLog(segment, off, size, epoch);
      });
    }
    this.#touch(true, what === 'epoch' ? -1 : segment);
  }

  #log({ segment, record, field, value, seal }: Extract<Mutation, { kind: 'log' }>): void {
    const all = recordsOf(this.#rig, this.#forger, segment);
    const [off, size, epoch] = all[record % all.length] ?? [0, media.LOG_HEADER_SIZE, 1];
    const [fieldOff, fieldSize] = LOG_FIELDS[field] as readonly [number, number];
    const at = this.#forger.dataOff(segment) + off;
    const bytes = this.#rig.bytes(at, 32);
    const old = new DataView(bytes.buffer);
    writeField(
      bytes,
      fieldOff,
      fieldSize,
      this.#value(value, fieldSize === 8 ? old.getBigUint64(fieldOff, true) : BigInt(old.getUint32(fieldOff, true))),
    );
    this.#rig.patch(at, bytes);
    this.#touch(seal, segment);
    if (!seal) return;
    const [, newSize, newEpoch] = recordsOf(this.#rig, this.#forger, segment).find(([other]) => other === off) ?? [off, size, epoch];
    this.#forger.sealLog(segment, off, newSize, newEpoch);
  }

  #logCopy({ from, record, to, at, seal }: Extract<Mutation, { kind: 'logCopy' }>): void {
    const [source, target] = [recordsOf(this.#rig, this.#forger, from), recordsOf(this.#rig, this.#forger, to)];
    const [off, size, epoch] = source[record % source.length] ?? [0, media.LOG_HEADER_SIZE, 1];
    const [targetOff] = target[at % target.length] ?? [0];
    const len = Math.min(size, 4096, DATA_SIZE - targetOff);
    this.#rig.patch(this.#forger.dataOff(to) + targetOff, this.#rig.bytes(this.#forger.dataOff(from) + off, len));
    if (seal) this.#forger.sealLog(to, targetOff, len, epoch);
    this.#touch(seal, to);
  }
}

// --- Judging

const shown = (findings: readonly Finding[]): string => JSON.stringify(findings);
/** Findings that opening does not change. */
const lasting = (findings: readonly Finding[]): string => shown(findings.filter(({ code }) => code !== 'UNCLEAN'));

export class Judge {
  readonly rig: Rig;
  readonly #mutator: Mutator;
  readonly counts = { images: 0, refused: 0, findings: 0, forged: 0 };
  readonly codes = new Set<string>();
  /** What the pool held before any mutation, and where. */
  #original = new Map<string, Content>();
  #places = new Map<string, readonly number[]>();

  constructor() {
    this.rig = new Rig(new Uint8Array(SIZE));
    this.#mutator = new Mutator(this.rig);
  }

  /** Takes a built pool. */
  take(medium: WatchedMedium): void {
    this.rig.rebase(medium);
    const pool = Pool.open(this.rig.reader);
    this.#original = contents(pool);
    const used = [...pool].map(({ id }) => id);
    this.#mutator.learn(
      used,
      pool.list().map(({ headId }) => headId),
    );
    this.#places = new Map(pool.list().map(({ name, segmentIds }) => [name, segmentIds]));
    pool.close();
  }

  /** One mutated image, through everything. */
  image(list: readonly Mutation[]): void {
    this.#mutator.begin();
    try {
      for (const mutation of list) this.#mutator.apply(mutation);
      this.counts.images++;
      if (this.#mutator.forged) this.counts.forged++;
      this.rig.reader.forget();
      this.rig.writer.forget();
      const before = this.#read();
      if (before) this.#write(before.all, before.findings);
      assert.ok(this.rig.reader.lookCount + this.rig.writer.lookCount < LOOKS_MAX, 'the work is bounded');
    } finally {
      this.rig.undo();
    }
  }

  #arenaUsed(): number {
    return [this.rig.reader, this.rig.writer].reduce((sum, { banks }) => sum + (banks[0] as Bank).arena.used, 0);
  }

  /** Opened for reading. */
  #read(): { all: Map<string, Content>; findings: Finding[] } | undefined {
    const used = this.#arenaUsed();
    const opened = typed(() => Pool.open(this.rig.reader));
    if ('error' in opened) {
      this.counts.refused++;
      const again = typed(() => Pool.open(this.rig.writer));
      assert.is('error' in again ? again.error.code : undefined, opened.error.code, 'refused for writing as for reading');
      assert.is(this.rig.writer.stored.length, 0, 'what is refused is not written');
      return undefined;
    }
    const pool = opened.value;
    const all = contents(pool);
    for (const segment of pool) typed(() => [...segment.chain()].map(({ id, type }) => [id, type, segment.crc32c(0, 100)]));
    const { findings } = checkPool(pool);
    assert.is(shown(checkPool(pool).findings), shown(findings), 'a second check says the same');
    for (const { code } of findings) this.codes.add(code);
    this.counts.findings += findings.length;
    if (!this.#mutator.forged && !this.#mutator.touched.has(-1)) {
      const left = [...this.#original].filter(([name]) => !this.#places.get(name)?.some((id) => this.#mutator.touched.has(id)));
      assertKept(new Map(left), all, 'left alone');
      for (const [name, { error }] of left) assert.is(all.get(name)?.error, error, `left alone: "${name}"`);
    }
    pool.close();
    assert.is(this.#arenaUsed(), used, 'reading leaves nothing in the arena');
    return { all, findings };
  }

  /** What can be read can be written, but for a pool whose epochs are used up: that is said, and nothing is written. */
  #open(): Pool | undefined {
    const { writer } = this.rig;
    const { stores } = writer.counts;
    const opened = typed(() => Pool.open(writer));
    if ('value' in opened) return opened.value;
    assert.is(opened.error.code, 'ERR_PMSEG_READ_ONLY');
    assert.is(writer.counts.stores, stores, 'what is refused is not written');
    return undefined;
  }

  /** Opened for writing: recovery, check, repair, again, and then used. */
  #write(before: Map<string, Content>, findings: readonly Finding[]): void {
    const used = this.#arenaUsed();
    const { writer } = this.rig;
    const pool = this.#open();
    if (!pool) return;
    assertKept(before, contents(pool), 'opened for writing');
    const stores = writer.counts.stores;
    const plain = checkPool(pool);
    assert.is(writer.counts.stores, stores, 'a plain check writes nothing');
    assertNoNewDamage(findings, plain.findings);
    const repaired = checkPool(pool, { repair: true });
    if (repaired.repaired.length > 0) assertKept(before, contents(pool), 'repaired');
    const after = writer.counts.stores;
    const second = checkPool(pool, { repair: true });
    assert.is(writer.counts.stores, after, 'a second repair writes nothing');
    assert.is(lasting(second.findings), lasting(repaired.findings), 'a second repair finds the same');
    pool.close();

    const again = this.#open();
    if (!again) return;
    assertKept(before, contents(again), 'opened again');
    const third = checkPool(again, { repair: true });
    assert.is(shown(third.repaired), '[]', 'nothing is left to repair');
    assert.is(shown(third.findings), lasting(repaired.findings), 'the same findings after opening again');
    const rest = this.#use(again, before);
    again.close();
    const last = this.#open();
    if (last) {
      assertKept(rest, contents(last), 'used and opened again');
      checkPool(last);
    }
    last?.close();
    assert.is(this.#arenaUsed(), used, 'writing leaves nothing in the arena');
  }

  /** Goes on with the pool as if nothing were wrong: no call changes what another name holds. Returns what was not used. */
  #use(pool: Pool, before: Map<string, Content>): Map<string, Content> {
    const rest = new Map(before);
    const use = (name: string, ...steps: (() => unknown)[]): void => {
      rest.delete(name);
      for (const step of steps) typed(step);
      assertKept(rest, contents(pool), `after calls on "${name}"`);
    };
    use('new', () => pool.put('new', Buffer.alloc(3000, 'new')), () => pool.allocate()); // prettier-ignore
    for (const { name, kind } of pool.list()) {
      const log = (): Log => pool.log(name);
      if (kind === 'log')
        use(
          name,
          () => log().append(Buffer.alloc(this.counts.images % 3 === 0 ? 600000 : 600, 'more')),
          () => log().persist(),
          () => log().cut(),
          () => log().trim(log().end),
        );
      else if (name === 'a') use(name, () => pool.put(name, Buffer.from('replaced'), { replace: true }));
      else if (name === 'b') use(name, () => pool.remove(name));
    }
    use('new', () => pool.put('new', Buffer.alloc(DATA_SIZE + 5, 'newer'), { replace: true }));
    return rest;
  }
}

/** Opening for writing may put right what was wrong, and never makes worse. */
function assertNoNewDamage(before: readonly Finding[], after: readonly Finding[]): void {
  const known = new Set(before.map(({ code, segmentId }) => `${code} ${segmentId}`));
  for (const { severity, code, segmentId, message } of after)
    if (severity === 'damage') assert.ok(known.has(`${code} ${segmentId}`), `opening for writing made: ${code} ${message}`);
}

/** Runs images for some time or some number of pools; the seed says which. */
export function fuzz(seed: number, options: { pools: number; milliseconds: number }): Judge {
  const judge = new Judge();
  const builder = new WatchedMedium(SIZE, true);
  fc.assert(
    fc.property(calls, fc.array(mutations, { minLength: 4, maxLength: 8 }), (list, images) => {
      build(builder, list);
      judge.take(builder);
      for (const image of images) judge.image(image);
    }),
    { seed: seed | 0, numRuns: options.pools, interruptAfterTimeLimit: options.milliseconds, markInterruptAsFailure: false },
  );
  return judge;
}
