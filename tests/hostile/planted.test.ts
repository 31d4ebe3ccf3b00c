/**
 * Goal: a check finds every class of damage that it can find, names it, and finds nothing else; a repair puts right what it says it does,
 * loses nothing that could be got, and finds nothing to do a second time.
 * Method: one small pool; each case plants one fault, in bytes that verify where that is what is to be judged. The codes that the cases plant
 * are held against the table of all codes, and that table against docs/CHECK.md.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import * as plan from '../../assembly/plan.js';
import { FINDINGS, Pool, checkPool, isSound, type CheckResult, type FindingCode } from '../../src/index.js';
import { SORTS, codes, everySort } from '../kit/flips.js';
import { Forger, flagsOf } from '../kit/forge.js';
import { Rig, assertSame, contents } from '../kit/images.js';
import { MIB, temporaryFolder, throwsCode } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const test = suite('planted damage');
const rig = new Rig(everySort());
const forger = new Forger(rig);
const planted = new Set<string>();

const { free: FREE, 'raw, next': RAW, 'object head': HEAD, 'object follower': FOLLOWER, 'log head': LOG, 'log follower': TAIL } = SORTS;
const SMALL = 7;
const UNUSED = 8;
const HUGE = 2n ** 53n - 1n;

const garbage = (off: number, len: number): void => rig.patch(off, new Uint8Array(len).fill(0x5a));
const flip = (segmentId: number, off: number): void => rig.flip((forger.dataOff(segmentId) + off) * 8 + 3);
/** Where the log ends in its last segment. */
const LOG_END = ((): number => {
  using pool = Pool.open(rig.reader);
  return pool.log('log').end - (MIB - media.DATA_OFF);
})();

interface Case {
  readonly title: string;
  readonly plant: () => void;
  /** What a check says. */
  readonly found: readonly FindingCode[];
  /** What is left after a repair; the same unless told. */
  readonly left?: readonly FindingCode[];
  /** What a message must tell. */
  readonly says?: RegExp;
}

function both(kind: 'info' | 'owner', segmentId: number, bytes: (size: number) => Uint8Array): void {
  const size = kind === 'info' ? media.INFO_SIZE : media.OWNER_SIZE;
  for (const copy of [0, 1]) rig.patch(forger.copyOff(kind, segmentId, copy), bytes(size));
}

const ofSlots = (['info', 'owner'] as const).flatMap((kind): Case[] => {
  const code = (what: string): FindingCode => `${kind.toUpperCase()}_${what}` as FindingCode;
  const seq = forger.get(kind, RAW, 'seq');
  return [
    ...[0, 1].map((copy): Case => {
      const title = `copy ${copy} of the ${kind} bad`;
      return { title, plant: () => rig.flip(forger.copyOff(kind, RAW, copy) * 8 + 99), found: [code('DEGRADED')], left: [] };
    }),
    {
      title: `${kind} copies a step apart`,
      plant: () => forger.set(kind, RAW, { seq: seq + 1n }, { copies: [1] }),
      found: ['UPDATE_UNFINISHED'],
      left: [],
    },
    {
      title: `${kind} copies two steps apart`,
      plant: () => forger.set(kind, RAW, { seq: seq + 2n }, { copies: [0] }),
      found: [code('SPLIT')],
    },
    {
      title: `${kind} copies that differ under one seq`,
      plant: () => forger.set(kind, RAW, kind === 'info' ? { dataOff: 1n } : { generation: 99n }, { copies: [1] }),
      found: [code('SPLIT')],
    },
    {
      title: `both copies of the ${kind} bad`,
      plant: () => both(kind, RAW, (size) => new Uint8Array(size).fill(7)),
      found: [code('LOST')],
    },
    { title: `both copies of the ${kind} zero`, plant: () => both(kind, RAW, (size) => new Uint8Array(size)), found: [code('MISSING')] },
  ];
});

