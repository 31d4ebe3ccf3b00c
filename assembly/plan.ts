/**
 * The plan of a bank: what lies where in one linear memory of up to 4 GiB. Compiled by asc and by tsc.
 *
 *     0       1 KiB    64 KiB   128 KiB  256 KiB      16.25 MiB  20.25 MiB  32 MiB      128 MiB (+ alignment)   4 GiB
 *     ┌───────┬────────┬────────┬────────┬────────────┬──────────┬──────────┬───────────┬──────────────────────────┐
 *     │ guard │ tables │ state  │ bitmap │ slot states│ scratch  │ unused   │ arena     │ window: segments         │
 *     └───────┴────────┴────────┴────────┴────────────┴──────────┴──────────┴───────────┴──────────────────────────┘
 *
 * What is always true
 *   - Nothing below WINDOW_PTR_MIN is ever mapped from a file: a data segment or a null pointer cannot reach the medium.
 *   - Bitmap and slot states are used in bank 0 only; state (the fault counter) in every bank.
 *   - Pages that nobody touches cost address space, not memory.
 */

/** CRC tables, written once per memory by `coreInit`. */
export const TABLES_PTR: u32 = 0x400;
export const TABLES_SIZE: u32 = 0x8000;

/** Shared state block: words that all threads agree on. */
export const STATE_PTR: u32 = 0x10000;
export const STATE_SIZE: u32 = 0x10000;
/** u32: 0 tables not built, 1 being built, 2 ready. */
export const STATE_TABLES_OFF: u32 = 0;
/** u32: faults that the guard has mended in this bank's window since open. */
export const STATE_FAULTS_OFF: u32 = 64;
/** u32: bit set of STATE_… below. */
export const STATE_FLAGS_OFF: u32 = 128;
/** u32: drains begun. */
export const STATE_DRAINS_BEGUN_OFF: u32 = 192;
/** u32: number of the latest drain that has completed. */
export const STATE_DRAINS_DONE_OFF: u32 = 256;
/** State of the superblock's slot, as in SLOTS_PTR. */
export const STATE_SUPERBLOCK_SLOT_OFF: u32 = 320;
/** u32: repairs of lost pages begun: what spans one proves nothing about what it stored. */
export const STATE_REPAIRS_OFF: u32 = 384;

export const STATE_CLOSED: u32 = 1;
export const STATE_HALTED: u32 = 2;

/** One bit a segment, set = not free. Room for SEGMENT_COUNT_MAX. */
export const BITMAP_PTR: u32 = 0x20000;
export const BITMAP_SIZE: u32 = 0x20000;

/** 16 bytes a segment: two slots (info, owner) of {u32 SLOT_… bits, u32 number of drains begun at the second copy's write}. */
export const SLOTS_PTR: u32 = 0x40000;
export const SLOT_STATE_SIZE: u32 = 8;
export const SLOTS_PER_SEGMENT: u32 = 2;
export const SLOTS_SIZE: u32 = 0x1000000;

/** Per-thread scratch: SCRATCH_COUNT pieces. Each core instance is given the address of one; the last part of that is its own. */
export const SCRATCH_PTR: u32 = 0x1040000;
export const SCRATCH_SIZE: u32 = 0x10000;
export const SCRATCH_COUNT: u32 = 64;
/** The core's part of a piece: nothing in it outlives a call. */
export const SCRATCH_CORE_OFF: u32 = 0xc000;
export const SCRATCH_CORE_SIZE: u32 = 0x4000;

/** Anonymous memory for bios. */
export const ARENA_PTR: u32 = 0x2000000;
export const ARENA_SIZE: u32 = 0x6000000;

/** The window begins here, or up to 2 MiB later so that addresses and file offsets agree modulo 2 MiB. */
export const WINDOW_PTR_MIN: u32 = 0x8000000;

// A bvec: one contiguous piece of memory.
export const BVEC_SIZE: u32 = 8;
/** u32: where it begins in linear memory. */
export const BVEC_PTR_OFF: u32 = 0;
/** u32: bytes. */
export const BVEC_LEN_OFF: u32 = 4;

// What `slotClassify` returns: bits 0–7 seq of the newest copy, bit 8 its index, bits 9–11 the class.
export const SLOT_SEQ_MASK: u32 = 0xff;
export const SLOT_INDEX_SHIFT: u32 = 8;
export const SLOT_CLASS_SHIFT: u32 = 9;
/** Both copies are all zero: never written. */
export const SLOT_EMPTY: u32 = 0;
/** Both copies verify and are equal. */
export const SLOT_EQUAL: u32 = 1;
/** Both verify, one step apart: an update was under way; the newest counts and is to be written over the other. */
export const SLOT_STEP: u32 = 2;
/** One verifies: degraded; it counts. */
export const SLOT_SINGLE: u32 = 3;
/** Both verify but are neither equal nor one step apart: damage. */
export const SLOT_SPLIT: u32 = 4;
/** None verifies and not all is zero: damage. */
export const SLOT_LOST: u32 = 5;

// Log cursor: the seed block of media.ts first (LOG_SEED_SIZE bytes), then what a walk over records carries and reports.
export const CURSOR_SIZE: u32 = 96;
/** f64: highest epoch that may appear (the superblock's). */
export const CURSOR_EPOCH_MAX_OFF: u32 = 48;
/** f64: sequence that the next data record must have; 0 = accept any (at the first record of a segment). */
export const CURSOR_SEQUENCE_OFF: u32 = 56;
/** f64: durable-up-to position of the record just stepped over. */
export const CURSOR_DURABLE_POS_OFF: u32 = 64;
/** u32: kind of the record just stepped over. */
export const CURSOR_KIND_OFF: u32 = 72;
/** u32: payload length of the record just stepped over. */
export const CURSOR_LEN_OFF: u32 = 76;
/** u32: CRC of the seed block; kept by the core. */
export const CURSOR_SEED_OFF: u32 = 80;
