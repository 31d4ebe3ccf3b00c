/**
 * The medium: where every byte of a pool lives. Compiled by asc and by tsc, imports nothing, has no functions.
 *
 *     0                                                                                    poolSize
 *     ┌────────────┬────────┬───────────┬───────────┬─────┬─────────────┬────────┬────────────┐
 *     │superblock 0│ unused │ segment 0 │ segment 1 │  …  │ segment n-1 │ unused │superblock 1│
 *     └────────────┴────────┴───────────┴───────────┴─────┴─────────────┴────────┴────────────┘
 *     0            4096     SEGMENTS_OFF                                         poolSize - 4096
 *
 *     segment  0       4096    8192     12288    16384 = DATA_OFF
 *              ┌───────┬───────┬────────┬────────┬──────────────────────────────┐
 *              │info 0 │info 1 │owner 0 │owner 1 │ data                         │
 *              └───────┴───────┴────────┴────────┴──────────────────────────────┘
 *
 * What is always true
 *   - Little-endian. Padding has a name and is zero.
 *   - Every record begins with the meta header; its crc covers the record without the crc itself.
 *   - Every record has two copies, each in a 4 KiB page of its own. At rest both hold the same bytes.
 *   - 64-bit fields are named by their offset; 64-bit constants are written as two halves (asc and tsc share no 64-bit type).
 */

/** Version of this layout; stored in `version` of every meta header. */
export const MEDIA_VERSION: u32 = 1;

// Meta header: the first 8 bytes of every record.
export const META_HEADER_SIZE: u32 = 8;
/** u32: CRC-32C of the rest of the record, register seeded with CRC_SEED, not inverted. */
export const META_CRC_OFF: u32 = 0;
/** u8: rises by one with every update of the slot; wraps; compared by signed 8-bit difference. */
export const META_SEQ_OFF: u32 = 4;
/** u8: MEDIA_VERSION. */
export const META_VERSION_OFF: u32 = 5;
/** u16: zero. */
export const META_RES_OFF: u32 = 6;
/** What the crc register holds before the first byte (dm-pcache's seed). */
export const CRC_SEED: u32 = 0x0003b15a;

/** Home of one copy. A torn page, sector or line never touches both copies of a record. */
export const COPY_SIZE: u32 = 4096;
export const COPY_COUNT: u32 = 2;

// Superblock: at both ends of the pool.
export const SUPERBLOCK_SIZE: u32 = 256;
/** "PMSEGv1\0", in two little-endian halves. */
export const SUPERBLOCK_MAGIC_OFF: u32 = 8;
export const SUPERBLOCK_MAGIC_LO: u32 = 0x45534d50;
export const SUPERBLOCK_MAGIC_HI: u32 = 0x00317647;
/** u32: features without which nobody may touch the pool. */
export const SUPERBLOCK_INCOMPAT_OFF: u32 = 16;
/** u32: features without which nobody may write the pool. */
export const SUPERBLOCK_RO_COMPAT_OFF: u32 = 20;
/** u32: features that anybody may ignore. */
export const SUPERBLOCK_COMPAT_OFF: u32 = 24;
/** u32: STATE_CLEAN or STATE_DIRTY; information only. */
export const SUPERBLOCK_STATE_OFF: u32 = 28;
export const SUPERBLOCK_UUID_OFF: u32 = 32;
export const UUID_SIZE: u32 = 16;
/** u64: bytes from the first to the last superblock's end; a multiple of COPY_SIZE. */
export const SUPERBLOCK_POOL_SIZE_OFF: u32 = 48;
/** u64: where segment 0 begins; a multiple of SEGMENTS_ALIGN. */
export const SUPERBLOCK_SEGMENTS_OFF_OFF: u32 = 56;
/** u32: a power of two from SEGMENT_SIZE_MIN to SEGMENT_SIZE_MAX. */
export const SUPERBLOCK_SEGMENT_SIZE_OFF: u32 = 64;
/** u32: 1 … SEGMENT_COUNT_MAX. */
export const SUPERBLOCK_SEGMENT_COUNT_OFF: u32 = 68;
/** u32: where a segment's data begins, from the segment's beginning. */
export const SUPERBLOCK_DATA_OFF_OFF: u32 = 72;
/** u32: segments at or above this id were never used; their metadata pages are zero. */
export const SUPERBLOCK_HIGH_WATER_OFF: u32 = 76;
/** u64: rises with every writable open and every recovery that cuts a log. */
export const SUPERBLOCK_EPOCH_OFF: u32 = 80;
/** u64: zero. */
export const SUPERBLOCK_RES_OFF: u32 = 88;
/** UTF-8, zero-padded. */
export const SUPERBLOCK_LABEL_OFF: u32 = 96;
export const LABEL_SIZE: u32 = 64;
/** Zero up to SUPERBLOCK_SIZE. */
export const SUPERBLOCK_PAD_OFF: u32 = 160;

export const STATE_CLEAN: u32 = 1;
export const STATE_DIRTY: u32 = 2;

/** Feature bits that this version knows. */
export const INCOMPAT_KNOWN: u32 = 0;
export const RO_COMPAT_KNOWN: u32 = 0;

/** 2 MiB: DAX maps huge pages when file offset and address agree modulo this. */
export const SEGMENTS_ALIGN: u32 = 0x200000;
/** Where new pools put segment 0. */
export const SEGMENTS_OFF: u32 = 0x200000;
export const SEGMENT_SIZE_MIN: u32 = 0x100000;
export const SEGMENT_SIZE_DEFAULT: u32 = 0x1000000;
export const SEGMENT_SIZE_MAX: u32 = 0x40000000;
export const SEGMENT_COUNT_MAX: u32 = 0x100000;
/** The high-water mark moves in steps of this many segments. */
export const HIGH_WATER_STEP: u32 = 64;

