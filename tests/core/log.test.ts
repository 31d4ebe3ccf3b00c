/**
 * Goal: a walk over a log yields the records that were sealed, in order, up to the first that is not whole; what another life, epoch, owner
 * or segment wrote never appears; and a bad record is called damaged exactly when a later one proves that it had been durable.
 * Method: a log of every kind of record over two epochs, cut at every byte and damaged in every byte, against what was written; headers
 * made to mislead at the very end of memory, where each byte read too many traps; images made to keep the search busy.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import * as plan from '../../assembly/plan.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';
import { bytes, core, crcByDefinition, MEMORY_SIZE, PTR, traps, view } from './world.js';

const test = suite('core/log');
const prng = new Prng();
const CURSOR = PTR;
const OWNER = PTR + 0x1000;
const UUID = PTR + 0x2000;
const OWNER_ID = PTR + 0x2100;
const LOG = PTR + 0x10000;
const SEGMENT_ID = 5;
const GENERATION = 3;
const EPOCH_MAX = 1000;
bytes.set(prng.bytes(16), UUID);
bytes.set(prng.bytes(8), OWNER_ID);
bytes[OWNER_ID]! |= 1;

function fillOwner(segmentId = SEGMENT_ID, generation = GENERATION): void {
  core.ownerFill(OWNER, UUID, segmentId, media.TYPE_LOG, OWNER_ID, generation, 0);
}

/** The cursor as a reader begins with it. */
function freshCursor(): void {
  fillOwner();
  core.logCursorInit(CURSOR, OWNER, EPOCH_MAX);
}

const cursor = {
  bytes: () => bytes.slice(CURSOR, CURSOR + plan.CURSOR_SIZE),
  get epoch() {
    return Number(view.getBigUint64(CURSOR + media.LOG_SEED_EPOCH_OFF, true));
  },
  get sequence() {
    return view.getFloat64(CURSOR + plan.CURSOR_SEQUENCE_OFF, true);
  },
  set sequence(value: number) {
    view.setFloat64(CURSOR + plan.CURSOR_SEQUENCE_OFF, value, true);
  },
  get durablePos() {
    return view.getFloat64(CURSOR + plan.CURSOR_DURABLE_POS_OFF, true);
  },
  get kind() {
    return view.getUint32(CURSOR + plan.CURSOR_KIND_OFF, true);
  },
  get len() {
    return view.getUint32(CURSOR + plan.CURSOR_LEN_OFF, true);
  },
};

interface Entry {
  off: number;
  size: number;
  kind: number;
  len: number;
  sequence: number;
  durablePos: number;
  epoch: number;
}

type Step = { epoch: number } | { data: number } | 'drain' | 'end';

/** Writes a log at `ptr`, its first byte at position `basePos`; `drain` makes everything before it durable. */
function write(ptr: number, steps: Step[], { basePos = 0, firstSequence = 1 } = {}): Entry[] {
  freshCursor();
  const entries: Entry[] = [];
  let off = 0;
  let durablePos = basePos;
  let sequence = firstSequence;
  let epoch = 0;
  for (const step of steps) {
    if (step === 'drain') {
      durablePos = basePos + off;
      continue;
    }
    let kind: number = media.LOG_KIND_END;
    let len = 0;
    let size: number;
    if (step !== 'end' && 'epoch' in step) {
      epoch = step.epoch;
      core.logCursorEpoch(CURSOR, epoch);
      [kind, len] = [media.LOG_KIND_EPOCH, 8];
      size = core.logSealEpoch(CURSOR, ptr + off, sequence, durablePos);
    } else {
      if (step !== 'end') {
        [kind, len] = [media.LOG_KIND_DATA, step.data];
        bytes.set(prng.bytes(len), ptr + off + media.LOG_HEADER_SIZE);
      }
      bytes.fill(0xff, ptr + off + media.LOG_HEADER_SIZE + len, ptr + off + media.LOG_HEADER_SIZE + len + 8);
      size = core.logSeal(CURSOR, ptr + off, len, kind, sequence, durablePos);
    }
    assert.is(size, core.logRecordSize(len));
    entries.push({ off, size, kind, len, sequence, durablePos, epoch });
    if (kind === media.LOG_KIND_DATA) sequence++;
    off += size;
  }
  return entries;
}

