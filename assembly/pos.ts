/**
 * Positions in a segment's data.
 *
 * What is always true
 *   - A position is 0 … dataSize; dataSize itself is the end.
 *   - Lengths are compared with what is left: no length, however large, makes a sum that wraps.
 */
import { EINVAL } from "./verdicts";

/** off + len, or EINVAL if that is past the data. */
export function posAdvance(off: u32, len: u32, dataSize: u32): i32 {
  assert(dataSize <= <u32>i32.MAX_VALUE);
  return off <= dataSize && len <= dataSize - off ? <i32>(off + len) : EINVAL;
}

/** Bytes from off to the end of the data, or EINVAL if off is past it. */
export function posRemain(off: u32, dataSize: u32): i32 {
  assert(dataSize <= <u32>i32.MAX_VALUE);
  return off <= dataSize ? <i32>(dataSize - off) : EINVAL;
}
