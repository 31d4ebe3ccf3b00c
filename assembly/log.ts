/**
 * Log records: sealing them, walking over them, and telling damage from a torn tail.
 *
 *     0      4           8           16             24                        size
 *     ┌──────┬───────────┬───────────┬──────────────┬────────────────┬────────┐
 *     │ crc  │ len, kind │ sequence  │ durable-up-to│ payload        │ zeros  │
 *     └──────┴───────────┴───────────┴──────────────┴────────────────┴────────┘
 *
 * What is always true
 *   - The crc's seed mixes pool, owner, segment, life of the segment and epoch: what an earlier life or epoch left behind does not verify.
 *   - The first record of a segment and of an epoch is an epoch record. It is sealed under the epoch that it names, so it needs no other
 *     record to be judged. Epochs rise along the log; a segment that the log rolled over to begins by repeating the current one.
 *   - Data records are numbered without gaps, up to WHOLE_MAX - 1; epoch and end records carry the number of the data record after them.
 *   - No record says that it is durable up to a place behind its own beginning.
 *   - Fields are read once, into locals, and judged before anything is read at a place that they name: never outside [ptr, ptr + remain).
 */
import {
  CRC_SEED, LOG_ALIGN, LOG_EPOCH_RECORD_SIZE, LOG_HEADER_SIZE, LOG_KIND_DATA, LOG_KIND_END, LOG_KIND_EPOCH, LOG_KIND_SHIFT,
  LOG_LEN_KIND_OFF, LOG_LEN_MASK, LOG_SEED_EPOCH_OFF,
} from "./media";
import { CURSOR_SIZE } from "./plan";
import { bytesZero } from "./bytes";
import { crc32c, crc32cWord } from "./crc32c";
import { Cursor, LogRecord, Owner } from "./layout";
import { whole, WHOLE_MAX } from "./whole";

const EPOCH_LEN: u32 = LOG_EPOCH_RECORD_SIZE - LOG_HEADER_SIZE;

/** Makes a cursor for the log segment of an owner record: epoch unknown, any sequence. */
export function logCursorInit(cursorPtr: usize, ownerPtr: usize, epochMax: f64): void {
  memory.fill(cursorPtr, 0, CURSOR_SIZE);
  changetype<Cursor>(cursorPtr).epochMax = <f64>whole(epochMax);
  logCursorSegment(cursorPtr, ownerPtr);
}

/** Moves the cursor to another segment of its log. */
export function logCursorSegment(cursorPtr: usize, ownerPtr: usize): void {
  const cursor = changetype<Cursor>(cursorPtr);
  const owner = changetype<Owner>(ownerPtr);
  cursor.uuid0 = owner.uuid0;
  cursor.uuid1 = owner.uuid1;
  cursor.ownerId = owner.ownerId;
  cursor.segmentId = owner.segmentId;
  cursor.res = 0;
  cursor.generation = owner.generation;
  cursor.seed = seedOfEpoch(cursorPtr, cursor.epoch);
}

/** Moves the cursor to an epoch. */
export function logCursorEpoch(cursorPtr: usize, epoch: f64): void {
  assert(epoch >= 1);
  moveToEpoch(cursorPtr, whole(epoch));
}

/** Bytes that a record with `len` bytes of payload takes. */
export function logRecordSize(len: u32): u32 {
  assert(len <= LOG_LEN_MASK);
  return LOG_HEADER_SIZE + ((len + LOG_ALIGN - 1) & ~(LOG_ALIGN - 1));
}

/** Completes the record whose payload is in place; returns its size. */
export function logSeal(cursorPtr: usize, recordPtr: usize, len: u32, kind: u32, sequence: f64, durablePos: f64): u32 {
  const cursor = changetype<Cursor>(cursorPtr);
  assert(len <= LOG_LEN_MASK && cursor.epoch != 0);
  const lenKind = len | (kind << LOG_KIND_SHIFT);
  const size = shapedSize(lenKind, u32.MAX_VALUE);
  assert(size != 0 && kind <= LOG_KIND_END);
  assert(sequenceValid(kind, whole(sequence)));

  const record = changetype<LogRecord>(recordPtr);
  record.lenKind = lenKind;
  record.sequence = whole(sequence);
  record.durablePos = whole(durablePos);
  memory.fill(recordPtr + LOG_HEADER_SIZE + len, 0, size - LOG_HEADER_SIZE - len);
  record.crc = recordCrc(cursor.seed, recordPtr, size);
  return size;
}