const raw = (next: bigint | undefined): Record<string, bigint> => ({
  flags: flagsOf(media.TYPE_CACHE_DATA, next !== undefined),
  next: next ?? 0n,
});
const invalid: Case[] = (
  [
    ['info', RAW, { version: 2n }, 'BAD_VERSION'],
    ['info', RAW, { res: 1n }, 'BAD_RESERVED'],
    ['info', RAW, { flags: flagsOf(media.TYPE_CACHE_DATA, false) | 0x20n }, 'BAD_RESERVED'],
    ['info', RAW, { segmentId: 3n }, 'BAD_SEGMENT_ID'],
    ['info', RAW, { dataOff: 8192n }, 'BAD_DATA_OFF'],
    ['info', RAW, { flags: flagsOf(4, false) }, 'BAD_TYPE'],
    ['info', RAW, raw(9n), 'BAD_NEXT'],
    ['info', RAW, raw(2n ** 32n - 1n), 'BAD_NEXT'],
    ['info', RAW, raw(BigInt(RAW)), 'BAD_NEXT'],
    ['info', RAW, { next: 1n }, 'BAD_NEXT'],
    ['info', FREE, { flags: flagsOf(media.TYPE_FREE, true), next: 1n }, 'BAD_NEXT'],
    ['owner', RAW, { version: 0n }, 'BAD_VERSION'],
    ['owner', RAW, { res: 7n }, 'BAD_RESERVED'],
    ['owner', RAW, { uuid: 1n }, 'BAD_UUID'],
    ['owner', RAW, { segmentId: 0n }, 'BAD_SEGMENT_ID'],
    ['owner', RAW, { kind: 4n }, 'BAD_KIND'],
    ['owner', RAW, { generation: 0n }, 'BAD_GENERATION'],
    ['owner', RAW, { generation: HUGE + 1n }, 'BAD_RANGE'],
    ['owner', RAW, { state: 1n }, 'BAD_STATE'],
    ['owner', RAW, { ownerId: 5n }, 'BAD_OWNER_ID'],
    ['owner', RAW, { byteLen: 5n }, 'BAD_FIELD'],
    ['owner', RAW, { trimPos: 5n }, 'BAD_FIELD'],
    ['owner', RAW, { nameLen: 5n }, 'BAD_NAME'],
    ['owner', SMALL, { state: 4n }, 'BAD_STATE'],
    ['owner', SMALL, { ownerId: 0n }, 'BAD_OWNER_ID'],
    ['owner', SMALL, { trimPos: 1n }, 'BAD_FIELD'],
    ['owner', SMALL, { byteLen: 2n ** 64n - 1n }, 'BAD_RANGE'],
    ['owner', SMALL, { nameLen: 0n }, 'BAD_NAME'],
    ['owner', SMALL, { nameLen: 1025n }, 'BAD_NAME'],
    ['owner', SMALL, { name: 0x80n }, 'BAD_NAME'],
    ['owner', SMALL, { name: 0n }, 'BAD_NAME'],
  ] as const
).map(([kind, segmentId, fields, verdict]): Case => {
  const shown = Object.entries(fields).map(([name, value]) => `${name} ${String(value)}`);
  return {
    title: `${kind} of segment ${segmentId} with ${shown.join(', ')}`,
    plant: () => forger.set(kind, segmentId, fields),
    found: [kind === 'info' ? 'INFO_INVALID' : 'OWNER_INVALID'],
    says: new RegExp(verdict),
  };
});

const ids = { head: forger.get('owner', HEAD, 'ownerId'), small: forger.get('owner', SMALL, 'ownerId') };
const object = (next: number): Record<string, bigint> => ({ flags: flagsOf(media.TYPE_OBJECT, true), next: BigInt(next) });
const logInfo = (next: number): Record<string, bigint> => ({ flags: flagsOf(media.TYPE_LOG, true), next: BigInt(next) });

/** Leaves the object of two segments one, and bytes for one. */
function shorten(): void {
  forger.set('info', HEAD, { flags: flagsOf(media.TYPE_OBJECT, false), next: 0n });
  forger.set('owner', HEAD, { byteLen: 10n });
}

