/**
 * Text on the medium: UTF-8 without NUL.
 *
 * What is always true
 *   - One character has one encoding: overlong forms, surrogates and code points above U+10FFFF are refused, so names that look
 *     equal to a careful reader are equal as bytes.
 */
import { NAME_SIZE_MAX } from "./media";

/** Bytes of the one character at `ptr`, of which `left` (≥ 1) may be read; 0 if it is NUL or no valid UTF-8. */
function characterLen(ptr: usize, left: u32): u32 {
  const lead = load<u8>(ptr);
  if (lead < 0x80) return lead != 0 ? 1 : 0;
  // 0x80 … 0xbf continue a character; 0xc0 and 0xc1 could only begin an overlong one.
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const len: u32 = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (len > left) return 0;
  // The second byte decides about overlong forms (e0, f0), surrogates (ed) and the upper limit (f4).
  const second = load<u8>(ptr, 1);
  const least: u8 = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const most: u8 = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  if (len > 2 && (load<u8>(ptr, 2) & 0xc0) != 0x80) return 0;
  if (len > 3 && (load<u8>(ptr, 3) & 0xc0) != 0x80) return 0;
  return len;
}

/** Whether `len` bytes are UTF-8 without NUL. */
export function textValid(ptr: usize, len: u32): bool {
  for (let left = len; left > 0; ) {
    const step = characterLen(ptr, left);
    if (step == 0) return false;
    ptr += step;
    left -= step;
  }
  return true;
}

/** Whether `len` bytes are a name: 1 … NAME_SIZE_MAX bytes of UTF-8 without NUL. */
export function nameValid(ptr: usize, len: u32): bool {
  return len >= 1 && len <= NAME_SIZE_MAX && textValid(ptr, len);
}
