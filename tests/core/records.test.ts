/**
 * Goal: each rule of superblock, info and owner record is kept by what the core writes and missed by nothing that breaks it.
 * Method: a record that is fine, one field wrong at a time and the crc made to fit again, so that the rule alone is what judges.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import * as verdicts from '../../assembly/verdicts.js';
import { verdictName } from '../../src/core.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';
import { bytes, core, MEMORY_SIZE, PTR, reseal, traps, view } from './world.js';

const test = suite('core/records');
const prng = new Prng();
const UUID_PTR = PTR + 0x10000;
const ID_PTR = PTR + 0x10100;
const UUID = prng.bytes(media.UUID_SIZE);
const OWNER_ID = 0x1122334455667788n;
const LARGE = 2n ** 53n;
bytes.set(UUID, UUID_PTR);
view.setBigUint64(ID_PTR, OWNER_ID, true);

const u8 = (off: number, value: number) => (): void => view.setUint8(PTR + off, value);
const u16 = (off: number, value: number) => (): void => view.setUint16(PTR + off, value, true);
const u32 = (off: number, value: number) => (): void => view.setUint32(PTR + off, value, true);
const u64 = (off: number, value: number | bigint) => (): void => view.setBigUint64(PTR + off, BigInt(value), true);
const text = (off: number, value: string | number[]) => (): void =>
  bytes.set(typeof value === 'string' ? Buffer.from(value) : value, PTR + off);
const both =
  (...changes: (() => void)[]) =>
  (): void =>
    changes.forEach((change) => change());

/** What a table of rules says: the change, the verdict. */
type Rule = [title: string, change: () => void, verdict: number];

function judge(rules: Rule[], fresh: () => void, size: number, check: () => number): void {
  for (const [title, change, verdict] of rules) {
    fresh();
    change();
    reseal(PTR, size, media.CRC_SEED);
    assert.is(verdictName(check()), verdictName(verdict), title);
  }
}

/** UTF-8 that is none, and NUL. */
const BAD_TEXTS = [
  [0x80],
  [0xbf],
  [0xc0, 0x80],
  [0xc1, 0xbf],
  [0xc3],
  [0xc3, 0x28],
  [0xe0, 0x9f, 0xbf],
  [0xe2, 0x82],
  [0xe2, 0x28, 0xa1],
  [0xe2, 0x82, 0x28],
  [0xed, 0xa0, 0x80],
  [0xed, 0xbf, 0xbf],
  [0xf0, 0x8f, 0xbf, 0xbf],
  [0xf0, 0x9f, 0x92],
  [0xf0, 0x9f, 0x28, 0x80],
  [0xf0, 0x9f, 0x92, 0x28],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf5, 0x80, 0x80, 0x80],
  [0xff],
  [0x61, 0x80],
];
const GOOD_TEXTS = [
  'a',
  'ä',
  '€',
  '\u{1f4be}',
  '\u0080',
  '\u07ff',
  '\u0800',
  '\ud7ff',
  '\ue000',
  '\uffff',
  '\u{10000}',
  '\u{10ffff}',
  'a/b c\n\u0001',
];

// --- superblock

const SEGMENT_SIZE = media.SEGMENT_SIZE_MIN;
const POOL_SIZE = media.SEGMENTS_OFF + 4 * SEGMENT_SIZE + media.COPY_SIZE;

function freshSuperblock(): void {
  bytes.fill(0xff, PTR, PTR + media.SUPERBLOCK_SIZE);
  assert.is(core.superblockInit(PTR, POOL_SIZE, SEGMENT_SIZE), 4);
  bytes.set(UUID, PTR + media.SUPERBLOCK_UUID_OFF);
  core.metaSeal(PTR, media.SUPERBLOCK_SIZE, 1);
}