const CASES: Case[] = [
  { title: 'nothing', plant: () => undefined, found: [] },
  { title: 'a pool that was not closed', plant: () => forger.set('superblock', 0, { state: 2n }), found: ['UNCLEAN'], left: [] },
  ...[0, 1].map(
    (copy): Case => ({
      title: `superblock ${copy} bad`,
      plant: () => rig.flip(forger.copyOff('superblock', 0, copy) * 8 + 999),
      found: ['SUPERBLOCK_DEGRADED'],
      left: [],
    }),
  ),
  {
    title: 'superblocks a step apart',
    plant: () => forger.set('superblock', 0, { seq: forger.get('superblock', 0, 'seq') + 1n }, { copies: [1] }),
    found: ['UPDATE_UNFINISHED'],
    left: [],
  },
  ...ofSlots,
  ...invalid,
  {
    title: 'kinds that differ',
    plant: () => forger.set('info', RAW, { flags: flagsOf(media.TYPE_OBJECT, false) }),
    found: ['OWNER_MISMATCH'],
  },
  { title: 'a life too many', plant: () => forger.set('owner', FREE, { generation: HUGE }), found: ['LIVES_SPENT'] },
  { title: 'one owner id, two objects', plant: () => forger.set('owner', SMALL, { ownerId: ids.head }), found: ['OWNER_TWICE'] },
  { title: 'one name, two objects', plant: () => forger.rename(SMALL, 'object'), found: ['NAME_TWICE'] },
  { title: 'one name, an object and a log', plant: () => forger.rename(SMALL, 'log'), found: ['NAME_TWICE'] },
  {
    title: 'objects that replaced each other',
    plant: () => {
      forger.rename(SMALL, 'object');
      forger.set('owner', SMALL, { replaces: ids.head });
      forger.set('owner', HEAD, { replaces: ids.small });
    },
    found: ['NAME_TWICE'],
  },
  {
    title: 'an object that replaced itself',
    plant: () => forger.set('owner', SMALL, { replaces: ids.small }),
    found: [],
  },
  {
    title: 'an object that replaced one of two owners of an id',
    plant: () => {
      forger.clone('owner', SMALL, UNUSED);
      forger.clone('info', SMALL, UNUSED);
      forger.set('owner', HEAD, { replaces: ids.small });
      forger.rename(SMALL, 'object');
      forger.rename(UNUSED, 'object');
    },
    found: ['OWNER_TWICE', 'NAME_TWICE', 'NAME_TWICE'],
  },
  {
    title: 'an object that was replaced and not freed yet',
    plant: () => {
      forger.rename(SMALL, 'object');
      forger.set('owner', HEAD, { replaces: ids.small });
    },
    found: ['ORPHAN'],
    left: [],
  },
  { title: 'an object that was never committed', plant: () => forger.set('owner', SMALL, { state: 1n }), found: ['ORPHAN'], left: [] },
  {
    title: 'an uncommitted object beside damage',
    plant: () => {
      forger.set('owner', SMALL, { state: 1n });
      both('info', RAW, (size) => new Uint8Array(size).fill(9));
    },
    found: ['INFO_LOST', 'UNREACHED'],
  },
  {
    title: 'an object whose head has another owner id than its follower',
    plant: () => forger.set('owner', HEAD, { ownerId: ids.head + 1n }),
    found: ['CHAIN_BROKEN', 'UNREACHED'],
  },
  {
    title: "a broken chain that leads to what another object's intact chain does not reach",
    plant: () => {
      shorten();
      forger.set('info', SMALL, object(FOLLOWER));
    },
    found: ['CHAIN_BROKEN', 'UNREACHED', 'DATA_CORRUPT'],
  },
  {
    title: 'one owner id, two objects, and a segment that neither reaches',
    plant: () => {
      shorten();
      forger.set('owner', SMALL, { ownerId: ids.head });
    },
    found: ['OWNER_TWICE', 'UNREACHED', 'DATA_CORRUPT'],
  },
  {
    title: 'an object shorter than its chain, which it does not reach',
    plant: () => shorten(),
    found: ['ORPHAN', 'DATA_CORRUPT'],
    left: ['DATA_CORRUPT'],
  },
  {
    title: 'an uncommitted object beside a broken chain',
    plant: () => {
      forger.set('info', HEAD, object(RAW));
      forger.set('owner', SMALL, { state: 1n });
    },
    found: ['CHAIN_BROKEN', 'UNREACHED', 'UNREACHED'],
  },
  {
    title: 'an object chained to a raw segment',
    plant: () => forger.set('info', HEAD, object(RAW)),
    found: ['CHAIN_BROKEN', 'UNREACHED'],
  },
  { title: 'an object chained to a free segment', plant: () => forger.set('info', SMALL, object(FREE)), found: ['CHAIN_BROKEN'] },
  { title: 'an object chained into a log', plant: () => forger.set('info', SMALL, object(TAIL)), found: ['CHAIN_BROKEN'] },
  {
    title: "an object's follower damaged",
    plant: () => both('info', FOLLOWER, (size) => new Uint8Array(size).fill(1)),
    found: ['INFO_LOST', 'CHAIN_BROKEN'],
  },
  {
    title: "an object's follower that leads back to its head",
    plant: () => forger.set('info', FOLLOWER, object(HEAD)),
    found: ['CHAIN_BROKEN'],
  },
  {
    title: 'two objects with one follower',
    plant: () => {
      forger.set('owner', SMALL, { ownerId: ids.head });
      forger.set('info', SMALL, object(FOLLOWER));
    },
    found: ['OWNER_TWICE', 'CHAIN_CROSSED'],
  },
  {
    title: 'two logs with one follower',
    plant: () => {
      forger.clone('owner', LOG, UNUSED);
      forger.rename(UNUSED, 'second log');
      forger.clone('info', LOG, UNUSED);
    },
    found: ['OWNER_TWICE', 'CHAIN_CROSSED', 'LOG_DAMAGED'],
  },
  { title: 'an object of 2^53 - 1 bytes', plant: () => forger.set('owner', SMALL, { byteLen: HUGE }), found: ['CHAIN_SHORT'] },
  {
    title: "an object's bytes changed",
    plant: () => flip(FOLLOWER, 50),
    found: ['DATA_CORRUPT'],
  },
  { title: "an object's CRC changed", plant: () => forger.set('owner', SMALL, { dataCrc: 1n }), found: ['DATA_CORRUPT'] },
  { title: 'a record in a segment with a successor', plant: () => flip(LOG, 700), found: ['LOG_DAMAGED'] },
  { title: 'a record with a later one that proves it', plant: () => flip(TAIL, 3), found: ['LOG_DAMAGED'] },
  { title: 'bytes behind the end of a log', plant: () => garbage(forger.dataOff(TAIL) + LOG_END, 100), found: ['TORN_TAIL'] },
  {
    title: "a log's chain broken",
    plant: () => forger.set('info', LOG, logInfo(SMALL)),
    found: ['CHAIN_BROKEN', 'UNREACHED', 'LOG_DAMAGED'],
  },
  { title: 'free records above the mark', plant: () => forger.set('superblock', 0, { highWater: 8n }), found: ['MARK_UNFINISHED'] },
  {
    title: 'owner records of a rise that was torn',
    plant: () => {
      forger.set('superblock', 0, { highWater: 8n });
      both('info', UNUSED, (size) => new Uint8Array(size));
    },
    found: ['MARK_UNFINISHED'],
  },
  {
    title: 'bytes above the mark',
    plant: () => {
      forger.set('superblock', 0, { highWater: 8n });
      garbage(forger.copyOff('info', UNUSED, 1), 40);
      garbage(forger.copyOff('info', UNUSED, 0), 40);
    },
    found: ['STRAY_BYTES'],
  },
  {
    title: 'a segment in use above the mark',
    plant: () => forger.set('superblock', 0, { highWater: 7n }),
    found: ['USED_ABOVE_MARK', 'MARK_UNFINISHED'],
  },
];

