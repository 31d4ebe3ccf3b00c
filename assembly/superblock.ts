/**
 * The superblock: what kind of pool this is and where its segments lie.
 *
 * What is always true
 *   - Checks judge in the order in which they may be believed: magic, crc, version, features, then the fields that those give meaning.
 *   - Sizes are compared with what is left, in 64 bits: nothing that a hostile image says can wrap.
 *   - Fields that this version does not know are zero, unless a feature that may be ignored says that somebody else has put them to use.
 */
import {
  COPY_SIZE, DATA_OFF, INCOMPAT_KNOWN, LABEL_SIZE, MEDIA_VERSION, RO_COMPAT_KNOWN, SEGMENTS_ALIGN, SEGMENTS_OFF, SEGMENT_COUNT_MAX,
  SEGMENT_SIZE_MAX, SEGMENT_SIZE_MIN, STATE_CLEAN, STATE_DIRTY, SUPERBLOCK_LABEL_OFF, SUPERBLOCK_MAGIC_HI, SUPERBLOCK_MAGIC_LO,
  SUPERBLOCK_PAD_OFF, SUPERBLOCK_SIZE,
} from "./media";
import {
  BAD_CRC, BAD_GEOMETRY, BAD_HIGH_WATER, BAD_INCOMPAT, BAD_LABEL, BAD_MAGIC, BAD_RANGE, BAD_RESERVED, BAD_RO_COMPAT, BAD_SIZE, BAD_STATE,
  BAD_TRUNCATED, BAD_VERSION, FINE,
} from "./verdicts";
import { bytesZero } from "./bytes";
import { Superblock } from "./layout";
import { metaVerify } from "./meta";
import { textValid } from "./text";
import { whole, WHOLE_MAX } from "./whole";

/** Writes an unsealed superblock for a new pool. Returns its segment count, or BAD_GEOMETRY. */
export function superblockInit(ptr: usize, poolSize: f64, segmentSize: u32): i32 {
  const size = whole(poolSize);
  if (!segmentSizeValid(segmentSize) || size % COPY_SIZE != 0) return BAD_GEOMETRY;
  const metadataSize: u64 = SEGMENTS_OFF + COPY_SIZE;
  if (size < metadataSize + segmentSize) return BAD_GEOMETRY;
  const count = <u32>min<u64>((size - metadataSize) / segmentSize, SEGMENT_COUNT_MAX);

  memory.fill(ptr, 0, SUPERBLOCK_SIZE);
  const superblock = changetype<Superblock>(ptr);
  superblock.version = <u8>MEDIA_VERSION;
  superblock.magicLo = SUPERBLOCK_MAGIC_LO;
  superblock.magicHi = SUPERBLOCK_MAGIC_HI;
  superblock.state = STATE_DIRTY;
  superblock.poolSize = size;
  superblock.segmentsOff = SEGMENTS_OFF;
  superblock.segmentSize = segmentSize;
  superblock.segmentCount = count;
  superblock.dataOff = DATA_OFF;
  return <i32>count;
}

/** Verdict on a superblock in a file of `fileSize` bytes that is to be read, or also written. */
export function superblockCheck(ptr: usize, fileSize: f64, writable: bool): i32 {
  const superblock = changetype<Superblock>(ptr);
  if (!superblockMagic(ptr)) return BAD_MAGIC;
  if (!metaVerify(ptr, SUPERBLOCK_SIZE)) return BAD_CRC;
  if (superblock.version != MEDIA_VERSION) return BAD_VERSION;
  if (superblock.incompat & ~INCOMPAT_KNOWN) return BAD_INCOMPAT;
  if (writable && (superblock.roCompat & ~RO_COMPAT_KNOWN)) return BAD_RO_COMPAT;
  if (!geometryValid(superblock)) return BAD_GEOMETRY;
  const size = whole(fileSize);
  if (superblock.poolSize > size) return BAD_TRUNCATED;
  if (superblock.poolSize < size) return BAD_SIZE;
  const extended = (superblock.roCompat & ~RO_COMPAT_KNOWN) | superblock.compat;
  if (!extended && !reservedZero(ptr)) return BAD_RESERVED;
  if (superblock.state != STATE_CLEAN && superblock.state != STATE_DIRTY) return BAD_STATE;
  if (superblock.highWater > superblock.segmentCount) return BAD_HIGH_WATER;
  if (superblock.epoch > WHOLE_MAX) return BAD_RANGE;
  return labelValid(ptr + SUPERBLOCK_LABEL_OFF) ? FINE : BAD_LABEL;
}

/** Whether the magic is there: tells a damaged pool from something else. */
export function superblockMagic(ptr: usize): bool {
  const superblock = changetype<Superblock>(ptr);
  return superblock.magicLo == SUPERBLOCK_MAGIC_LO && superblock.magicHi == SUPERBLOCK_MAGIC_HI;
}

/** Power of two within the limits. */
function segmentSizeValid(size: u32): bool {
  return size >= SEGMENT_SIZE_MIN && size <= SEGMENT_SIZE_MAX && (size & (size - 1)) == 0;
}

/** Whether superblock 0, the segments and superblock 1 follow each other without overlap, all within their limits. */
function geometryValid(superblock: Superblock): bool {
  const size = superblock.poolSize;
  const segmentsOff = superblock.segmentsOff;
  const count = superblock.segmentCount;
  if (size > WHOLE_MAX || size < COPY_SIZE || size % COPY_SIZE != 0) return false;
  // A multiple of SEGMENTS_ALIGN that is not zero lies behind superblock 0.
  if (segmentsOff == 0 || segmentsOff % SEGMENTS_ALIGN != 0 || segmentsOff > size - COPY_SIZE) return false;
  if (!segmentSizeValid(superblock.segmentSize) || superblock.dataOff != DATA_OFF) return false;
  if (count == 0 || count > SEGMENT_COUNT_MAX) return false;
  return <u64>count * superblock.segmentSize <= size - COPY_SIZE - segmentsOff;
}

function reservedZero(ptr: usize): bool {
  const superblock = changetype<Superblock>(ptr);
  return superblock.res == 0 && superblock.res1 == 0 && bytesZero(ptr + SUPERBLOCK_PAD_OFF, SUPERBLOCK_SIZE - SUPERBLOCK_PAD_OFF);
}

/** UTF-8, then zeros. */
function labelValid(ptr: usize): bool {
  let len: u32 = 0;
  while (len < LABEL_SIZE && load<u8>(ptr + len) != 0) len++;
  return textValid(ptr, len) && bytesZero(ptr + len, LABEL_SIZE - len);
}