const TWO_EPOCHS: Step[] = [
  { epoch: 4 },
  { data: 0 },
  { data: 1 },
  'drain',
  { data: 7 },
  { data: 8 },
  'drain',
  { data: 9 },
  { data: 40 },
  { epoch: 6 },
  { data: 3 },
  'drain',
  { data: 16 },
  { data: 23 },
  'drain',
  { data: 5 },
  'end',
];
const sizeOf = (entries: Entry[]): number => entries.reduce((end, { off, size }) => Math.max(end, off + size), 0);

/** Walks from the beginning of a segment: the entries stepped over. */
function walk(ptr: number, remain: number): Entry[] {
  const found: Entry[] = [];
  for (let off = 0; ; ) {
    const size = core.logStep(CURSOR, ptr + off, remain - off, off === 0);
    if (size === 0) return found;
    const { kind, len, durablePos, epoch } = cursor;
    found.push({ off, size, kind, len, durablePos, epoch, sequence: kind === media.LOG_KIND_DATA ? cursor.sequence - 1 : cursor.sequence });
    off += size;
  }
}

test('sizes are padded to the alignment', () => {
  for (let len = 0; len <= 40; len++) assert.is(core.logRecordSize(len), 24 + Math.ceil(len / 8) * 8);
  assert.is(core.logRecordSize(media.LOG_LEN_MASK), 24 + 2 ** 30);
  assert.ok(traps(() => core.logRecordSize(2 ** 30)));
});

test("the crc of a record is that of its bytes under the seed block's", () => {
  const [, record] = write(LOG, [{ epoch: 4 }, { data: 13 }]);
  const block = new DataView(new ArrayBuffer(media.LOG_SEED_SIZE));
  new Uint8Array(block.buffer).set(bytes.subarray(UUID, UUID + 16));
  new Uint8Array(block.buffer).set(bytes.subarray(OWNER_ID, OWNER_ID + 8), 16);
  block.setUint32(24, SEGMENT_ID, true);
  block.setBigUint64(32, BigInt(GENERATION), true);
  block.setBigUint64(40, 4n, true);
  const seed = crcByDefinition(media.CRC_SEED, new Uint8Array(block.buffer));
  const ptr = LOG + record!.off;
  assert.is(view.getUint32(ptr, true), crcByDefinition(seed, bytes.slice(ptr + 4, ptr + record!.size)));
  assert.is(view.getUint32(ptr + 4, true), 13);
  assert.is(view.getBigUint64(ptr + 8, true), 1n);
  assert.equal([...bytes.subarray(ptr + 24 + 13, ptr + 40)], [0, 0, 0]);
});

test('a walk yields what was written', () => {
  const entries = write(LOG, TWO_EPOCHS);
  bytes.fill(0, LOG + sizeOf(entries), LOG + sizeOf(entries) + 64);
  freshCursor();
  assert.equal(walk(LOG, sizeOf(entries) + 64), entries);
  assert.is(cursor.epoch, 6);
  freshCursor();
  assert.equal(walk(LOG, sizeOf(entries)), entries);
});

test('a log cut at any byte yields the records before the cut', () => {
  const entries = write(LOG, TWO_EPOCHS);
  const size = sizeOf(entries);
  const whole = bytes.slice(LOG, LOG + size);
  for (const rubbish of [0, 0xa5, 0xff]) {
    for (let cut = 0; cut <= size; cut++) {
      bytes.set(whole, LOG);
      bytes.fill(rubbish, LOG + cut, LOG + size + 64);
      const torn = entries.findIndex(({ off, size: len }) =>
        bytes.subarray(LOG + off, LOG + off + len).some((byte, i) => byte !== whole[off + i]),
      );
      const expected = torn < 0 ? entries : entries.slice(0, torn);
      freshCursor();
      assert.equal(walk(LOG, size + 64), expected, `cut at ${cut}`);
      // No room is no record either.
      bytes.set(whole, LOG);
      freshCursor();
      assert.equal(
        walk(LOG, cut),
        entries.filter(({ off, size: len }) => off + len <= cut),
        `room for ${cut}`,
      );
    }
  }
});