test('a new superblock holds what MEDIA says and is fine', () => {
  freshSuperblock();
  const expected = new DataView(new ArrayBuffer(media.SUPERBLOCK_SIZE));
  const label = new Uint8Array(expected.buffer);
  label.set(bytes.subarray(PTR, PTR + 4));
  label[4] = 1;
  label[5] = 1;
  label.set(Buffer.from('PMSEGv1\0'), 8);
  expected.setUint32(28, media.STATE_DIRTY, true);
  label.set(UUID, 32);
  expected.setBigUint64(48, BigInt(POOL_SIZE), true);
  expected.setBigUint64(56, 0x200000n, true);
  expected.setUint32(64, SEGMENT_SIZE, true);
  expected.setUint32(68, 4, true);
  expected.setUint32(72, 16384, true);
  assert.equal(bytes.slice(PTR, PTR + media.SUPERBLOCK_SIZE), label);
  assert.is(core.superblockCheck(PTR, POOL_SIZE, true), verdicts.FINE);
});

test('a superblock fits as many segments as the pool has room for', () => {
  const base = media.SEGMENTS_OFF + media.COPY_SIZE;
  const CASES: [poolSize: number, segmentSize: number, count: number][] = [
    [base + 2 ** 20, 2 ** 20, 1],
    [base + 2 ** 20 - 4096, 2 ** 20, verdicts.BAD_GEOMETRY],
    [base + 2 ** 21 - 4096, 2 ** 20, 1],
    [base + 2 ** 20 + 1, 2 ** 20, verdicts.BAD_GEOMETRY],
    [base + 5 * 2 ** 30, 2 ** 30, 5],
    [base + 2 ** 40, 2 ** 20, media.SEGMENT_COUNT_MAX],
    [base + 2 ** 41, 2 ** 20, media.SEGMENT_COUNT_MAX],
    [2 ** 50, 2 ** 30, media.SEGMENT_COUNT_MAX - 1],
    [base + 2 ** 20, 2 ** 19, verdicts.BAD_GEOMETRY],
    [base + 2 ** 20, 3 * 2 ** 19, verdicts.BAD_GEOMETRY],
    [2 ** 40, 2 ** 31, verdicts.BAD_GEOMETRY],
    [2 ** 40, 0, verdicts.BAD_GEOMETRY],
    [0, 2 ** 20, verdicts.BAD_GEOMETRY],
    [4096, 2 ** 20, verdicts.BAD_GEOMETRY],
  ];
  for (const [poolSize, segmentSize, count] of CASES) {
    assert.is(core.superblockInit(PTR, poolSize, segmentSize), count, `${poolSize} / ${segmentSize}`);
    if (count < 0) continue;
    core.metaSeal(PTR, media.SUPERBLOCK_SIZE, 0);
    assert.is(core.superblockCheck(PTR, poolSize, true), verdicts.FINE);
  }
  for (const poolSize of [-4096, NaN, Infinity, 2 ** 53]) assert.ok(traps(() => core.superblockInit(PTR, poolSize, 2 ** 20)));
});

