/**
 * Comparing and judging runs of bytes.
 *
 * What is always true
 *   - Loops count what is left; a range may end exactly at 4 GiB.
 */

/** Whether `len` bytes are all zero. */
export function bytesZero(ptr: usize, len: u32): bool {
  let left = len;
  for (; left >= 8; left -= 8, ptr += 8) {
    if (load<u64>(ptr) != 0) return false;
  }
  for (; left > 0; left--, ptr++) {
    if (load<u8>(ptr) != 0) return false;
  }
  return true;
}

/** Whether `len` bytes are the same at both places. */
export function bytesEqual(aPtr: usize, bPtr: usize, len: u32): bool {
  let left = len;
  for (; left >= 8; left -= 8, aPtr += 8, bPtr += 8) {
    if (load<u64>(aPtr) != load<u64>(bPtr)) return false;
  }
  for (; left > 0; left--, aPtr++, bPtr++) {
    if (load<u8>(aPtr) != load<u8>(bPtr)) return false;
  }
  return true;
}