test('a refused record leaves the cursor alone', () => {
  const entries = write(LOG, [{ epoch: 4 }, { data: 20 }]);
  freshCursor();
  core.logStep(CURSOR, LOG, 1000, true);
  const before = cursor.bytes();
  const ptr = LOG + entries[1]!.off;
  for (let bit = 0; bit < entries[1]!.size * 8; bit++) {
    bytes[ptr + (bit >> 3)]! ^= 1 << (bit & 7);
    assert.is(core.logStep(CURSOR, ptr, 1000, false), 0, `bit ${bit}`);
    bytes[ptr + (bit >> 3)]! ^= 1 << (bit & 7);
  }
  assert.equal(cursor.bytes(), before);
});

test('what another segment, life, owner or pool wrote does not verify', () => {
  const entries = write(LOG, TWO_EPOCHS);
  const others: [string, () => void][] = [
    ['segment', () => fillOwner(SEGMENT_ID + 1)],
    ['life', () => fillOwner(SEGMENT_ID, GENERATION + 1)],
    ['owner', () => view.setUint8(OWNER + media.OWNER_ID_OFF, view.getUint8(OWNER + media.OWNER_ID_OFF) ^ 2)],
    ['pool', () => view.setUint8(OWNER + media.OWNER_POOL_UUID_OFF, view.getUint8(OWNER + media.OWNER_POOL_UUID_OFF) ^ 1)],
  ];
  for (const [title, change] of others) {
    fillOwner();
    change();
    core.logCursorInit(CURSOR, OWNER, EPOCH_MAX);
    assert.equal(walk(LOG, sizeOf(entries)), [], title);
    core.logCursorEpoch(CURSOR, 4);
    for (const { off, size } of entries) assert.is(core.logStep(CURSOR, LOG + off, size, false), 0, title);
    assert.is(core.logProof(CURSOR, LOG, sizeOf(entries), 0), -1, title);
  }
});

test('records of an epoch verify under that epoch alone', () => {
  const entries = write(LOG, TWO_EPOCHS);
  freshCursor();
  for (let epoch = 1; epoch <= 8; epoch++) {
    core.logCursorEpoch(CURSOR, epoch);
    for (const entry of entries.filter(({ kind }) => kind !== media.LOG_KIND_EPOCH)) {
      cursor.sequence = entry.sequence;
      assert.is(core.logStep(CURSOR, LOG + entry.off, entry.size, false), epoch === entry.epoch ? entry.size : 0);
    }
  }
});

test('epochs rise, and only the first record of a segment may repeat the current one', () => {
  write(LOG, [{ epoch: 7 }]);
  const CASES: [current: number, epochMax: number, first: boolean, valid: boolean][] = [
    [0, 1000, true, true],
    [0, 7, true, true],
    [0, 6, true, false],
    [6, 1000, true, true],
    [6, 1000, false, true],
    [7, 1000, true, true],
    [7, 1000, false, false],
    [8, 1000, true, false],
    [8, 1000, false, false],
  ];
  for (const [current, epochMax, first, valid] of CASES) {
    fillOwner();
    core.logCursorInit(CURSOR, OWNER, epochMax);
    if (current > 0) core.logCursorEpoch(CURSOR, current);
    assert.is(core.logStep(CURSOR, LOG, 32, first), valid ? 32 : 0, JSON.stringify([current, epochMax, first]));
  }
});