const SUPERBLOCK_RULES: Rule[] = [
  ['magic, first half', u8(media.SUPERBLOCK_MAGIC_OFF, 0x51), verdicts.BAD_MAGIC],
  ['magic, last byte', u8(media.SUPERBLOCK_MAGIC_OFF + 7, 1), verdicts.BAD_MAGIC],
  ['version 0', u8(media.META_VERSION_OFF, 0), verdicts.BAD_VERSION],
  ['version 2', u8(media.META_VERSION_OFF, 2), verdicts.BAD_VERSION],
  ['incompatible feature', u32(media.SUPERBLOCK_INCOMPAT_OFF, 1 << 31), verdicts.BAD_INCOMPAT],
  ['read-only-compatible feature', u32(media.SUPERBLOCK_RO_COMPAT_OFF, 1), verdicts.BAD_RO_COMPAT],
  ['compatible feature', u32(media.SUPERBLOCK_COMPAT_OFF, 0xffffffff), verdicts.FINE],
  [
    'a compatible feature may use what was reserved',
    both(u32(media.SUPERBLOCK_COMPAT_OFF, 1), u64(media.SUPERBLOCK_RES_OFF, 5)),
    verdicts.FINE,
  ],
  ['pool size unaligned', u64(media.SUPERBLOCK_POOL_SIZE_OFF, POOL_SIZE + 512), verdicts.BAD_GEOMETRY],
  ['pool size zero', u64(media.SUPERBLOCK_POOL_SIZE_OFF, 0), verdicts.BAD_GEOMETRY],
  ['pool size one copy', u64(media.SUPERBLOCK_POOL_SIZE_OFF, 4096), verdicts.BAD_GEOMETRY],
  ['pool size all ones', u64(media.SUPERBLOCK_POOL_SIZE_OFF, 2n ** 64n - 1n), verdicts.BAD_GEOMETRY],
  ['pool size that wraps', u64(media.SUPERBLOCK_POOL_SIZE_OFF, 2n ** 64n - 4096n), verdicts.BAD_GEOMETRY],
  ['pool one page short for its segments', u64(media.SUPERBLOCK_POOL_SIZE_OFF, POOL_SIZE - 4096), verdicts.BAD_GEOMETRY],
  ['pool one page longer than the file', u64(media.SUPERBLOCK_POOL_SIZE_OFF, POOL_SIZE + 4096), verdicts.BAD_TRUNCATED],
  ['segments over the superblock', u64(media.SUPERBLOCK_SEGMENTS_OFF_OFF, 0), verdicts.BAD_GEOMETRY],
  ['segments unaligned', u64(media.SUPERBLOCK_SEGMENTS_OFF_OFF, 0x100000), verdicts.BAD_GEOMETRY],
  ['segments pushed over the second superblock', u64(media.SUPERBLOCK_SEGMENTS_OFF_OFF, 0x400000), verdicts.BAD_GEOMETRY],
  ['segments behind the pool', u64(media.SUPERBLOCK_SEGMENTS_OFF_OFF, 2n ** 63n), verdicts.BAD_GEOMETRY],
  ['segment size no power of two', u32(media.SUPERBLOCK_SEGMENT_SIZE_OFF, 0x100001), verdicts.BAD_GEOMETRY],
  ['segment size zero', u32(media.SUPERBLOCK_SEGMENT_SIZE_OFF, 0), verdicts.BAD_GEOMETRY],
  ['segment size too small', u32(media.SUPERBLOCK_SEGMENT_SIZE_OFF, 0x80000), verdicts.BAD_GEOMETRY],
  ['segment size too large', u32(media.SUPERBLOCK_SEGMENT_SIZE_OFF, 0x80000000), verdicts.BAD_GEOMETRY],
  ['segments larger than the pool', u32(media.SUPERBLOCK_SEGMENT_SIZE_OFF, 0x200000), verdicts.BAD_GEOMETRY],
  ['no segment', u32(media.SUPERBLOCK_SEGMENT_COUNT_OFF, 0), verdicts.BAD_GEOMETRY],
  ['one segment too many', u32(media.SUPERBLOCK_SEGMENT_COUNT_OFF, 5), verdicts.BAD_GEOMETRY],
  ['segment count whose product would wrap 32 bits', u32(media.SUPERBLOCK_SEGMENT_COUNT_OFF, 0x1000), verdicts.BAD_GEOMETRY],
  ['segment count all ones', u32(media.SUPERBLOCK_SEGMENT_COUNT_OFF, 0xffffffff), verdicts.BAD_GEOMETRY],
  ['fewer segments than there is room for', u32(media.SUPERBLOCK_SEGMENT_COUNT_OFF, 3), verdicts.FINE],
  ['data offset', u32(media.SUPERBLOCK_DATA_OFF_OFF, 8192), verdicts.BAD_GEOMETRY],
  ['header field', u16(media.META_RES_OFF, 1), verdicts.BAD_RESERVED],
  ['reserved word', u8(media.SUPERBLOCK_RES_OFF + 7, 1), verdicts.BAD_RESERVED],
  ['first padding byte', u8(media.SUPERBLOCK_PAD_OFF, 1), verdicts.BAD_RESERVED],
  ['last padding byte', u8(media.SUPERBLOCK_SIZE - 1, 1), verdicts.BAD_RESERVED],
  ['state 0', u32(media.SUPERBLOCK_STATE_OFF, 0), verdicts.BAD_STATE],
  ['state 3', u32(media.SUPERBLOCK_STATE_OFF, 3), verdicts.BAD_STATE],
  ['state clean', u32(media.SUPERBLOCK_STATE_OFF, media.STATE_CLEAN), verdicts.FINE],
  ['high water at the count', u32(media.SUPERBLOCK_HIGH_WATER_OFF, 4), verdicts.FINE],
  ['high water above the count', u32(media.SUPERBLOCK_HIGH_WATER_OFF, 5), verdicts.BAD_HIGH_WATER],
  ['largest epoch', u64(media.SUPERBLOCK_EPOCH_OFF, LARGE - 1n), verdicts.FINE],
  ['epoch too large', u64(media.SUPERBLOCK_EPOCH_OFF, LARGE), verdicts.BAD_RANGE],
  ['label of 64 bytes', text(media.SUPERBLOCK_LABEL_OFF, 'é'.repeat(32)), verdicts.FINE],
  ['label with something behind its end', text(media.SUPERBLOCK_LABEL_OFF, 'a\0b'), verdicts.BAD_LABEL],
  ['label with something at its very end', u8(media.SUPERBLOCK_LABEL_OFF + 63, 0x61), verdicts.BAD_LABEL],
  [
    'label cut inside a character',
    text(media.SUPERBLOCK_LABEL_OFF, [...Buffer.from('x' + 'é'.repeat(32)).subarray(0, 64)]),
    verdicts.BAD_LABEL,
  ],
  ...BAD_TEXTS.map((bad): Rule => [`label ${bad.join(' ')}`, text(media.SUPERBLOCK_LABEL_OFF, bad), verdicts.BAD_LABEL]),
];

