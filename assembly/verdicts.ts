/**
 * What the core answers besides lengths and indices, and the version of its interface. Compiled by asc and by tsc.
 *
 * What is always true
 *   - 0 is fine; everything else here is negative, so that one sign test tells an answer from a refusal.
 *   - Verdicts lie below -4095, where no errno is: a number says which of the two it is.
 *   - A check reports the first rule that a record breaks, in the order of its documentation.
 */

/** Rises whenever an import or an export of the core changes its meaning. */
export const ABI_VERSION: u32 = 2;

export const FINE: i32 = 0;

/** The crc does not fit the bytes. */
export const BAD_CRC: i32 = -5001;
/** Not a superblock of this format. */
export const BAD_MAGIC: i32 = -5002;
/** A layout that this core does not know. */
export const BAD_VERSION: i32 = -5003;
/** A feature without knowledge of which nobody may touch the pool. */
export const BAD_INCOMPAT: i32 = -5004;
/** A feature without knowledge of which nobody may write the pool. */
export const BAD_RO_COMPAT: i32 = -5005;
/** Sizes or offsets that are out of limits, unaligned or overlapping. */
export const BAD_GEOMETRY: i32 = -5006;
/** The file is shorter than the pool that it holds. */
export const BAD_TRUNCATED: i32 = -5007;
/** The file is longer than the pool that it holds. */
export const BAD_SIZE: i32 = -5008;
/** A reserved field, flag or padding byte is not zero. */
export const BAD_RESERVED: i32 = -5009;
/** The record belongs to another segment. */
export const BAD_SEGMENT_ID: i32 = -5010;
export const BAD_DATA_OFF: i32 = -5011;
/** A segment type that this version does not know. */
export const BAD_TYPE: i32 = -5012;
/** The next segment is out of range, the segment itself, or named where there is none. */
export const BAD_NEXT: i32 = -5013;
/** The record belongs to another pool. */
export const BAD_UUID: i32 = -5014;
/** An owner kind that this version does not know. */
export const BAD_KIND: i32 = -5015;
/** A state that does not exist, or not for this kind or place in the chain. */
export const BAD_STATE: i32 = -5016;
/** A name where none may be, none where one must be, or one that is not 1 … NAME_SIZE_MAX bytes of UTF-8 without NUL. */
export const BAD_NAME: i32 = -5017;
/** The label is not zero-padded UTF-8. */
export const BAD_LABEL: i32 = -5018;
/** The high-water mark is above the segment count. */
export const BAD_HIGH_WATER: i32 = -5019;
/** An owner id where none may be, or none where one must be. */
export const BAD_OWNER_ID: i32 = -5020;
/** A segment in use whose life has no number. */
export const BAD_GENERATION: i32 = -5021;
/** A 64-bit field is above 2^53 - 1, so that the host could not count it. */
export const BAD_RANGE: i32 = -5022;
/** A field that only another kind or place in the chain may use is not zero. */
export const BAD_FIELD: i32 = -5023;

// Errno values, negated.
/** The bio has fewer bytes than asked for. */
export const EIO: i32 = -5;
/** The medium has faulted since open; the caller asks the bad-range table whether these bytes are good. */
export const EFAULT: i32 = -14;
/** The range is not inside what it must be inside of. */
export const EINVAL: i32 = -22;