function checked(medium: Rig['reader'], repair: boolean, look: (pool: Pool) => void = () => undefined): CheckResult {
  const pool = Pool.open(medium);
  const result = checkPool(pool, { repair });
  look(pool);
  pool.close();
  return result;
}

for (const { title, plant, found, left = found, says } of CASES) {
  test(`${title}: ${found.join(', ') || 'sound'}`, () => {
    try {
      plant();
      const before = contents(Pool.open(rig.reader));
      const first = checked(rig.reader, false);
      assert.equal(codes(first.findings), found);
      if (says) assert.match(first.findings[0]?.message ?? '', says);
      for (const code of found) planted.add(code);
      assert.is(
        isSound(first),
        found.every((code) => FINDINGS[code].severity === 'note'),
      );
      assert.equal(checked(rig.reader, false), first, 'a second check says the same');

      const repaired = checked(rig.writer, true, (pool) => assertSame(before, contents(pool), 'repaired'));
      assert.equal(codes(repaired.findings).filter((code) => code !== 'UNCLEAN'), left.filter((code) => code !== 'UNCLEAN')); // prettier-ignore
      const stores = rig.writer.counts.stores;
      const again = checked(rig.writer, true, (pool) => assertSame(before, contents(pool), 'repaired twice'));
      assert.equal(codes(again.findings), left);
      assert.equal(again.repaired, []);
      assert.is(rig.writer.counts.stores - stores, 4, 'only the superblock is written: opened, closed');
    } finally {
      rig.undo();
    }
  });
}

