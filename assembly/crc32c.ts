/**
 * CRC-32C: what tells the bytes that were written from any others.
 *
 * What is always true
 *   - The raw form (`crc32c`) carries the register as it is, so that a caller chooses the seed; it streams over any split.
 *   - The standard form inverts the register before and after; it starts with 0 and chains like zlib's.
 *   - Nothing outside [ptr, ptr + len) is read. Loops count what is left: a range may end exactly at 4 GiB.
 *   - From a seed that is not zero, zeros never give zero: a page that was never written never verifies.
 *
 * Slicing by 16: sixteen bytes are looked up in one table per distance to the end of the sixteen, and the results are summed (XOR). The
 * lookups do not wait for each other, as those of the byte-by-byte form do.
 */
import { TABLES_PTR } from "./plan";
import { multiply, ONE, ORDER } from "./polynomial";
import { POWERS_COUNT, POWERS_PTR, SLICE_SIZE } from "./tables";

/** `crc32cCopy` reads back what it has just stored: a block stays in the nearest cache. */
const COPY_BLOCK: u32 = 4096;

/** Register after `len` bytes from register `crc`. */
export function crc32c(crc: u32, ptr: usize, len: u32): u32 {
  let left = len;
  for (; left >= 16; left -= 16, ptr += 16) {
    crc = farHalf(load<u64>(ptr) ^ <u64>crc) ^ nearHalf(load<u64>(ptr, 8));
  }
  if (left >= 8) {
    crc = nearHalf(load<u64>(ptr) ^ <u64>crc);
    left -= 8;
    ptr += 8;
  }
  for (; left > 0; left--, ptr++) {
    crc = (crc >>> 8) ^ load<u32>(TABLES_PTR + (((crc ^ load<u8>(ptr)) & 0xff) << 2));
  }
  return crc;
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

/** Copies `len` bytes and returns the register over what then lies at `dstPtr`, block by block. The ranges do not overlap. */
export function crc32cCopy(crc: u32, dstPtr: usize, srcPtr: usize, len: u32): u32 {
  // Differences modulo 2^32: each range begins no earlier than the other one ends.
  assert(len == 0 || (dstPtr - srcPtr >= len && srcPtr - dstPtr >= len));
  let left = len;
  while (left > 0) {
    const take = min(left, COPY_BLOCK);
    memory.copy(dstPtr, srcPtr, take);
    crc = crc32c(crc, dstPtr, take);
    dstPtr += take;
    srcPtr += take;
    left -= take;
  }
  return crc;
}

/** Sum of the eight bytes of `word`, of which the last is followed by no others. */
function nearHalf(word: u64): u32 {
  return load<u32>(entry(word, 0), TABLES_PTR + 7 * SLICE_SIZE)
    ^ load<u32>(entry(word, 1), TABLES_PTR + 6 * SLICE_SIZE)
    ^ load<u32>(entry(word, 2), TABLES_PTR + 5 * SLICE_SIZE)
    ^ load<u32>(entry(word, 3), TABLES_PTR + 4 * SLICE_SIZE)
    ^ load<u32>(entry(word, 4), TABLES_PTR + 3 * SLICE_SIZE)
    ^ load<u32>(entry(word, 5), TABLES_PTR + 2 * SLICE_SIZE)
    ^ load<u32>(entry(word, 6), TABLES_PTR + 1 * SLICE_SIZE)
    ^ load<u32>(entry(word, 7), TABLES_PTR);
}

/** Sum of the eight bytes of `word`, of which the last is followed by eight others. */
function farHalf(word: u64): u32 {
  return load<u32>(entry(word, 0), TABLES_PTR + 15 * SLICE_SIZE)
    ^ load<u32>(entry(word, 1), TABLES_PTR + 14 * SLICE_SIZE)
    ^ load<u32>(entry(word, 2), TABLES_PTR + 13 * SLICE_SIZE)
    ^ load<u32>(entry(word, 3), TABLES_PTR + 12 * SLICE_SIZE)
    ^ load<u32>(entry(word, 4), TABLES_PTR + 11 * SLICE_SIZE)
    ^ load<u32>(entry(word, 5), TABLES_PTR + 10 * SLICE_SIZE)
    ^ load<u32>(entry(word, 6), TABLES_PTR + 9 * SLICE_SIZE)
    ^ load<u32>(entry(word, 7), TABLES_PTR + 8 * SLICE_SIZE);
}

/** Where in a slice the entry for byte `index` of `word` lies. */
function entry(word: u64, index: u64): usize {
  return (<usize>(word >> (index << 3)) & 0xff) << 2;
}

/** x^exponent, exponent ≤ ORDER. */
function power(exponent: u64): u32 {
  let product = ONE;
  for (let k: u32 = 0; k < POWERS_COUNT; k++) {
    if ((exponent >> k) & 1) product = multiply(product, load<u32>(POWERS_PTR + (k << 2)));
  }
  return product;
}
