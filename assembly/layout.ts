/**
 * The records of media.ts and plan.ts as classes over linear memory, and the compiler's proof that both say the same.
 *
 * What is always true
 *   - No object of these classes is ever made: `changetype<T>(ptr)` looks at bytes that already lie somewhere.
 *   - Fields follow each other without holes: no byte of a record is without a name. Byte strings are reached by their offset; a class
 *     stops where the first long one begins.
 *   - `ERROR` in a branch that the compiler knows to be false is a static assertion: moving a field stops the build.
 */
import * as media from "./media";
import * as plan from "./plan";

@unmanaged @final
export class MetaHeader {
  crc: u32;
  seq: u8;
  version: u8;
  res: u16;
}

@unmanaged @final
export class Superblock {
  crc: u32;
  seq: u8;
  version: u8;
  res: u16;
  magicLo: u32;
  magicHi: u32;
  incompat: u32;
  roCompat: u32;
  compat: u32;
  state: u32;
  uuid0: u64;
  uuid1: u64;
  poolSize: u64;
  segmentsOff: u64;
  segmentSize: u32;
  segmentCount: u32;
  dataOff: u32;
  highWater: u32;
  epoch: u64;
  res1: u64;
}

@unmanaged @final
export class SegmentInfo {
  crc: u32;
  seq: u8;
  version: u8;
  res: u16;
  flags: u32;
  next: u32;
  segmentId: u32;
  dataOff: u32;
}

@unmanaged @final
export class Owner {
  crc: u32;
  seq: u8;
  version: u8;
  res: u16;
  uuid0: u64;
  uuid1: u64;
  segmentId: u32;
  kind: u32;
  ownerId: u64;
  generation: u64;
  chainIndex: u32;
  state: u32;
  byteLen: u64;
  replaces: u64;
  trimPos: u64;
  dataCrc: u32;
  nameLen: u32;
}

@unmanaged @final
export class LogRecord {
  crc: u32;
  lenKind: u32;
  sequence: u64;
  durablePos: u64;
}

@unmanaged @final
export class Cursor {
  uuid0: u64;
  uuid1: u64;
  ownerId: u64;
  segmentId: u32;
  res: u32;
  generation: u64;
  epoch: u64;
  epochMax: f64;
  sequence: f64;
  durablePos: f64;
  kind: u32;
  len: u32;
  seed: u32;
}

@unmanaged @final
export class Bvec {
  ptr: u32;
  len: u32;
}

// Meta header, and that every record begins with it.
if (offsetof<MetaHeader>("crc") != media.META_CRC_OFF) ERROR("META_CRC_OFF");
if (offsetof<MetaHeader>("seq") != media.META_SEQ_OFF) ERROR("META_SEQ_OFF");
if (offsetof<MetaHeader>("version") != media.META_VERSION_OFF) ERROR("META_VERSION_OFF");
if (offsetof<MetaHeader>("res") != media.META_RES_OFF) ERROR("META_RES_OFF");
if (offsetof<MetaHeader>() != media.META_HEADER_SIZE) ERROR("META_HEADER_SIZE");
if (media.SUPERBLOCK_MAGIC_OFF != media.META_HEADER_SIZE) ERROR("a superblock begins with the meta header");
if (media.INFO_FLAGS_OFF != media.META_HEADER_SIZE) ERROR("an info record begins with the meta header");
if (media.OWNER_POOL_UUID_OFF != media.META_HEADER_SIZE) ERROR("an owner record begins with the meta header");