test('a segment begins with an epoch record and with nothing else', () => {
  const entries = write(LOG, [{ epoch: 4 }, { data: 8 }, 'end']);
  for (const { off, size, kind, sequence } of entries) {
    freshCursor();
    assert.is(core.logStep(CURSOR, LOG + off, size, true) > 0, kind === media.LOG_KIND_EPOCH);
    freshCursor();
    assert.is(core.logStep(CURSOR, LOG + off, size, false) > 0, kind === media.LOG_KIND_EPOCH, 'the epoch is not known');
    core.logCursorEpoch(CURSOR, 4);
    cursor.sequence = sequence;
    assert.is(core.logStep(CURSOR, LOG + off, size, true) > 0, kind === media.LOG_KIND_EPOCH);
  }
});

test('sequences follow each other; without an expectation any is taken', () => {
  const [, record] = write(LOG, [{ epoch: 4 }, { data: 8 }], { firstSequence: 50 });
  for (const kindOff of [0, record!.off]) {
    for (const [expected, valid] of [
      [0, true],
      [49, false],
      [50, true],
      [51, false],
    ] as const) {
      freshCursor();
      if (kindOff > 0) core.logCursorEpoch(CURSOR, 4);
      cursor.sequence = expected;
      assert.is(core.logStep(CURSOR, LOG + kindOff, 64, kindOff === 0) > 0, valid);
      if (valid) assert.is(cursor.sequence, kindOff === 0 ? 50 : 51);
    }
  }
});

test('a log goes on in its next segment with the same epoch and sequence', () => {
  const first = write(LOG, [{ epoch: 4 }, { data: 8 }, { data: 8 }, 'end']);
  const next = LOG + 0x10000;
  fillOwner(9, 77);
  core.logCursorSegment(CURSOR, OWNER);
  let size = core.logSealEpoch(CURSOR, next, 3, 0);
  size += core.logSeal(CURSOR, next + size, 0, media.LOG_KIND_DATA, 3, 0);

  freshCursor();
  assert.is(walk(LOG, sizeOf(first)).length, 4);
  fillOwner(9, 77);
  core.logCursorSegment(CURSOR, OWNER);
  assert.equal([cursor.epoch, cursor.sequence], [4, 3]);
  assert.equal(
    walk(next, size).map(({ kind, sequence }) => [kind, sequence]),
    [
      [media.LOG_KIND_EPOCH, 3],
      [media.LOG_KIND_DATA, 3],
    ],
  );
});

test('fields at their limits survive', () => {
  const most = 2 ** 53 - 1;
  fillOwner(0xffffffff, most);
  core.logCursorInit(CURSOR, OWNER, most);
  core.logCursorEpoch(CURSOR, most);
  core.logSealEpoch(CURSOR, LOG, most - 1, most);
  core.logSeal(CURSOR, LOG + 32, 3, media.LOG_KIND_DATA, most - 1, most);
  core.logSeal(CURSOR, LOG + 64, 0, media.LOG_KIND_END, most, most);
  core.logCursorInit(CURSOR, OWNER, most);
  assert.is(core.logStep(CURSOR, LOG, 64, true), 32);
  assert.is(core.logStep(CURSOR, LOG + 32, 64, false), 32);
  assert.equal([cursor.epoch, cursor.sequence, cursor.durablePos], [most, most, most]);
  assert.is(core.logStep(CURSOR, LOG + 64, 64, false), 24);
  assert.is(cursor.sequence, most);
});

test('records that could not be judged are not sealed', () => {
  freshCursor();
  assert.ok(
    traps(() => core.logSeal(CURSOR, LOG, 0, media.LOG_KIND_DATA, 1, 0)),
    'no epoch',
  );
  assert.ok(
    traps(() => core.logCursorEpoch(CURSOR, 0)),
    'epoch 0',
  );
  core.logCursorEpoch(CURSOR, 1);
  const bad: [number, number, number, number][] = [
    [2 ** 30, media.LOG_KIND_DATA, 1, 0],
    [0, 3, 1, 0],
    [0, 4, 1, 0],
    [7, media.LOG_KIND_EPOCH, 1, 0],
    [1, media.LOG_KIND_END, 1, 0],
    [0, media.LOG_KIND_DATA, 0, 0],
    [0, media.LOG_KIND_DATA, 1.5, 0],
    [0, media.LOG_KIND_DATA, 2 ** 53, 0],
    [0, media.LOG_KIND_DATA, 2 ** 53 - 1, 0],
    [0, media.LOG_KIND_DATA, 1, -1],
    [0, media.LOG_KIND_DATA, 1, NaN],
  ];
  for (const [len, kind, sequence, durablePos] of bad) {
    assert.ok(
      traps(() => core.logSeal(CURSOR, LOG, len, kind, sequence, durablePos)),
      JSON.stringify([len, kind, sequence, durablePos]),
    );
  }
});

