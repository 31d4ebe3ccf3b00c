/**
 * Meta records and their slots: one record, two copies, the newest that verifies counts.
 *
 * What is always true
 *   - The crc covers everything after itself, seq included: a torn or flipped copy does not verify.
 *   - The newer of two copies is the one whose seq is after the other's, modulo 256.
 *   - At rest both copies hold the same bytes. A crash leaves them equal, one step apart, or one of them torn; anything else is damage.
 */
import { CRC_SEED, MEDIA_VERSION, META_HEADER_SIZE, META_SEQ_OFF } from "./media";
import {
  SLOT_CLASS_SHIFT, SLOT_EMPTY, SLOT_EQUAL, SLOT_INDEX_SHIFT, SLOT_LOST, SLOT_SINGLE, SLOT_SPLIT, SLOT_STEP,
} from "./plan";
import { bytesEqual, bytesZero } from "./bytes";
import { crc32c } from "./crc32c";
import { MetaHeader } from "./layout";

/** Completes a filled record: seq, version, reserved field, crc. Nothing touches it afterwards. */
export function metaSeal(ptr: usize, size: u32, seq: u32): void {
  const header = changetype<MetaHeader>(ptr);
  header.seq = <u8>seq;
  header.version = <u8>MEDIA_VERSION;
  header.res = 0;
  header.crc = metaCrc(ptr, size);
}

/** Whether the crc fits. */
export function metaVerify(ptr: usize, size: u32): bool {
  return changetype<MetaHeader>(ptr).crc == metaCrc(ptr, size);
}

/** Whether seq `a` comes after seq `b`. At distance 128 neither does. */
export function metaSeqAfter(a: u32, b: u32): bool {
  const difference = (a - b) & 0xff;
  return difference != 0 && difference < 128;
}

/** Index of the newest copy that verifies, 0 on a tie; -1 if none does. */
export function metaFindNewest(copy0Ptr: usize, copy1Ptr: usize, size: u32): i32 {
  const verifies0 = metaVerify(copy0Ptr, size);
  const verifies1 = metaVerify(copy1Ptr, size);
  if (verifies0 && verifies1) return metaSeqAfter(seqOf(copy1Ptr), seqOf(copy0Ptr)) ? 1 : 0;
  return verifies0 ? 0 : verifies1 ? 1 : -1;
}

/** What state a slot is in: class, index and seq of the newest copy, packed as plan.ts says. */
export function slotClassify(copy0Ptr: usize, copy1Ptr: usize, size: u32): u32 {
  const verifies0 = metaVerify(copy0Ptr, size);
  const verifies1 = metaVerify(copy1Ptr, size);
  const seq0 = seqOf(copy0Ptr);
  const seq1 = seqOf(copy1Ptr);
  if (!verifies0 && !verifies1) {
    return slot(bytesZero(copy0Ptr, size) && bytesZero(copy1Ptr, size) ? SLOT_EMPTY : SLOT_LOST, 0, 0);
  }
  if (!verifies1) return slot(SLOT_SINGLE, 0, seq0);
  if (!verifies0) return slot(SLOT_SINGLE, 1, seq1);
  if (bytesEqual(copy0Ptr, copy1Ptr, size)) return slot(SLOT_EQUAL, 0, seq0);
  if (((seq1 - seq0) & 0xff) == 1) return slot(SLOT_STEP, 1, seq1);
  if (((seq0 - seq1) & 0xff) == 1) return slot(SLOT_STEP, 0, seq0);
  return metaSeqAfter(seq1, seq0) ? slot(SLOT_SPLIT, 1, seq1) : slot(SLOT_SPLIT, 0, seq0);
}

function slot(slotClass: u32, index: u32, seq: u32): u32 {
  return seq | (index << SLOT_INDEX_SHIFT) | (slotClass << SLOT_CLASS_SHIFT);
}

function seqOf(ptr: usize): u32 {
  return load<u8>(ptr, META_SEQ_OFF);
}

function metaCrc(ptr: usize, size: u32): u32 {
  assert(size > META_HEADER_SIZE);
  return crc32c(CRC_SEED, ptr + META_SEQ_OFF, size - META_SEQ_OFF);
}
