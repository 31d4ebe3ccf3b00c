/**
 * Words that threads share: each access is one indivisible step, and all of them are in one order that every thread sees.
 *
 * What is always true
 *   - Addresses are multiples of 4; others trap.
 *   - Without threads (WASI) the same functions are plain loads and stores: there is nobody to race with.
 */

export function atomicLoad(ptr: usize): u32 {
  return ASC_FEATURE_THREADS ? atomic.load<u32>(ptr) : load<u32>(ptr);
}

export function atomicStore(ptr: usize, value: u32): void {
  if (ASC_FEATURE_THREADS) atomic.store<u32>(ptr, value);
  else store<u32>(ptr, value);
}

/** Sets the bits of `mask`; returns what was there. */
export function atomicOr(ptr: usize, mask: u32): u32 {
  if (ASC_FEATURE_THREADS) return atomic.or<u32>(ptr, mask);
  const found = load<u32>(ptr);
  store<u32>(ptr, found | mask);
  return found;
}

/** Keeps the bits of `mask`; returns what was there. */
export function atomicAnd(ptr: usize, mask: u32): u32 {
  if (ASC_FEATURE_THREADS) return atomic.and<u32>(ptr, mask);
  const found = load<u32>(ptr);
  store<u32>(ptr, found & mask);
  return found;
}

/** Stores `wanted` if `expected` is there; returns what was there. */
export function atomicCompareExchange(ptr: usize, expected: u32, wanted: u32): u32 {
  if (ASC_FEATURE_THREADS) return atomic.cmpxchg<u32>(ptr, expected, wanted);
  const found = load<u32>(ptr);
  if (found == expected) store<u32>(ptr, wanted);
  return found;
}