test('a crc that fits does not save a record that breaks a rule', () => {
  const forgeries: [string, boolean, (ptr: number) => void][] = [
    ['nothing wrong', true, () => {}],
    ['kind 3', false, (ptr) => view.setUint32(ptr + 4, (3 << 30) | 5, true)],
    ['padding', false, (ptr) => view.setUint8(ptr + 31, 1)],
    ['end with a payload', false, (ptr) => view.setUint32(ptr + 4, (media.LOG_KIND_END << 30) | 5, true)],
    ['sequence 0', false, (ptr) => view.setBigUint64(ptr + 8, 0n, true)],
    ['sequence with none after it', false, (ptr) => view.setBigUint64(ptr + 8, 2n ** 53n - 1n, true)],
    ['sequence that the host cannot count', false, (ptr) => view.setBigUint64(ptr + 8, 2n ** 53n, true)],
    ['position that the host cannot count', false, (ptr) => view.setBigUint64(ptr + 16, 2n ** 53n, true)],
  ];
  for (const [title, valid, change] of forgeries) {
    freshCursor();
    core.logCursorEpoch(CURSOR, 4);
    bytes.fill(0, LOG, LOG + 64);
    const ptr = LOG + 24;
    const size = core.logSeal(CURSOR, ptr, 5, media.LOG_KIND_DATA, 1, 8);
    change(ptr);
    view.setUint32(ptr, core.crc32c(view.getUint32(CURSOR + plan.CURSOR_SEED_OFF, true), ptr + 4, size - 4), true);
    assert.is(core.logStep(CURSOR, ptr, size, false), valid ? size : 0, title);
    cursor.sequence = 0;
    assert.is(core.logProof(CURSOR, LOG, 24 + size, 0), valid ? 24 : -1, title);
  }
});

test('nothing is valid under epoch 0, in which nobody writes', () => {
  freshCursor();
  core.logCursorEpoch(CURSOR, 4);
  const size = core.logSeal(CURSOR, LOG + 24, 5, media.LOG_KIND_DATA, 1, 8);
  freshCursor();
  view.setUint32(LOG + 24, core.crc32c(view.getUint32(CURSOR + plan.CURSOR_SEED_OFF, true), LOG + 28, size - 4), true);
  assert.is(core.logStep(CURSOR, LOG + 24, size, false), 0);
  assert.is(core.logProof(CURSOR, LOG, 24 + size, 0), -1);
});

test('headers that claim more than there is are refused without reading it', () => {
  freshCursor();
  core.logCursorEpoch(CURSOR, 4);
  const lens = [0, 1, 7, 8, 9, 16, 39, 40, 41, 0x3ffffff8, 0x3fffffff];
  for (const kind of [0, 1, 2, 3]) {
    for (const len of lens) {
      for (let remain = 0; remain <= 64; remain++) {
        const ptr = MEMORY_SIZE - remain;
        bytes.fill(0, MEMORY_SIZE - 64);
        const header = new DataView(new ArrayBuffer(24));
        header.setUint32(4, (len | (kind << 30)) >>> 0, true);
        header.setBigUint64(8, 1n, true);
        header.setBigUint64(16, 1n, true);
        bytes.set(new Uint8Array(header.buffer).subarray(0, remain), ptr);
        for (const first of [true, false]) assert.is(core.logStep(CURSOR, ptr, remain, first), 0);
        assert.is(core.logProof(CURSOR, ptr, remain, 0), -1);
        // The same header as a candidate of the search.
        if (remain >= 24) assert.is(core.logProof(CURSOR, ptr - 24, remain + 24, 0), -1);
      }
    }
  }
});

