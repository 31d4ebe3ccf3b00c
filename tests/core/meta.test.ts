/**
 * Goal: a record that is not what was sealed is noticed, and of two copies the right one counts.
 * Method: every single-bit flip of every kind of record; all 65,536 pairs of seqs; every class of slot, both ways round.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import * as plan from '../../assembly/plan.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';
import { bytes, core, PTR, traps, view } from './world.js';

const test = suite('core/meta');
const prng = new Prng();
const COPY_0 = PTR;
const COPY_1 = PTR + media.COPY_SIZE;
const SIZE = media.INFO_SIZE;

/** A sealed copy with payload `fill`. */
function sealed(ptr: number, seq: number, fill: number): void {
  bytes.fill(fill, ptr, ptr + SIZE);
  core.metaSeal(ptr, SIZE, seq);
}

for (const [name, size] of [
  ['superblock', media.SUPERBLOCK_SIZE],
  ['info', media.INFO_SIZE],
  ['owner', media.OWNER_SIZE],
] as const) {
  test(`every single-bit flip of a sealed ${name} record is noticed`, () => {
    bytes.set(prng.bytes(size), PTR);
    core.metaSeal(PTR, size, prng.next());
    assert.ok(core.metaVerify(PTR, size));
    for (let bit = 0; bit < size * 8; bit++) {
      bytes[PTR + (bit >> 3)]! ^= 1 << (bit & 7);
      if (core.metaVerify(PTR, size)) assert.unreachable(`bit ${bit}`);
      bytes[PTR + (bit >> 3)]! ^= 1 << (bit & 7);
    }
    assert.ok(core.metaVerify(PTR, size));
  });

  test(`a page of zeros is no ${name} record`, () => {
    bytes.fill(0, PTR, PTR + size);
    assert.not(core.metaVerify(PTR, size));
  });
}

test('a seal writes the whole header and nothing else', () => {
  bytes.fill(0xff, PTR, PTR + SIZE);
  core.metaSeal(PTR, SIZE, 0x1234);
  assert.is(bytes[PTR + media.META_SEQ_OFF], 0x34);
  assert.is(bytes[PTR + media.META_VERSION_OFF], media.MEDIA_VERSION);
  assert.is(view.getUint16(PTR + media.META_RES_OFF, true), 0);
  assert.ok(bytes.subarray(PTR + media.META_HEADER_SIZE, PTR + SIZE).every((byte) => byte === 0xff));
  assert.is(view.getUint32(PTR, true), core.crc32c(media.CRC_SEED, PTR + 4, SIZE - 4));
  assert.ok(traps(() => core.metaSeal(PTR, media.META_HEADER_SIZE, 0)));
});

test('all 65,536 pairs of seqs are ordered by their signed 8-bit difference', () => {
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) {
      const difference = ((a - b) << 24) >> 24;
      if (core.metaSeqAfter(a, b) !== difference > 0) assert.unreachable(`${a} after ${b}`);
    }
  }
});

test('the newest copy that verifies is found for all pairs of seqs', () => {
  for (let seq0 = 0; seq0 < 256; seq0++) {
    sealed(COPY_0, seq0, 1);
    for (let seq1 = 0; seq1 < 256; seq1++) {
      sealed(COPY_1, seq1, 2);
      assert.is(core.metaFindNewest(COPY_0, COPY_1, SIZE), core.metaSeqAfter(seq1, seq0) ? 1 : 0);
    }
  }
});

test('a copy that does not verify never counts', () => {
  sealed(COPY_0, 1, 1);
  sealed(COPY_1, 2, 2);
  bytes[COPY_1 + SIZE - 1]! ^= 1;
  assert.is(core.metaFindNewest(COPY_0, COPY_1, SIZE), 0);
  assert.is(core.metaFindNewest(COPY_1, COPY_0, SIZE), 1);
  bytes[COPY_0]! ^= 1;
  assert.is(core.metaFindNewest(COPY_0, COPY_1, SIZE), -1);
});

/** A copy as a test describes it: seq and fill of a good one, or zeros, or rubbish. */
type Copy = { seq: number; fill: number } | 'zero' | 'rubbish';

function place(ptr: number, copy: Copy): void {
  if (copy === 'zero') bytes.fill(0, ptr, ptr + SIZE);
  else if (copy === 'rubbish') bytes.fill(0x5a, ptr, ptr + SIZE);
  else sealed(ptr, copy.seq, copy.fill);
}

const good = (seq: number, fill = 1): Copy => ({ seq, fill });
const x: Copy = 'rubbish';
const CLASSES: [Copy, Copy, slotClass: number, index: number, seq: number][] = [
  ['zero', 'zero', plan.SLOT_EMPTY, 0, 0],
  [good(7), good(7), plan.SLOT_EQUAL, 0, 7],
  [good(8), good(7), plan.SLOT_STEP, 0, 8],
  [good(7), good(8), plan.SLOT_STEP, 1, 8],
  [good(0), good(255), plan.SLOT_STEP, 0, 0],
  [good(255), good(0), plan.SLOT_STEP, 1, 0],
  [good(7), x, plan.SLOT_SINGLE, 0, 7],
  [x, good(9), plan.SLOT_SINGLE, 1, 9],
  [good(7), 'zero', plan.SLOT_SINGLE, 0, 7],
  ['zero', good(9), plan.SLOT_SINGLE, 1, 9],
  [good(7, 1), good(7, 2), plan.SLOT_SPLIT, 0, 7],
  [good(7), good(9), plan.SLOT_SPLIT, 1, 9],
  [good(9), good(7), plan.SLOT_SPLIT, 0, 9],
  [good(0), good(128), plan.SLOT_SPLIT, 0, 0],
  [x, x, plan.SLOT_LOST, 0, 0],
  [x, 'zero', plan.SLOT_LOST, 0, 0],
  ['zero', x, plan.SLOT_LOST, 0, 0],
];

test('every class of slot is told, with the copy that counts', () => {
  for (const [copy0, copy1, slotClass, index, seq] of CLASSES) {
    place(COPY_0, copy0);
    place(COPY_1, copy1);
    const found = core.slotClassify(COPY_0, COPY_1, SIZE);
    assert.equal(
      { slotClass: found >> plan.SLOT_CLASS_SHIFT, index: (found >> plan.SLOT_INDEX_SHIFT) & 1, seq: found & plan.SLOT_SEQ_MASK },
      { slotClass, index, seq },
      JSON.stringify([copy0, copy1]),
    );
  }
});

test('a single byte that is not zero makes an unreadable slot lost, not empty', () => {
  place(COPY_0, 'zero');
  place(COPY_1, 'zero');
  for (const ptr of [COPY_0, COPY_1]) {
    for (let i = 0; i < SIZE; i++) {
      bytes[ptr + i] = 1;
      assert.is(core.slotClassify(COPY_0, COPY_1, SIZE) >> plan.SLOT_CLASS_SHIFT, plan.SLOT_LOST);
      bytes[ptr + i] = 0;
    }
  }
});