test('each rule of the superblock is judged', () => {
  judge(SUPERBLOCK_RULES, freshSuperblock, media.SUPERBLOCK_SIZE, () => core.superblockCheck(PTR, POOL_SIZE, true));
});

test('a read-only-compatible feature lets readers in, and may use what was reserved', () => {
  freshSuperblock();
  both(u32(media.SUPERBLOCK_RO_COMPAT_OFF, 1), u8(media.SUPERBLOCK_PAD_OFF, 1))();
  reseal(PTR, media.SUPERBLOCK_SIZE, media.CRC_SEED);
  assert.is(core.superblockCheck(PTR, POOL_SIZE, false), verdicts.FINE);
  assert.is(core.superblockCheck(PTR, POOL_SIZE, true), verdicts.BAD_RO_COMPAT);
});

test('a file of another size than its pool is refused', () => {
  freshSuperblock();
  for (const size of [0, 4096, POOL_SIZE - 1]) assert.is(core.superblockCheck(PTR, size, false), verdicts.BAD_TRUNCATED);
  for (const size of [POOL_SIZE + 1, 2 ** 53 - 1]) assert.is(core.superblockCheck(PTR, size, false), verdicts.BAD_SIZE);
});

test('the magic is seen without a crc that fits', () => {
  freshSuperblock();
  u8(media.SUPERBLOCK_EPOCH_OFF, 1)();
  assert.is(core.superblockCheck(PTR, POOL_SIZE, true), verdicts.BAD_CRC);
  assert.ok(core.superblockMagic(PTR));
  u8(media.SUPERBLOCK_MAGIC_OFF + 4, 0)();
  assert.not(core.superblockMagic(PTR));
});

// --- info

const ID = 3;
const COUNT = 10;

function freshInfo(type: number = media.TYPE_OBJECT, next = 7): void {
  bytes.fill(0xff, PTR, PTR + media.INFO_SIZE);
  core.infoFill(PTR, ID, type, next);
  core.metaSeal(PTR, media.INFO_SIZE, 1);
}

test('an info record holds what it was filled with and is fine', () => {
  for (const type of [media.TYPE_FREE, media.TYPE_CACHE_DATA, media.TYPE_OBJECT, media.TYPE_LOG]) {
    for (const next of type === media.TYPE_FREE ? [-1] : [-1, 0, 9]) {
      freshInfo(type, next);
      assert.is(core.infoCheck(PTR, ID, COUNT), verdicts.FINE);
      assert.is(core.infoType(PTR), type);
      assert.is(core.infoNext(PTR), next);
      core.infoFill(PTR, ID, type, next);
      assert.equal([...bytes.subarray(PTR, PTR + media.META_HEADER_SIZE)], [0, 0, 0, 0, 0, media.MEDIA_VERSION, 0, 0]);
      const words = [8, 12, 16, 20].map((off) => view.getUint32(PTR + off, true));
      assert.equal(words, [(type << 1) | (next < 0 ? 0 : 1), Math.max(next, 0), ID, 16384]);
    }
  }
});