// Superblock.
if (offsetof<Superblock>("magicLo") != media.SUPERBLOCK_MAGIC_OFF) ERROR("SUPERBLOCK_MAGIC_OFF");
if (offsetof<Superblock>("incompat") != media.SUPERBLOCK_INCOMPAT_OFF) ERROR("SUPERBLOCK_INCOMPAT_OFF");
if (offsetof<Superblock>("roCompat") != media.SUPERBLOCK_RO_COMPAT_OFF) ERROR("SUPERBLOCK_RO_COMPAT_OFF");
if (offsetof<Superblock>("compat") != media.SUPERBLOCK_COMPAT_OFF) ERROR("SUPERBLOCK_COMPAT_OFF");
if (offsetof<Superblock>("state") != media.SUPERBLOCK_STATE_OFF) ERROR("SUPERBLOCK_STATE_OFF");
if (offsetof<Superblock>("uuid0") != media.SUPERBLOCK_UUID_OFF) ERROR("SUPERBLOCK_UUID_OFF");
if (offsetof<Superblock>("poolSize") != media.SUPERBLOCK_POOL_SIZE_OFF) ERROR("SUPERBLOCK_POOL_SIZE_OFF");
if (media.SUPERBLOCK_POOL_SIZE_OFF - media.SUPERBLOCK_UUID_OFF != media.UUID_SIZE) ERROR("SUPERBLOCK_UUID_OFF");
if (offsetof<Superblock>("segmentsOff") != media.SUPERBLOCK_SEGMENTS_OFF_OFF) ERROR("SUPERBLOCK_SEGMENTS_OFF_OFF");
if (offsetof<Superblock>("segmentSize") != media.SUPERBLOCK_SEGMENT_SIZE_OFF) ERROR("SUPERBLOCK_SEGMENT_SIZE_OFF");
if (offsetof<Superblock>("segmentCount") != media.SUPERBLOCK_SEGMENT_COUNT_OFF) ERROR("SUPERBLOCK_SEGMENT_COUNT_OFF");
if (offsetof<Superblock>("dataOff") != media.SUPERBLOCK_DATA_OFF_OFF) ERROR("SUPERBLOCK_DATA_OFF_OFF");
if (offsetof<Superblock>("highWater") != media.SUPERBLOCK_HIGH_WATER_OFF) ERROR("SUPERBLOCK_HIGH_WATER_OFF");
if (offsetof<Superblock>("epoch") != media.SUPERBLOCK_EPOCH_OFF) ERROR("SUPERBLOCK_EPOCH_OFF");
if (offsetof<Superblock>("res1") != media.SUPERBLOCK_RES_OFF) ERROR("SUPERBLOCK_RES_OFF");
if (offsetof<Superblock>() != media.SUPERBLOCK_LABEL_OFF) ERROR("SUPERBLOCK_LABEL_OFF");
if (media.SUPERBLOCK_LABEL_OFF + media.LABEL_SIZE != media.SUPERBLOCK_PAD_OFF) ERROR("SUPERBLOCK_PAD_OFF");
if (media.SUPERBLOCK_PAD_OFF > media.SUPERBLOCK_SIZE) ERROR("SUPERBLOCK_SIZE");
if (media.SUPERBLOCK_SIZE > media.COPY_SIZE) ERROR("a superblock fits its copy's home");

// Segment info.
if (offsetof<SegmentInfo>("flags") != media.INFO_FLAGS_OFF) ERROR("INFO_FLAGS_OFF");
if (offsetof<SegmentInfo>("next") != media.INFO_NEXT_OFF) ERROR("INFO_NEXT_OFF");
if (offsetof<SegmentInfo>("segmentId") != media.INFO_SEGMENT_ID_OFF) ERROR("INFO_SEGMENT_ID_OFF");
if (offsetof<SegmentInfo>("dataOff") != media.INFO_DATA_OFF_OFF) ERROR("INFO_DATA_OFF_OFF");
if (offsetof<SegmentInfo>() != media.INFO_SIZE) ERROR("INFO_SIZE");
if (media.INFO_FLAGS_KNOWN != (media.INFO_HAS_NEXT | (media.INFO_TYPE_MASK << media.INFO_TYPE_SHIFT))) ERROR("INFO_FLAGS_KNOWN");
if (media.TYPE_LOG > media.INFO_TYPE_MASK) ERROR("types fit their bits");

