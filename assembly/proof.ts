/**
 * After a bad record in a log: was it ever durable?
 *
 * A record says up to where the log was durable when it was written. If a valid one further on says so of a place behind the bad record,
 * the bad record had been durable and is damaged. If none does, it is a torn tail, and cutting there loses nothing that was promised.
 *
 * What is always true
 *   - The epoch record that would tell the epoch of the records after it may be the damaged one. The epoch is therefore found from a
 *     record itself: the register is linear, so the seed that makes a crc fit can be computed, and from the seed the epoch. It counts
 *     if it is the current or a later one that has begun; epochs from 2^32 on are not found this way.
 *   - Only a place whose header is plausible to the last field is looked at further, which random bytes pass once in 2^60 times: durable
 *     up to behind the bad record but not behind itself, a whole number of LOG_ALIGN away; a sequence that the bytes between leave
 *     room for; a shape that fits.
 *   - The work is bounded: each place looked at costs its size and a fixed sum from a budget of BUDGET_FACTOR times the range. Records do
 *     not overlap, so what a log leaves behind costs a fraction of it; only an image made for the purpose exhausts it. The answer is then
 *     where the search stood: doubt counts as damage, because a damaged log loses nothing by waiting to be told where to cut.
 */
import {
  LOG_ALIGN, LOG_DURABLE_POS_OFF, LOG_HEADER_SIZE, LOG_KIND_EPOCH, LOG_KIND_SHIFT, LOG_LEN_KIND_OFF,
} from "./media";
import { crc32cRemoveZeros } from "./crc32c";
import { Cursor, LogRecord } from "./layout";
import { epochFollows, paddingZero, recordCrc, seedBeforeEpoch, seedOfEpoch, sequenceValid, shapedSize } from "./log";
import { whole } from "./whole";

const BUDGET_FACTOR: u64 = 16;
/** What solving for a seed costs, as bytes of CRC: a log of the smallest records still takes less than the budget. */
const FIXED_COST: u64 = 256;
/** A run of zeros that is passed over at once; a whole number of places at which a record may begin. */
const ZEROS_SIZE: u32 = 64;

/** Offset from `ptr` of a record that proves that the bad one at `ptr` (position `pos`) had been durable; -1 if there is none. */
export function logProof(cursorPtr: usize, ptr: usize, remain: u32, pos: f64): i32 {
  const badPos = whole(pos);
  let budget = BUDGET_FACTOR * remain;
  // No record is shorter than a header, so the next one begins at least that far on.
  for (let off = LOG_HEADER_SIZE, checked = off; off <= remain && remain - off >= LOG_HEADER_SIZE; off += LOG_ALIGN) {
    if (off >= checked) {
      // What was never written is most of a log's last segment. Durable up to zero proves nothing, so runs of zeros are passed over at once.
      while (remain - off >= ZEROS_SIZE + LOG_HEADER_SIZE && zerosAt(ptr + off + LOG_DURABLE_POS_OFF)) off += ZEROS_SIZE;
      checked = off + ZEROS_SIZE;
    }
    // Modulo 2^64: true for badPos < durablePos ≤ badPos + off alone.
    if (changetype<LogRecord>(ptr + off).durablePos - badPos - 1 >= off) continue;
    const size = plausibleSize(cursorPtr, ptr + off, remain - off, badPos, off);
    if (size == 0) continue;
    if (size + FIXED_COST > budget) return <i32>off;
    budget -= size + FIXED_COST;
    if (proves(cursorPtr, ptr + off, size)) return <i32>off;
  }
  return -1;
}

/** Whether ZEROS_SIZE bytes are zero. */
function zerosAt(ptr: usize): bool {
  return (load<u64>(ptr) | load<u64>(ptr, 8) | load<u64>(ptr, 16) | load<u64>(ptr, 24)
    | load<u64>(ptr, 32) | load<u64>(ptr, 40) | load<u64>(ptr, 48) | load<u64>(ptr, 56)) == 0;
}

/** Size of the record at `ptr`, `off` bytes behind the bad one, if its header could be that of a proof; otherwise 0. */
function plausibleSize(cursorPtr: usize, ptr: usize, remain: u32, badPos: u64, off: u32): u32 {
  const record = changetype<LogRecord>(ptr);
  const lenKind = record.lenKind;
  const sequence = record.sequence;
  const expected = <u64>changetype<Cursor>(cursorPtr).sequence;
  if ((record.durablePos - badPos) % LOG_ALIGN != 0) return 0;
  if (!sequenceValid(lenKind >>> LOG_KIND_SHIFT, sequence)) return 0;
  // Each record between takes at most one number and at least a header. Modulo 2^64, this refuses smaller sequences too.
  if (expected != 0 && sequence - expected > off / LOG_HEADER_SIZE) return 0;
  const size = shapedSize(lenKind, remain);
  return size != 0 && paddingZero(ptr, lenKind, size) ? size : 0;
}

/** Whether the crc fits under the current epoch or a later one. */
function proves(cursorPtr: usize, ptr: usize, size: u32): bool {
  const cursor = changetype<Cursor>(cursorPtr);
  const crc = load<u32>(ptr);
  if (load<u32>(ptr, LOG_LEN_KIND_OFF) >>> LOG_KIND_SHIFT == LOG_KIND_EPOCH) {
    const epoch = load<u64>(ptr, LOG_HEADER_SIZE);
    return epochFollows(cursor, epoch, false) && recordCrc(seedOfEpoch(cursorPtr, epoch), ptr, size) == crc;
  }
  // crc = (seed, followed by as many zeros as the record has bytes under its crc) + (crc of the record from register 0)
  const seed = crc32cRemoveZeros(crc ^ recordCrc(0, ptr, size), size - LOG_LEN_KIND_OFF);
  if (cursor.epoch != 0 && seed == cursor.seed) return true;
  const epoch = epochOfSeed(cursorPtr, seed);
  return epoch >= max<u64>(cursor.epoch, 1) && epoch <= <u64>cursor.epochMax;
}

/** The one epoch below 2^32 that has this seed in the cursor's segment: the register before it, plus the seed 8 bytes earlier. */
function epochOfSeed(cursorPtr: usize, seed: u32): u64 {
  return <u64>(seedBeforeEpoch(cursorPtr) ^ crc32cRemoveZeros(seed, 8));
}