test('each rule of the info record is judged', () => {
  const rules: Rule[] = [
    ['version', u8(media.META_VERSION_OFF, 2), verdicts.BAD_VERSION],
    ['header field', u16(media.META_RES_OFF, 0x100), verdicts.BAD_RESERVED],
    ['unknown flag', u32(media.INFO_FLAGS_OFF, 0x20 | (media.TYPE_OBJECT << 1) | 1), verdicts.BAD_RESERVED],
    ['highest flag', u32(media.INFO_FLAGS_OFF, 0x80000000), verdicts.BAD_RESERVED],
    ["another segment's", u32(media.INFO_SEGMENT_ID_OFF, 4), verdicts.BAD_SEGMENT_ID],
    ['data offset', u32(media.INFO_DATA_OFF_OFF, 0), verdicts.BAD_DATA_OFF],
    ...Array.from({ length: 12 }, (_, i): Rule => [`type ${i + 4}`, u32(media.INFO_FLAGS_OFF, ((i + 4) << 1) | 1), verdicts.BAD_TYPE]),
    ['next is itself', u32(media.INFO_NEXT_OFF, ID), verdicts.BAD_NEXT],
    ['next is past the pool', u32(media.INFO_NEXT_OFF, COUNT), verdicts.BAD_NEXT],
    ['next is all ones', u32(media.INFO_NEXT_OFF, 0xffffffff), verdicts.BAD_NEXT],
    ['next without has-next', u32(media.INFO_FLAGS_OFF, media.TYPE_OBJECT << 1), verdicts.BAD_NEXT],
    ['a free segment with a next one', u32(media.INFO_FLAGS_OFF, 1), verdicts.BAD_NEXT],
  ];
  judge(rules, freshInfo, media.INFO_SIZE, () => core.infoCheck(PTR, ID, COUNT));
  freshInfo();
  u8(media.INFO_NEXT_OFF, 8)();
  assert.is(core.infoCheck(PTR, ID, COUNT), verdicts.BAD_CRC);
});

test('info that would break a rule is not written', () => {
  for (const [type, next] of [
    [4, -1],
    [media.TYPE_FREE, 1],
    [media.TYPE_LOG, ID],
    [media.TYPE_LOG, -2],
  ] as const) {
    assert.ok(
      traps(() => core.infoFill(PTR, ID, type, next)),
      `${type} ${next}`,
    );
  }
});

// --- owner

function freshOwner(kind: number, chainIndex: number, ptr = PTR): void {
  bytes.fill(0xff, ptr, ptr + media.OWNER_SIZE);
  core.ownerFill(ptr, UUID_PTR, ID, kind, ID_PTR, 5, chainIndex);
}

const name = (value: string | number[]) =>
  both(u32(media.OWNER_NAME_LEN_OFF, Buffer.from(value as string).length), text(media.OWNER_NAME_OFF, value));
const state = (value: number) => u32(media.OWNER_STATE_OFF, value);
const committed = (value: string) => both(state(media.OWNER_COMMITTED), name(value));