// Owner record.
if (offsetof<Owner>("uuid0") != media.OWNER_POOL_UUID_OFF) ERROR("OWNER_POOL_UUID_OFF");
if (offsetof<Owner>("segmentId") != media.OWNER_SEGMENT_ID_OFF) ERROR("OWNER_SEGMENT_ID_OFF");
if (media.OWNER_SEGMENT_ID_OFF - media.OWNER_POOL_UUID_OFF != media.UUID_SIZE) ERROR("OWNER_POOL_UUID_OFF");
if (offsetof<Owner>("kind") != media.OWNER_KIND_OFF) ERROR("OWNER_KIND_OFF");
if (offsetof<Owner>("ownerId") != media.OWNER_ID_OFF) ERROR("OWNER_ID_OFF");
if (offsetof<Owner>("generation") != media.OWNER_GENERATION_OFF) ERROR("OWNER_GENERATION_OFF");
if (offsetof<Owner>("chainIndex") != media.OWNER_CHAIN_INDEX_OFF) ERROR("OWNER_CHAIN_INDEX_OFF");
if (offsetof<Owner>("state") != media.OWNER_STATE_OFF) ERROR("OWNER_STATE_OFF");
if (offsetof<Owner>("byteLen") != media.OWNER_BYTE_LEN_OFF) ERROR("OWNER_BYTE_LEN_OFF");
if (offsetof<Owner>("replaces") != media.OWNER_REPLACES_OFF) ERROR("OWNER_REPLACES_OFF");
if (offsetof<Owner>("trimPos") != media.OWNER_TRIM_POS_OFF) ERROR("OWNER_TRIM_POS_OFF");
if (offsetof<Owner>("dataCrc") != media.OWNER_DATA_CRC_OFF) ERROR("OWNER_DATA_CRC_OFF");
if (offsetof<Owner>("nameLen") != media.OWNER_NAME_LEN_OFF) ERROR("OWNER_NAME_LEN_OFF");
if (offsetof<Owner>() != media.OWNER_PAD_OFF) ERROR("OWNER_PAD_OFF");
if (media.OWNER_PAD_OFF > media.OWNER_NAME_OFF) ERROR("OWNER_NAME_OFF");
if (media.OWNER_NAME_OFF + media.NAME_SIZE_MAX != media.OWNER_SIZE) ERROR("OWNER_SIZE");
if (media.OWNER_SIZE > media.COPY_SIZE) ERROR("an owner record fits its copy's home");

// Segment.
if (media.SEGMENT_INFO_OFF + media.COPY_COUNT * media.COPY_SIZE != media.SEGMENT_OWNER_OFF) ERROR("SEGMENT_OWNER_OFF");
if (media.SEGMENT_OWNER_OFF + media.COPY_COUNT * media.COPY_SIZE != media.DATA_OFF) ERROR("DATA_OFF");
if (media.DATA_OFF >= media.SEGMENT_SIZE_MIN) ERROR("the smallest segment has data");
if (media.DATA_OFF % media.LOG_ALIGN != 0) ERROR("log records are aligned in memory when their segment is");
if (media.COPY_SIZE > media.SEGMENTS_OFF) ERROR("superblock 0 ends before segment 0");
if (media.SEGMENTS_OFF % media.SEGMENTS_ALIGN != 0) ERROR("SEGMENTS_OFF");
if ((media.SEGMENT_SIZE_MIN & (media.SEGMENT_SIZE_MIN - 1)) != 0) ERROR("SEGMENT_SIZE_MIN");
if ((media.SEGMENT_SIZE_MAX & (media.SEGMENT_SIZE_MAX - 1)) != 0) ERROR("SEGMENT_SIZE_MAX");
if (media.SEGMENT_SIZE_MAX > <u32>i32.MAX_VALUE) ERROR("offsets in a segment are not negative as i32");