/** Writes the record with which the cursor's epoch begins; returns its size. */
export function logSealEpoch(cursorPtr: usize, recordPtr: usize, sequence: f64, durablePos: f64): u32 {
  store<u64>(recordPtr, changetype<Cursor>(cursorPtr).epoch, LOG_HEADER_SIZE);
  return logSeal(cursorPtr, recordPtr, EPOCH_LEN, LOG_KIND_EPOCH, sequence, durablePos);
}

/** Judges the record at `ptr`: moves the cursor behind it and returns its size, or returns 0. */
export function logStep(cursorPtr: usize, ptr: usize, remain: u32, first: bool): i32 {
  if (remain < LOG_HEADER_SIZE) return 0;
  const cursor = changetype<Cursor>(cursorPtr);
  const record = changetype<LogRecord>(ptr);
  const crc = record.crc;
  const lenKind = record.lenKind;
  const sequence = record.sequence;
  const durablePos = record.durablePos;
  const kind = lenKind >>> LOG_KIND_SHIFT;
  const size = shapedSize(lenKind, remain);
  if (size == 0 || !paddingZero(ptr, lenKind, size)) return 0;
  if (!sequenceValid(kind, sequence) || durablePos > WHOLE_MAX) return 0;
  if (cursor.sequence != 0 && <f64>sequence != cursor.sequence) return 0;

  if (kind == LOG_KIND_EPOCH) {
    const epoch = load<u64>(ptr, LOG_HEADER_SIZE);
    if (!epochFollows(cursor, epoch, first)) return 0;
    if (recordCrc(seedOfEpoch(cursorPtr, epoch), ptr, size) != crc) return 0;
    moveToEpoch(cursorPtr, epoch);
  } else {
    if (first || cursor.epoch == 0) return 0;
    if (recordCrc(cursor.seed, ptr, size) != crc) return 0;
  }
  cursor.kind = kind;
  cursor.len = lenKind & LOG_LEN_MASK;
  cursor.durablePos = <f64>durablePos;
  cursor.sequence = <f64>(kind == LOG_KIND_DATA ? sequence + 1 : sequence);
  return <i32>size;
}

/** Size of a record with this length and kind; 0 if no record is so shaped, or `remain` bytes do not hold it. */
export function shapedSize(lenKind: u32, remain: u32): u32 {
  const kind = lenKind >>> LOG_KIND_SHIFT;
  const len = lenKind & LOG_LEN_MASK;
  if (kind > LOG_KIND_END) return 0;
  if (kind == LOG_KIND_EPOCH && len != EPOCH_LEN) return 0;
  if (kind == LOG_KIND_END && len != 0) return 0;
  const size = logRecordSize(len);
  return size <= remain ? size : 0;
}

/** Whether a record of this kind may have this number: the data record after it must have one, too. */
export function sequenceValid(kind: u32, sequence: u64): bool {
  return sequence != 0 && sequence <= (kind == LOG_KIND_DATA ? WHOLE_MAX - 1 : WHOLE_MAX);
}

/** Whether the bytes between the payload and the end of a record of `size` bytes are zero. */
export function paddingZero(ptr: usize, lenKind: u32, size: u32): bool {
  const used = LOG_HEADER_SIZE + (lenKind & LOG_LEN_MASK);
  return bytesZero(ptr + used, size - used);
}

/** Whether an epoch record may name this epoch here. */
export function epochFollows(cursor: Cursor, epoch: u64, first: bool): bool {
  if (epoch == 0 || epoch > <u64>cursor.epochMax) return false;
  return epoch > cursor.epoch || (first && epoch == cursor.epoch);
}

/** The crc's seed in the cursor's segment under an epoch. */
export function seedOfEpoch(cursorPtr: usize, epoch: u64): u32 {
  return crc32cWord(seedBeforeEpoch(cursorPtr), epoch);
}

/** The register before the epoch, with which the seed block ends. */
export function seedBeforeEpoch(cursorPtr: usize): u32 {
  return crc32c(CRC_SEED, cursorPtr, LOG_SEED_EPOCH_OFF);
}

/** The crc of a whole record under a seed. */
export function recordCrc(seed: u32, ptr: usize, size: u32): u32 {
  return crc32c(seed, ptr + LOG_LEN_KIND_OFF, size - LOG_LEN_KIND_OFF);
}

function moveToEpoch(cursorPtr: usize, epoch: u64): void {
  const cursor = changetype<Cursor>(cursorPtr);
  cursor.epoch = epoch;
  cursor.seed = seedOfEpoch(cursorPtr, epoch);
}