const OWNER_RULES: [kind: number, chainIndex: number, rules: Rule[]][] = [
  [
    media.TYPE_OBJECT,
    0,
    [
      ['building without a name', () => {}, verdicts.FINE],
      ['building with a name', name('x'), verdicts.FINE],
      ['committed', committed('x'), verdicts.FINE],
      [
        'committed with a length',
        both(committed('x'), u64(media.OWNER_BYTE_LEN_OFF, LARGE - 1n), u32(media.OWNER_DATA_CRC_OFF, 9)),
        verdicts.FINE,
      ],
      ['committed in the place of another', both(committed('x'), u64(media.OWNER_REPLACES_OFF, 2n ** 64n - 1n)), verdicts.FINE],
      ['longest name', committed('n'.repeat(1024)), verdicts.FINE],
      ...GOOD_TEXTS.map((good): Rule => [`name ${good}`, committed(good), verdicts.FINE]),
      ...BAD_TEXTS.map((bad): Rule => [`name ${bad.join(' ')}`, both(state(media.OWNER_COMMITTED), name(bad)), verdicts.BAD_NAME]),
      ['name with NUL', committed('a\0b'), verdicts.BAD_NAME],
      ['committed without a name', state(media.OWNER_COMMITTED), verdicts.BAD_NAME],
      ['name too long', both(state(media.OWNER_COMMITTED), name('n'.repeat(1024)), u32(media.OWNER_NAME_LEN_OFF, 1025)), verdicts.BAD_NAME],
      ['name length all ones', both(committed('x'), u32(media.OWNER_NAME_LEN_OFF, 0xffffffff)), verdicts.BAD_NAME],
      ['something behind the name', both(committed('x'), u8(media.OWNER_NAME_OFF + 1023, 1)), verdicts.BAD_NAME],
      ['something in the place of a name', u8(media.OWNER_NAME_OFF + 5, 1), verdicts.BAD_NAME],
      ['version', u8(media.META_VERSION_OFF, 0), verdicts.BAD_VERSION],
      ['header field', u16(media.META_RES_OFF, 1), verdicts.BAD_RESERVED],
      ['first padding byte', u8(media.OWNER_PAD_OFF, 1), verdicts.BAD_RESERVED],
      ['last padding byte', u8(media.OWNER_NAME_OFF - 1, 1), verdicts.BAD_RESERVED],
      ['first byte of the uuid', u8(media.OWNER_POOL_UUID_OFF, UUID[0]! ^ 1), verdicts.BAD_UUID],
      ['last byte of the uuid', u8(media.OWNER_POOL_UUID_OFF + 15, UUID[15]! ^ 1), verdicts.BAD_UUID],
      ["another segment's", u32(media.OWNER_SEGMENT_ID_OFF, 4), verdicts.BAD_SEGMENT_ID],
      ['kind 4', u32(media.OWNER_KIND_OFF, 4), verdicts.BAD_KIND],
      ['generation 0', u64(media.OWNER_GENERATION_OFF, 0), verdicts.BAD_GENERATION],
      ['generation too large', u64(media.OWNER_GENERATION_OFF, LARGE), verdicts.BAD_RANGE],
      ['byte length too large', u64(media.OWNER_BYTE_LEN_OFF, LARGE), verdicts.BAD_RANGE],
      ['state none', state(media.OWNER_NONE), verdicts.BAD_STATE],
      ['state 4', state(4), verdicts.BAD_STATE],
      ['owner id zero', u64(media.OWNER_ID_OFF, 0), verdicts.BAD_OWNER_ID],
      ['trim position of an object', u64(media.OWNER_TRIM_POS_OFF, 8), verdicts.BAD_FIELD],
    ],
  ],
  [
    media.TYPE_LOG,
    0,
    [
      ['building', () => {}, verdicts.FINE],
      ['committed and trimmed', both(committed('log'), u64(media.OWNER_TRIM_POS_OFF, LARGE - 1n)), verdicts.FINE],
      ['sealed', both(committed('log'), state(media.OWNER_SEALED)), verdicts.FINE],
      ['sealed without a name', state(media.OWNER_SEALED), verdicts.BAD_NAME],
      ['trim position too large', u64(media.OWNER_TRIM_POS_OFF, LARGE), verdicts.BAD_RANGE],
      ['byte length of a log', u64(media.OWNER_BYTE_LEN_OFF, 1), verdicts.BAD_FIELD],
      ['data crc of a log', u32(media.OWNER_DATA_CRC_OFF, 1), verdicts.BAD_FIELD],
      ['log that replaces', u64(media.OWNER_REPLACES_OFF, 1), verdicts.BAD_FIELD],
    ],
  ],
  ...[media.TYPE_OBJECT, media.TYPE_LOG].map((kind): [number, number, Rule[]] => [
    kind,
    2,
    [
      ['building', () => {}, verdicts.FINE],
      ['committed', state(media.OWNER_COMMITTED), verdicts.BAD_STATE],
      ['state none', state(media.OWNER_NONE), verdicts.BAD_STATE],
      ['owner id zero', u64(media.OWNER_ID_OFF, 0), verdicts.BAD_OWNER_ID],
      ['with a name', name('x'), verdicts.BAD_NAME],
      ['with a byte length', u64(media.OWNER_BYTE_LEN_OFF, 1), verdicts.BAD_FIELD],
      ['with a data crc', u32(media.OWNER_DATA_CRC_OFF, 1), verdicts.BAD_FIELD],
      ['that replaces', u64(media.OWNER_REPLACES_OFF, 1), verdicts.BAD_FIELD],
      ['trimmed', u64(media.OWNER_TRIM_POS_OFF, 1), verdicts.BAD_FIELD],
    ],
  ]),
  [
    media.TYPE_CACHE_DATA,
    1,
    [
      ['as filled', () => {}, verdicts.FINE],
      ['generation 0', u64(media.OWNER_GENERATION_OFF, 0), verdicts.BAD_GENERATION],
      ['building', state(media.OWNER_BUILDING), verdicts.BAD_STATE],
      ['with an owner', u64(media.OWNER_ID_OFF, 1), verdicts.BAD_OWNER_ID],
      ['with a name', name('x'), verdicts.BAD_NAME],
      ['with a byte length', u64(media.OWNER_BYTE_LEN_OFF, 1), verdicts.BAD_FIELD],
      ['trimmed', u64(media.OWNER_TRIM_POS_OFF, 1), verdicts.BAD_FIELD],
    ],
  ],
  [
    media.TYPE_FREE,
    0,
    [
      ['as filled', () => {}, verdicts.FINE],
      ['generation 0', u64(media.OWNER_GENERATION_OFF, 0), verdicts.FINE],
      ['building', state(media.OWNER_BUILDING), verdicts.BAD_STATE],
      ['with an owner', u64(media.OWNER_ID_OFF, 1), verdicts.BAD_OWNER_ID],
      ['in a chain', u32(media.OWNER_CHAIN_INDEX_OFF, 1), verdicts.BAD_FIELD],
      ['that replaces', u64(media.OWNER_REPLACES_OFF, 1), verdicts.BAD_FIELD],
    ],
  ],
];