test('a log that ends at 4 GiB is read to its last byte', () => {
  const entries = write(LOG, TWO_EPOCHS);
  const size = sizeOf(entries);
  bytes.copyWithin(MEMORY_SIZE - size, LOG, LOG + size);
  freshCursor();
  assert.equal(walk(MEMORY_SIZE - size, size), entries);
});

test('a record damaged in any byte is proved damaged exactly if a later one knew it durable', () => {
  for (const basePos of [0, 5 * 2 ** 32]) {
    const entries = write(LOG, TWO_EPOCHS, { basePos });
    const size = sizeOf(entries);
    bytes.fill(0, LOG + size, LOG + size + 100);
    let proved = 0;
    for (let at = 0; at < size; at++) {
      bytes[LOG + at]! ^= 0x10;
      freshCursor();
      const found = walk(LOG, size + 100);
      const bad = entries[found.length]!;
      assert.ok(bad.off <= at && at < bad.off + bad.size, `byte ${at}`);
      const before = cursor.bytes();
      const proof = entries.find(({ off, durablePos }) => off > bad.off && durablePos > basePos + bad.off);
      assert.is(
        core.logProof(CURSOR, LOG + bad.off, size + 100 - bad.off, basePos + bad.off),
        proof ? proof.off - bad.off : -1,
        `byte ${at}`,
      );
      assert.equal(cursor.bytes(), before);
      if (proof) proved++;
      bytes[LOG + at]! ^= 0x10;
    }
    assert.ok(proved > size / 2 && proved < size);
  }
});

test('stretches of damage, with the epoch record in them, are proved as well', () => {
  const entries = write(LOG, TWO_EPOCHS);
  const size = sizeOf(entries);
  const whole = bytes.slice(LOG, LOG + size);
  for (const rubbish of [0, 0xee]) {
    for (let from = 0; from < entries.length; from++) {
      for (let to = from; to < entries.length; to++) {
        bytes.set(whole, LOG);
        const bad = entries[from]!;
        const last = entries[to]!;
        bytes.fill(rubbish, LOG + bad.off, LOG + last.off + last.size);
        freshCursor();
        assert.is(walk(LOG, size).length, from);
        const proof = entries.find(({ durablePos }, i) => i > to && durablePos > bad.off);
        assert.is(core.logProof(CURSOR, LOG + bad.off, size - bad.off, bad.off), proof ? proof.off - bad.off : -1, `${from}…${to}`);
      }
    }
  }
});

test('a proof is found behind any run of zeros, wherever it begins and the search ends', () => {
  for (let gap = 24; gap <= 400; gap += 8) {
    for (const behind of [0, 8, 40, 64, 88]) {
      freshCursor();
      core.logCursorEpoch(CURSOR, 4);
      bytes.fill(0, LOG, LOG + 1000);
      const size = core.logSeal(CURSOR, LOG + gap, 5, media.LOG_KIND_DATA, 1, 8);
      cursor.sequence = 1;
      assert.is(core.logProof(CURSOR, LOG, gap + size + behind, 0), gap, `${gap} + ${behind}`);
      // One byte that is not zero, in any place of the run, changes nothing.
      bytes[LOG + 16 + prng.below(gap - 16)] = 1 + prng.below(255);
      assert.is(core.logProof(CURSOR, LOG, gap + size + behind, 0), gap, `${gap} + ${behind}, not all zero`);
    }
  }
});

