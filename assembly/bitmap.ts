/**
 * The allocation bitmap: one bit a segment, set = not free.
 *
 * What is always true
 *   - Every change is one atomic step on one word: two threads never take the same bit.
 *   - Taking is lowest first, so that equal histories give equal pools.
 */
import { BITMAP_SIZE } from "./plan";
import { atomicAnd, atomicCompareExchange, atomicLoad, atomicOr } from "./atomics";

const BITS: u32 = 32;

/** Sets a bit; whether it was clear. */
export function bitmapSet(ptr: usize, index: u32): bool {
  return (atomicOr(wordPtr(ptr, index), maskOf(index)) & maskOf(index)) == 0;
}

/** Clears a bit; whether it was set. */
export function bitmapClear(ptr: usize, index: u32): bool {
  return (atomicAnd(wordPtr(ptr, index), ~maskOf(index)) & maskOf(index)) != 0;
}

export function bitmapTest(ptr: usize, index: u32): bool {
  return (atomicLoad(wordPtr(ptr, index)) & maskOf(index)) != 0;
}

/** Sets the lowest clear bit below `count` and returns its index; -1 if all are set. */
export function bitmapTake(ptr: usize, count: u32): i32 {
  assert(count <= BITMAP_SIZE * 8);
  for (let base: u32 = 0; base < count; base += BITS) {
    const wordAt = ptr + (base >>> 3);
    let word = atomicLoad(wordAt);
    while (word != u32.MAX_VALUE) {
      const index = base + ctz<u32>(~word);
      if (index >= count) return -1;
      const found = atomicCompareExchange(wordAt, word, word | maskOf(index));
      if (found == word) return <i32>index;
      // Another thread changed the word in between; its newest value may have a lower bit clear.
      word = found;
    }
  }
  return -1;
}

/** Set bits below `count`. */
export function bitmapCount(ptr: usize, count: u32): u32 {
  assert(count <= BITMAP_SIZE * 8);
  let set: u32 = 0;
  for (let base: u32 = 0; base < count; base += BITS) {
    const left = count - base;
    const mask = left < BITS ? ((1 << left) - 1) : u32.MAX_VALUE;
    set += popcnt<u32>(atomicLoad(ptr + (base >>> 3)) & mask);
  }
  return set;
}

function wordPtr(ptr: usize, index: u32): usize {
  assert(index < BITMAP_SIZE * 8);
  return ptr + ((index >>> 5) << 2);
}

function maskOf(index: u32): u32 {
  return 1 << (index & (BITS - 1));
}