for (const [kind, chainIndex, rules] of OWNER_RULES) {
  test(`each rule of owner records of kind ${kind} at place ${chainIndex} is judged`, () => {
    const fresh = (): void => {
      freshOwner(kind, chainIndex);
      bytes[PTR + media.META_VERSION_OFF] = media.MEDIA_VERSION;
    };
    judge(rules, fresh, media.OWNER_SIZE, () => core.ownerCheck(PTR, UUID_PTR, ID));
  });
}

test('an owner record holds what it was filled with, and zeros', () => {
  freshOwner(media.TYPE_LOG, 6);
  const expected = new DataView(new ArrayBuffer(media.OWNER_SIZE));
  new Uint8Array(expected.buffer).set(UUID, 8);
  expected.setUint8(5, 1);
  expected.setUint32(24, ID, true);
  expected.setUint32(28, media.TYPE_LOG, true);
  expected.setBigUint64(32, OWNER_ID, true);
  expected.setBigUint64(40, 5n, true);
  expected.setUint32(48, 6, true);
  expected.setUint32(52, media.OWNER_BUILDING, true);
  assert.equal(bytes.slice(PTR, PTR + media.OWNER_SIZE), new Uint8Array(expected.buffer));
  assert.is(core.ownerCheck(PTR, UUID_PTR, ID), verdicts.BAD_CRC);
});

test('an owner record may be refilled from its own uuid and owner id', () => {
  freshOwner(media.TYPE_OBJECT, 0);
  const before = bytes.slice(PTR, PTR + media.OWNER_SIZE);
  core.ownerFill(PTR, PTR + media.OWNER_POOL_UUID_OFF, ID, media.TYPE_OBJECT, PTR + media.OWNER_ID_OFF, 5, 0);
  assert.equal(bytes.slice(PTR, PTR + media.OWNER_SIZE), before);
});

