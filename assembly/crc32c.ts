/**
 * CRC-32C: what tells the bytes that were written from any others.
 *
 * What is always true
 *   - The raw form (`crc32c`) carries the register as it is, so that a caller chooses the seed; it streams over any split.
 *   - The standard form inverts the register before and after; it starts with 0 and chains like zlib's.
 *   - Nothing outside [ptr, ptr + len) is read. Loops count what is left: a range may end exactly at 4 GiB.
 *   - From a seed that is not zero, zeros never give zero: a page that was never written never verifies.
 *
 * Short ranges are looked up in tables (slicing.ts), longer ones folded (fold.ts) where there are vector instructions.
 */
import { fold, foldCopying, NEAR_LEN_MIN } from "./fold";
import { multiply, ONE, ORDER } from "./polynomial";
import { nearHalf, slice } from "./slicing";
import { POWERS_COUNT, POWERS_PTR } from "./tables";

/** `crc32cCopy` reads back what it has just stored: a block stays in the nearest cache. */
const COPY_BLOCK: u32 = 4096;

/** Register after `len` bytes from register `crc`. */
export function crc32c(crc: u32, ptr: usize, len: u32): u32 {
  if (ASC_FEATURE_SIMD) {
    if (len >= NEAR_LEN_MIN) return fold(crc, ptr, len);
  }
  return slice(crc, ptr, len);
}

/** Register after the eight bytes of `word`, lowest first. */
export function crc32cWord(crc: u32, word: u64): u32 {
  return nearHalf(word ^ <u64>crc);
}

/** CRC of the bytes before and these, from the CRC of those before; standard form. */
export function crc32cStandard(crc: u32, ptr: usize, len: u32): u32 {
  return ~crc32c(~crc, ptr, len);
}

/** Standard CRC of a ‖ b. The inversions cancel, so it also joins raw registers of which b's began with 0. */
export function crc32cCombine(crcA: u32, crcB: u32, lenB: f64): u32 {
  assert(lenB >= 0 && lenB <= 9007199254740992 && Math.floor(lenB) == lenB);
  return crc32cAppendZeros(crcA, <u64>lenB) ^ crcB;
}

/** Register after `len` zero bytes, len < 2^61. */
export function crc32cAppendZeros(crc: u32, len: u64): u32 {
  return multiply(crc, power((len << 3) % ORDER));
}

/** Register before `len` zero bytes of which `crc` is the register after. */
export function crc32cRemoveZeros(crc: u32, len: u64): u32 {
  return multiply(crc, power(ORDER - (len << 3) % ORDER));
}

/** Copies `len` bytes and returns the register over them as they were stored. The ranges do not overlap. */
export function crc32cCopy(crc: u32, dstPtr: usize, srcPtr: usize, len: u32): u32 {
  // Differences modulo 2^32: each range begins no earlier than the other one ends.
  assert(len == 0 || (dstPtr - srcPtr >= len && srcPtr - dstPtr >= len));
  if (ASC_FEATURE_SIMD) {
    if (len >= NEAR_LEN_MIN) return foldCopying(crc, dstPtr, srcPtr, len);
  }
  let left = len;
  while (left > 0) {
    const take = min(left, COPY_BLOCK);
    memory.copy(dstPtr, srcPtr, take);
    crc = slice(crc, dstPtr, take);
    dstPtr += take;
    srcPtr += take;
    left -= take;
  }
  return crc;
}

/** x^exponent, exponent ≤ ORDER. */
function power(exponent: u64): u32 {
  let product = ONE;
  for (let k: u32 = 0; k < POWERS_COUNT; k++) {
    if ((exponent >> k) & 1) product = multiply(product, load<u32>(POWERS_PTR + (k << 2)));
  }
  return product;
}