test('what two chains lead to is written and freed by the one that it belongs to alone', () => {
  forger.set('owner', SMALL, { ownerId: ids.head });
  forger.set('info', SMALL, object(FOLLOWER));
  forger.clone('owner', LOG, UNUSED);
  forger.rename(UNUSED, 'second log');
  forger.clone('info', LOG, UNUSED);
  const before = contents(Pool.open(rig.reader));
  assert.is(before.get('log')?.pieces.length, 4);
  const pool = Pool.open(rig.writer);
  throwsCode('ERR_PMSEG_DAMAGED', () => pool.log('second log').append(Buffer.from('x')));
  for (const name of ['small', 'second log']) {
    pool.remove(name);
    before.delete(name);
  }
  // Whatever was freed is taken again, and written over.
  while (pool.status().segments.free > 0) pool.allocate().write(Buffer.alloc(MIB - media.DATA_OFF, 'over'), 0);
  pool.close();
  const again = Pool.open(rig.writer);
  assertSame(before, contents(again), 'the others were removed');
  assert.equal(codes(checkPool(again).findings), []);
  again.log('log').append(Buffer.from('goes on'));
  again.close();
  rig.undo();
});

test('bytes that the medium cannot deliver: DATA_LOST, BAD_RANGE', () => {
  const bank = rig.reader.banks[0];
  const faults = (plan.STATE_PTR + plan.STATE_FAULTS_OFF) / 4;
  const lost = { off: forger.dataOff(SMALL), len: 4096 };
  const touches = (off: number, len: number): boolean => off < lost.off + lost.len && off + len > lost.off;
  Object.assign(rig.reader, {
    badRanges: () => [lost],
    badOffset: (off: number, len: number) => (touches(off, len) ? Math.max(off, lost.off) : -1),
  });
  (bank as NonNullable<typeof bank>).words[faults] = 1;
  try {
    const { findings } = checked(rig.reader, false);
    assert.equal(codes(findings), ['DATA_LOST', 'BAD_RANGE']);
    assert.equal(findings.map(({ segmentId, offset }) => [segmentId, offset]), [[SMALL, lost.off], [SMALL, lost.off]]); // prettier-ignore
    for (const code of codes(findings)) planted.add(code);
  } finally {
    (bank as NonNullable<typeof bank>).words[faults] = 0;
    Reflect.deleteProperty(rig.reader, 'badRanges');
    Reflect.deleteProperty(rig.reader, 'badOffset');
  }
});

test('a log whose owner record is lost while the pool is open: DATA_UNREADABLE', () => {
  const pool = Pool.open(rig.reader);
  both('owner', LOG, (size) => new Uint8Array(size).fill(3));
  const used = pool.engine.bank.arena.used;
  assert.equal(codes(checkPool(pool).findings), ['DATA_UNREADABLE']);
  assert.is(pool.engine.bank.arena.used, used, 'nothing of the arena is lost on the way');
  planted.add('DATA_UNREADABLE');
  pool.close();
  rig.undo();
});