test('segments of one chain know each other, free and raw ones nobody', () => {
  const other = PTR + 0x2000;
  for (const kind of [0, 1, 2, 3]) {
    for (const otherKind of [0, 1, 2, 3]) {
      freshOwner(kind, 0);
      freshOwner(otherKind, 1, other);
      assert.is(core.ownerSameChain(PTR, other), kind === otherKind && kind >= media.TYPE_OBJECT);
      view.setBigUint64(other + media.OWNER_ID_OFF, OWNER_ID + 1n, true);
      assert.not(core.ownerSameChain(PTR, other));
    }
  }
});

test('an object supersedes the one that it says it replaced, and no other', () => {
  const old = PTR + 0x2000;
  const fresh = (): void => {
    freshOwner(media.TYPE_OBJECT, 0);
    committed('name')();
    bytes.copyWithin(old, PTR, PTR + media.OWNER_SIZE);
    view.setBigUint64(PTR + media.OWNER_ID_OFF, 99n, true);
    view.setBigUint64(PTR + media.OWNER_REPLACES_OFF, OWNER_ID, true);
  };
  fresh();
  assert.ok(core.ownerSupersedes(PTR, old));
  assert.not(core.ownerSupersedes(old, PTR));
  const changes: [string, number, () => void][] = [
    ['replaces another', PTR, u64(media.OWNER_REPLACES_OFF, OWNER_ID + 1n)],
    ['is not committed', PTR, state(media.OWNER_BUILDING)],
    ['is a log', PTR, u32(media.OWNER_KIND_OFF, media.TYPE_LOG)],
    ['is no head', PTR, u32(media.OWNER_CHAIN_INDEX_OFF, 1)],
    ['has another name', PTR, text(media.OWNER_NAME_OFF, 'nome')],
    ['has a shorter name', PTR, u32(media.OWNER_NAME_LEN_OFF, 3)],
  ];
  for (const [title, , change] of changes) {
    fresh();
    change();
    assert.not(core.ownerSupersedes(PTR, old), title);
  }
  fresh();
  view.setUint32(old + media.OWNER_STATE_OFF, media.OWNER_BUILDING, true);
  assert.not(core.ownerSupersedes(PTR, old), 'the old one is not committed');
  fresh();
  view.setBigUint64(PTR + media.OWNER_REPLACES_OFF, 0n, true);
  view.setBigUint64(old + media.OWNER_ID_OFF, 0n, true);
  assert.not(core.ownerSupersedes(PTR, old), "zero is nobody's id");
});

test('names are what a strict decoder takes, without NUL', () => {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const agrees = (data: Uint8Array): void => {
    let expected = !data.includes(0);
    try {
      decoder.decode(data);
    } catch {
      expected = false;
    }
    bytes.set(data, PTR);
    if (core.nameValid(PTR, data.length) !== expected) assert.unreachable([...data].join(' '));
  };
  // Every pair of bytes; then every lead with bytes from the edges of what may follow.
  for (let pair = 0; pair < 65536; pair++) agrees(Uint8Array.of(pair >> 8, pair & 0xff));
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  for (let lead = 0xdf; lead <= 0xf8; lead++) {
    for (const a of edges)
      for (const b of edges) {
        agrees(Uint8Array.of(lead, a, b));
        for (const c of edges) agrees(Uint8Array.of(lead, a, b, c));
      }
  }
  // A character that its name cuts short at 4 GiB: reading on would trap.
  for (const good of GOOD_TEXTS.map((text) => Buffer.from(text))) {
    for (let len = 1; len <= good.length; len++) {
      bytes.set(good.subarray(0, len), MEMORY_SIZE - len);
      assert.is(core.nameValid(MEMORY_SIZE - len, len), len === good.length || good[0]! < 0x80, good.toString());
    }
  }
  assert.not(core.nameValid(PTR, 0));
  bytes.fill(0x61, PTR, PTR + 1025);
  assert.ok(core.nameValid(PTR, 1024));
  assert.not(core.nameValid(PTR, 1025));
});