// Inside a segment.
export const SEGMENT_INFO_OFF: u32 = 0;
export const SEGMENT_OWNER_OFF: u32 = 8192;
/** Metadata before the data, and the data's offset in the segment. */
export const DATA_OFF: u32 = 16384;

// Segment info: the record of the kernel's segment layer.
export const INFO_SIZE: u32 = 24;
/** u32: bit 0 has-next, bits 1–4 type, others zero. */
export const INFO_FLAGS_OFF: u32 = 8;
/** u32: id of the next segment of the chain; zero without has-next. */
export const INFO_NEXT_OFF: u32 = 12;
/** u32: id of this segment. */
export const INFO_SEGMENT_ID_OFF: u32 = 16;
/** u32: where the data begins; the superblock's value. */
export const INFO_DATA_OFF_OFF: u32 = 20;

export const INFO_HAS_NEXT: u32 = 1;
export const INFO_TYPE_SHIFT: u32 = 1;
export const INFO_TYPE_MASK: u32 = 0xf;
export const INFO_FLAGS_KNOWN: u32 = 0x1f;

export const TYPE_FREE: u32 = 0;
/** Raw data of the embedder; never reclaimed. */
export const TYPE_CACHE_DATA: u32 = 1;
export const TYPE_OBJECT: u32 = 2;
export const TYPE_LOG: u32 = 3;

// Owner record: whose segment this is, and in which life.
export const OWNER_SIZE: u32 = 1152;
/** uuid of the pool. */
export const OWNER_POOL_UUID_OFF: u32 = 8;
/** u32: id of this segment. */
export const OWNER_SEGMENT_ID_OFF: u32 = 24;
/** u32: TYPE_…; equal to the info's type while the segment is in use. */
export const OWNER_KIND_OFF: u32 = 28;
/** u64: random, the same in all segments of one object or log; zero for raw segments. */
export const OWNER_ID_OFF: u32 = 32;
/** u64: life of the segment; rises with each allocation; zero before the first. */
export const OWNER_GENERATION_OFF: u32 = 40;
/** u32: place in the chain; 0 is the head. */
export const OWNER_CHAIN_INDEX_OFF: u32 = 48;
/** u32: OWNER_…; only the head ever leaves OWNER_BUILDING. */
export const OWNER_STATE_OFF: u32 = 52;
/** u64: head of an object: bytes of data. */
export const OWNER_BYTE_LEN_OFF: u32 = 56;
/** u64: head: owner id of the object that this one replaced when it was committed; zero for none. */
export const OWNER_REPLACES_OFF: u32 = 64;
/** u64: head of a log: records before this position are gone. */
export const OWNER_TRIM_POS_OFF: u32 = 72;
/** u32: head of an object: CRC-32C of the data, standard form. */
export const OWNER_DATA_CRC_OFF: u32 = 80;
/** u32: head: bytes of the name. */
export const OWNER_NAME_LEN_OFF: u32 = 84;
/** Zero up to the name. */
export const OWNER_PAD_OFF: u32 = 88;
/** Head: UTF-8, zero-padded. */
export const OWNER_NAME_OFF: u32 = 128;
export const NAME_SIZE_MAX: u32 = 1024;

export const OWNER_NONE: u32 = 0;
export const OWNER_BUILDING: u32 = 1;
export const OWNER_COMMITTED: u32 = 2;
export const OWNER_SEALED: u32 = 3;

// Log record: header, payload, zeros up to a multiple of LOG_ALIGN. Never crosses a segment.
export const LOG_HEADER_SIZE: u32 = 24;
export const LOG_ALIGN: u32 = 8;
/** u32: CRC-32C of the rest of header, payload and padding; the seed is the crc of the seed block. */
export const LOG_CRC_OFF: u32 = 0;
/** u32: bits 0–29 payload length, bits 30–31 kind. */
export const LOG_LEN_KIND_OFF: u32 = 4;
/** u64: number of the record in its log; first is 1. Epoch and end records carry the next data record's. */
export const LOG_SEQUENCE_OFF: u32 = 8;
/** u64: position up to which the log was durable when this record was written. */
export const LOG_DURABLE_POS_OFF: u32 = 16;
export const LOG_LEN_MASK: u32 = 0x3fffffff;
export const LOG_KIND_SHIFT: u32 = 30;

export const LOG_KIND_DATA: u32 = 0;
/** First record of each segment and of each epoch; payload: the epoch, u64. */
export const LOG_KIND_EPOCH: u32 = 1;
/** Last record of a segment that the log has left; no payload. */
export const LOG_KIND_END: u32 = 2;
export const LOG_EPOCH_RECORD_SIZE: u32 = 32;

// Log seed block: never on the medium; its CRC (seed CRC_SEED) is the seed of the records' CRC.
export const LOG_SEED_SIZE: u32 = 48;
export const LOG_SEED_UUID_OFF: u32 = 0;
export const LOG_SEED_OWNER_ID_OFF: u32 = 16;
export const LOG_SEED_SEGMENT_ID_OFF: u32 = 24;
/** u32: zero. */
export const LOG_SEED_RES_OFF: u32 = 28;
export const LOG_SEED_GENERATION_OFF: u32 = 32;
export const LOG_SEED_EPOCH_OFF: u32 = 40;
