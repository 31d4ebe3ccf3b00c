/**
 * CRC-32C by lookup: sixteen bytes at a time, each in the table for its distance to the end of the sixteen.
 *
 * What is always true
 *   - The lookups of one step do not wait for each other, as those of the byte-by-byte form do.
 *   - Loops count what is left: a range may end exactly at 4 GiB.
 *   - With SIMD, twelve of the sixteen words are summed in a vector register: compilers otherwise load all sixteen before they sum
 *     any, and run out of registers. The values are the same.
 */
import { TABLES_PTR } from "./plan";
import { SLICE_SIZE } from "./tables";

/** Register after `len` bytes from register `crc`. */
export function slice(crc: u32, ptr: usize, len: u32): u32 {
  for (let steps = len >>> 4; steps > 0; steps--) {
    crc = ASC_FEATURE_SIMD ? sliceVector(crc, ptr) : sliceWord(crc, load<u64>(ptr), load<u64>(ptr, 8));
    ptr += 16;
  }
  if (len & 8) {
    crc = nearHalf(load<u64>(ptr) ^ <u64>crc);
    ptr += 8;
  }
  if (len & 4) {
    crc = nearQuarter(load<u32>(ptr) ^ crc);
    ptr += 4;
  }
  for (let left = len & 3; left > 0; left--, ptr++) {
    crc = (crc >>> 8) ^ load<u32>(TABLES_PTR + (((crc ^ load<u8>(ptr)) & 0xff) << 2));
  }
  return crc;
}

/** Register after the sixteen bytes at `ptr`. */
// @ts-ignore: decorator
@inline
export function sliceVector(crc: u32, ptr: usize): u32 {
  const word = crc ^ load<u32>(ptr);
  const a = v128.xor(
    v128.load32_zero(<usize>load<u8>(ptr, 4) << 2, TABLES_PTR + 11 * SLICE_SIZE),
    v128.load32_zero(<usize>load<u8>(ptr, 5) << 2, TABLES_PTR + 10 * SLICE_SIZE),
  );
  const b = v128.xor(
    v128.load32_zero(<usize>load<u8>(ptr, 6) << 2, TABLES_PTR + 9 * SLICE_SIZE),
    v128.load32_zero(<usize>load<u8>(ptr, 7) << 2, TABLES_PTR + 8 * SLICE_SIZE),
  );
  const c = v128.xor(
    v128.load32_zero(<usize>load<u8>(ptr, 8) << 2, TABLES_PTR + 7 * SLICE_SIZE),
    v128.load32_zero(<usize>load<u8>(ptr, 9) << 2, TABLES_PTR + 6 * SLICE_SIZE),
  );
  const d = v128.xor(
    v128.load32_zero(<usize>load<u8>(ptr, 10) << 2, TABLES_PTR + 5 * SLICE_SIZE),
    v128.load32_zero(<usize>load<u8>(ptr, 11) << 2, TABLES_PTR + 4 * SLICE_SIZE),
  );
  const e = v128.xor(
    v128.load32_zero(<usize>load<u8>(ptr, 12) << 2, TABLES_PTR + 3 * SLICE_SIZE),
    v128.load32_zero(<usize>load<u8>(ptr, 13) << 2, TABLES_PTR + 2 * SLICE_SIZE),
  );
  const f = v128.xor(
    v128.load32_zero(<usize>load<u8>(ptr, 14) << 2, TABLES_PTR + 1 * SLICE_SIZE),
    v128.load32_zero(<usize>load<u8>(ptr, 15) << 2, TABLES_PTR + 0 * SLICE_SIZE),
  );
  return <u32>i32x4.extract_lane(v128.xor(v128.xor(v128.xor(a, b), v128.xor(c, d)), v128.xor(e, f)), 0) ^ farQuarter(word);
}

/** Register after sixteen bytes: those of `first`, then those of `second`, lowest first. */
function sliceWord(crc: u32, first: u64, second: u64): u32 {
  const word = first ^ <u64>crc;
  return farQuarter(<u32>word)
    ^ load<u32>(entry(word, 4), TABLES_PTR + 11 * SLICE_SIZE)
    ^ load<u32>(entry(word, 5), TABLES_PTR + 10 * SLICE_SIZE)
    ^ load<u32>(entry(word, 6), TABLES_PTR + 9 * SLICE_SIZE)
    ^ load<u32>(entry(word, 7), TABLES_PTR + 8 * SLICE_SIZE)
    ^ nearHalf(second);
}

/** Sum of the four bytes of `word`, of which the last is followed by twelve others. */
// @ts-ignore: decorator
@inline
function farQuarter(word: u32): u32 {
  return load<u32>(entry(word, 0), TABLES_PTR + 15 * SLICE_SIZE)
    ^ load<u32>(entry(word, 1), TABLES_PTR + 14 * SLICE_SIZE)
    ^ load<u32>(entry(word, 2), TABLES_PTR + 13 * SLICE_SIZE)
    ^ load<u32>(entry(word, 3), TABLES_PTR + 12 * SLICE_SIZE);
}

/** Sum of the eight bytes of `word`, of which the last is followed by no others. */
// @ts-ignore: decorator
@inline
export function nearHalf(word: u64): u32 {
  return load<u32>(entry(word, 0), TABLES_PTR + 7 * SLICE_SIZE)
    ^ load<u32>(entry(word, 1), TABLES_PTR + 6 * SLICE_SIZE)
    ^ load<u32>(entry(word, 2), TABLES_PTR + 5 * SLICE_SIZE)
    ^ load<u32>(entry(word, 3), TABLES_PTR + 4 * SLICE_SIZE)
    ^ nearQuarter(<u32>(word >> 32));
}

/** Sum of the four bytes of `word`, of which the last is followed by no others. */
// @ts-ignore: decorator
@inline
function nearQuarter(word: u32): u32 {
  return load<u32>(entry(word, 0), TABLES_PTR + 3 * SLICE_SIZE)
    ^ load<u32>(entry(word, 1), TABLES_PTR + 2 * SLICE_SIZE)
    ^ load<u32>(entry(word, 2), TABLES_PTR + 1 * SLICE_SIZE)
    ^ load<u32>(entry(word, 3), TABLES_PTR);
}

/** Where in a slice the entry for byte `index` of `word` lies. */
// @ts-ignore: decorator
@inline
function entry<T>(word: T, index: T): usize {
  return <usize>(word >> (index << 3)) << 2 & 0x3fc;
}
