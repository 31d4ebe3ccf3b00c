/**
 * Whole numbers that the host can count: the interface carries 64-bit fields as f64, exact up to 2^53 - 1.
 */

export const WHOLE_MAX: u64 = 0x1fffffffffffff;

/** A number from the host as the 64-bit field that it becomes. Anything but a whole number up to WHOLE_MAX is the caller's mistake. */
export function whole(value: f64): u64 {
  assert(value >= 0 && value <= <f64>WHOLE_MAX && Math.floor(value) == value);
  return <u64>value;
}