test('a record of an epoch that has passed, or that has not begun, proves nothing', () => {
  // Two records of epoch 4, the second of which knew the first durable; then the first is lost.
  const entries = write(LOG, [{ epoch: 4 }, { data: 8 }, 'drain', { data: 8 }]);
  const size = sizeOf(entries);
  const bad = entries[1]!;
  bytes.fill(0, LOG + bad.off, LOG + bad.off + bad.size);
  for (const [current, epochMax, proved] of [
    [0, 4, true],
    [0, 3, false],
    [3, 4, true],
    [4, 4, true],
    [5, 9, false],
  ] as const) {
    fillOwner();
    core.logCursorInit(CURSOR, OWNER, epochMax);
    if (current > 0) core.logCursorEpoch(CURSOR, current);
    cursor.sequence = 1;
    assert.is(core.logProof(CURSOR, LOG + bad.off, size - bad.off, bad.off) >= 0, proved, JSON.stringify([current, epochMax]));
  }
});

test('a proof has a sequence that the bytes before it leave room for', () => {
  for (const [sequence, proved] of [
    [9, false],
    [10, true],
    [11, true],
    [12, false],
  ] as const) {
    freshCursor();
    core.logCursorEpoch(CURSOR, 4);
    bytes.fill(0, LOG, LOG + 100);
    core.logSeal(CURSOR, LOG + 32, 0, media.LOG_KIND_DATA, sequence, 108);
    cursor.sequence = 10;
    assert.is(core.logProof(CURSOR, LOG, 100, 100) === 32, proved, String(sequence));
  }
});

test('a record that claims more durable than there was before it proves nothing', () => {
  for (const [durablePos, proved] of [
    [100, false],
    [104, false],
    [108, true],
    [132, true],
    [140, false],
    [2 ** 53 - 1, false],
  ] as const) {
    freshCursor();
    core.logCursorEpoch(CURSOR, 4);
    bytes.fill(0, LOG, LOG + 100);
    core.logSeal(CURSOR, LOG + 32, 0, media.LOG_KIND_DATA, 1, durablePos);
    cursor.sequence = 1;
    assert.is(core.logProof(CURSOR, LOG, 100, 100) === 32, proved, String(durablePos));
  }
});

const BIG = 16 << 20;

test('16 MiB of random bytes prove nothing, soon', () => {
  const words = new Uint32Array(bytes.buffer, LOG, BIG / 4);
  for (let i = 0; i < words.length; i++) words[i] = prng.next();
  freshCursor();
  core.logCursorEpoch(CURSOR, 4);
  const begin = performance.now();
  assert.is(core.logProof(CURSOR, LOG, BIG, 0), -1);
  const ms = performance.now() - begin;
  console.log(`NOTE 16 MiB of random bytes searched for a proof in ${ms.toFixed(0)} ms`);
});

test('a segment full of the smallest records that prove nothing is searched to its end', () => {
  // All plausible, none of this life: what a copy of another log as payload looks like.
  fillOwner(SEGMENT_ID + 1);
  core.logCursorInit(CURSOR, OWNER, EPOCH_MAX);
  core.logCursorEpoch(CURSOR, 4);
  for (let off = 0; off < BIG; off += 24) if (BIG - off >= 24) core.logSeal(CURSOR, LOG + off, 0, media.LOG_KIND_DATA, off / 24 + 1, off);
  freshCursor();
  core.logCursorEpoch(CURSOR, 4);
  cursor.sequence = 1;
  assert.is(core.logProof(CURSOR, LOG, BIG, 0), -1);
});

test('an image made to exhaust the search ends it in bounded time, as damage', () => {
  // Every 24 bytes a header that claims everything up to the end.
  for (let off = 0; off + 24 <= BIG; off += 24) {
    view.setUint32(LOG + off, 0, true);
    view.setUint32(LOG + off + 4, (BIG - off - 24) & ~7, true);
    view.setBigUint64(LOG + off + 8, 1n, true);
    view.setBigUint64(LOG + off + 16, 8n, true);
  }
  freshCursor();
  core.logCursorEpoch(CURSOR, 4);
  cursor.sequence = 1;
  const begin = performance.now();
  assert.ok(core.logProof(CURSOR, LOG, BIG, 0) > 0);
  const ms = performance.now() - begin;
  console.log(`NOTE 16 MiB made to exhaust the search took ${ms.toFixed(0)} ms`);
});