// Log record and seed block.
if (offsetof<LogRecord>("crc") != media.LOG_CRC_OFF) ERROR("LOG_CRC_OFF");
if (offsetof<LogRecord>("lenKind") != media.LOG_LEN_KIND_OFF) ERROR("LOG_LEN_KIND_OFF");
if (offsetof<LogRecord>("sequence") != media.LOG_SEQUENCE_OFF) ERROR("LOG_SEQUENCE_OFF");
if (offsetof<LogRecord>("durablePos") != media.LOG_DURABLE_POS_OFF) ERROR("LOG_DURABLE_POS_OFF");
if (offsetof<LogRecord>() != media.LOG_HEADER_SIZE) ERROR("LOG_HEADER_SIZE");
if (media.LOG_HEADER_SIZE % media.LOG_ALIGN != 0) ERROR("headers keep records aligned");
if (media.LOG_EPOCH_RECORD_SIZE != media.LOG_HEADER_SIZE + sizeof<u64>()) ERROR("LOG_EPOCH_RECORD_SIZE");
if (media.LOG_LEN_MASK != (1 << media.LOG_KIND_SHIFT) - 1) ERROR("LOG_LEN_MASK");
if (offsetof<Cursor>("uuid0") != media.LOG_SEED_UUID_OFF) ERROR("LOG_SEED_UUID_OFF");
if (offsetof<Cursor>("ownerId") != media.LOG_SEED_OWNER_ID_OFF) ERROR("LOG_SEED_OWNER_ID_OFF");
if (offsetof<Cursor>("segmentId") != media.LOG_SEED_SEGMENT_ID_OFF) ERROR("LOG_SEED_SEGMENT_ID_OFF");
if (offsetof<Cursor>("res") != media.LOG_SEED_RES_OFF) ERROR("LOG_SEED_RES_OFF");
if (offsetof<Cursor>("generation") != media.LOG_SEED_GENERATION_OFF) ERROR("LOG_SEED_GENERATION_OFF");
if (offsetof<Cursor>("epoch") != media.LOG_SEED_EPOCH_OFF) ERROR("LOG_SEED_EPOCH_OFF");
if (media.LOG_SEED_EPOCH_OFF + sizeof<u64>() != media.LOG_SEED_SIZE) ERROR("the epoch ends the seed block");

// Cursor.
if (offsetof<Cursor>("epochMax") != media.LOG_SEED_SIZE) ERROR("a cursor begins with the seed block");
if (offsetof<Cursor>("epochMax") != plan.CURSOR_EPOCH_MAX_OFF) ERROR("CURSOR_EPOCH_MAX_OFF");
if (offsetof<Cursor>("sequence") != plan.CURSOR_SEQUENCE_OFF) ERROR("CURSOR_SEQUENCE_OFF");
if (offsetof<Cursor>("durablePos") != plan.CURSOR_DURABLE_POS_OFF) ERROR("CURSOR_DURABLE_POS_OFF");
if (offsetof<Cursor>("kind") != plan.CURSOR_KIND_OFF) ERROR("CURSOR_KIND_OFF");
if (offsetof<Cursor>("len") != plan.CURSOR_LEN_OFF) ERROR("CURSOR_LEN_OFF");
if (offsetof<Cursor>("seed") != plan.CURSOR_SEED_OFF) ERROR("CURSOR_SEED_OFF");
if (offsetof<Cursor>() > plan.CURSOR_SIZE) ERROR("CURSOR_SIZE");

// Bank.
if (offsetof<Bvec>("ptr") != plan.BVEC_PTR_OFF) ERROR("BVEC_PTR_OFF");
if (offsetof<Bvec>("len") != plan.BVEC_LEN_OFF) ERROR("BVEC_LEN_OFF");
if (offsetof<Bvec>() != plan.BVEC_SIZE) ERROR("BVEC_SIZE");
if (plan.TABLES_PTR + plan.TABLES_SIZE > plan.STATE_PTR) ERROR("tables end before the state block");
if (plan.STATE_PTR + plan.STATE_SIZE > plan.BITMAP_PTR) ERROR("the state block ends before the bitmap");
if (plan.BITMAP_PTR + plan.BITMAP_SIZE > plan.SLOTS_PTR) ERROR("the bitmap ends before the slot states");
if (plan.BITMAP_SIZE * 8 < media.SEGMENT_COUNT_MAX) ERROR("the bitmap has a bit for every segment");
if (plan.SLOTS_PTR + plan.SLOTS_SIZE > plan.SCRATCH_PTR) ERROR("the slot states end before the scratch");
if (plan.SLOTS_SIZE < media.SEGMENT_COUNT_MAX * plan.SLOTS_PER_SEGMENT * plan.SLOT_STATE_SIZE) ERROR("every segment has slot states");
if (plan.SCRATCH_PTR + plan.SCRATCH_SIZE * plan.SCRATCH_COUNT > plan.ARENA_PTR) ERROR("the scratch ends before the arena");
if (plan.SCRATCH_CORE_OFF + plan.SCRATCH_CORE_SIZE > plan.SCRATCH_SIZE) ERROR("the core's scratch lies in its piece");
if (plan.ARENA_PTR + plan.ARENA_SIZE > plan.WINDOW_PTR_MIN) ERROR("the arena ends before the window");