test('superblocks that contradict themselves or each other are typed errors, and nothing is written', () => {
  const fields = (name: string, ...values: bigint[]): [string, () => void][] =>
    values.map((value) => ['ERR_PMSEG_DAMAGED', () => forger.set('superblock', 0, { [name]: value })]);
  const refused: [string, () => void][] = [
    ['ERR_PMSEG_DAMAGED', () => forger.set('superblock', 0, { seq: forger.get('superblock', 0, 'seq') + 2n }, { copies: [0] })],
    ['ERR_PMSEG_DAMAGED', () => forger.set('superblock', 0, { label: 1n }, { copies: [0] })],
    ['ERR_PMSEG_CORRUPT', () => [0, 1].forEach((copy) => rig.flip(forger.copyOff('superblock', 0, copy) * 8 + 800))],
    ['ERR_PMSEG_NOT_POOL', () => [0, 1].forEach((copy) => garbage(forger.copyOff('superblock', 0, copy), 64))],
    ['ERR_PMSEG_NOT_POOL', () => forger.set('superblock', 0, { magic: 1n })],
    ['ERR_PMSEG_VERSION', () => forger.set('superblock', 0, { version: 2n })],
    ['ERR_PMSEG_VERSION', () => forger.set('superblock', 0, { incompat: 1n })],
    ['ERR_PMSEG_TRUNCATED', () => forger.set('superblock', 0, { poolSize: BigInt(rig.base.byteLength) + 4096n })],
    ['ERR_PMSEG_DAMAGED', () => forger.set('superblock', 0, { poolSize: BigInt(rig.base.byteLength) - 4096n })],
    ...fields('segmentsOff', 1n, 0x100000n, 2n ** 63n),
    ...fields('segmentSize', 0n, 1n, 0x180000n, 0x80000000n, 0x40000000n),
    ...fields('segmentCount', 0n, 10n, 2n ** 32n - 1n),
    ...fields('dataOff', 0n, 8192n),
    ...fields('highWater', 10n, 2n ** 32n - 1n),
    ...fields('epoch', HUGE + 1n, 2n ** 64n - 1n),
    ...fields('state', 0n),
    ...fields('reserved', 1n),
    ...fields('label', 0x80n),
  ]; // prettier-ignore
  for (const [code, plant] of refused) {
    plant();
    for (const medium of [rig.reader, rig.writer]) throwsCode(code, () => Pool.open(medium), plant.toString());
    assert.equal(rig.writer.stored, []);
    rig.undo();
  }
});

test('every code that a check knows was planted, and docs/CHECK.md is the table of them', () => {
  assert.equal([...planted].sort(), Object.keys(FINDINGS).sort());
  const document = new URL('../../../docs/CHECK.md', import.meta.url);
  const rows = Object.entries(FINDINGS).map(
    ([code, { severity, meaning, repair }]) => `| \`${code}\` | ${severity} | ${meaning} | ${repair} |`,
  );
  const text = readFileSync(document, 'utf8');
  const table = /(?<=\| --- \| --- \| --- \| --- \|\n)(\|.*\n)+/;
  if (process.env['UPDATE_DOCS']) writeFileSync(document, text.replace(table, `${rows.join('\n')}\n`));
  else assert.equal(table.exec(text)?.[0].trimEnd().split('\n'), rows, 'UPDATE_DOCS=1 node dist/tests/hostile/planted.test.js writes it');
});

test('the command line ends with 0 for notes and with 1 for damage, and a repair makes 0 of what it can', () => {
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
  const folder = temporaryFolder();
  const run = (path: string, ...options: string[]): { status: number | null; found: string[] } => {
    const { status, stdout } = spawnSync(process.execPath, [main, 'check', path, '--json', ...options], { encoding: 'utf8' });
    return { status, found: codes(JSON.parse(stdout).findings) };
  };
  for (const [title, status, repairedStatus] of [
    ['bytes behind the end of a log', 0, 0],
    ['an object that was never committed', 0, 0],
    ['superblock 1 bad', 1, 0],
    ['copy 0 of the owner bad', 1, 0],
    ["an object's bytes changed", 1, 1],
    ['objects that replaced each other', 1, 1],
  ] as const) {
    const { plant, found, left = found } = CASES.find((one) => one.title === title) as Case;
    const path = join(folder, `${title}.pmseg`);
    plant();
    writeFileSync(path, rig.bytes(0, rig.base.byteLength));
    rig.undo();
    assert.equal(run(path), { status, found: [...found] }, title);
    assert.equal(run(path, '--repair'), { status: repairedStatus, found: [...left] }, title);
    assert.equal(run(path), { status: repairedStatus, found: [...left] }, title);
  }
});
