/**
 * CRC-32C by folding: sixteen bytes at a time with shifts and sums only, for hosts with SIMD.
 *
 * The CRC is a remainder, and stays what it is when a multiple of the polynomial is added to the message. A *relation* is a multiple with
 * few terms: a set of lags such that a byte vanishes if it is added to the bytes that lie each of these lags behind it. From front to back
 * every byte is made to vanish, until only as many are left as the largest lag. Seen from the byte at the end of the lags:
 *
 *     quotient byte  e[i] = m[i] + the sum of e[i - lag] over all lags
 *
 * No lag is below 17, so sixteen quotient bytes can be had at once. Lags are bytes here; `back` is what takes a quotient's sixteen bytes that
 * begin `lag` bytes before the present ones out of the two vectors in which they lie.
 *
 *     near   17, 62, 63, 87, 103, 108, 112     the seven last quotient vectors, in registers
 *     far    96, 113, 128 and 583, 1049        the eight last in registers, and a history of 66 vectors in scratch
 *
 * The last seven vectors are moved bit by bit onto the last two (`finish`), and those are looked up.
 *
 * What is always true
 *   - Register 0 does not see zeros: those that are missing for a whole vector or a whole turn of a loop are put in front of the message.
 *     The seed is added to its first four bytes.
 *   - Nothing outside of [ptr, ptr + len) is read; each byte is read once, and with `copying` stored as it was read.
 *   - How far to go follows from `len` alone, never from bytes.
 *   - Scratch belongs to one instance: see env.ts.
 *
 * Where speed shapes the code: in a sum the farthest lag comes first, the nearest last, so that the chain of additions from one vector to
 * the next is short; loops of constant shape test at their end; constant distances stand in the loads' immediates.
 */
import { scratchPtr } from "./env";
import { SCRATCH_CORE_OFF, SCRATCH_CORE_SIZE, SCRATCH_PTR } from "./plan";
import { slice, sliceVector } from "./slicing";

/** The near fold needs a first vector and seven last ones. */
export const NEAR_LEN_MIN: u32 = 7 * 16 + 4;
/** The far fold needs a first vector and FAR_REST last ones; it is faster than the near one from here. */
export const FAR_LEN_MIN: u32 = 2048 + 4;

/** Lags of the far fold that reach into its history. */
const FAR_LAG: u32 = 1049;
const MEDIUM_LAG: u32 = 583;
/** Bytes of history: the vectors that FAR_LAG touches. */
const HISTORY_SIZE: u32 = 66 * 16;
/** Bytes that are folded before the history moves to the front again. With history and message they stay in the nearest cache. */
const CHUNK_SIZE: u32 = 8192;
/** Vectors that are left when the far fold ends: as many as FAR_LAG touches, and what the near fold takes in whole turns. */
const FAR_REST: u32 = 1 + 7 + 5 * 7 + 3 * 7 + 7;
/** Turns of eight vectors at the beginning: first none of the two lags reaches back to a quotient, then MEDIUM_LAG alone does. */
const EMPTY_TURNS: u32 = 3;
const MEDIUM_TURNS: u32 = 4;
/** Zero vectors before the first quotient, for the lags of the turns behind those. */
const ZEROS_BEFORE: u32 = 12;
/** Zero vectors behind the last quotient, for the lags of the vectors that are left. */
const ZEROS_BEHIND: u32 = 7;

// Distances of 0 … 7 vectors. An immediate must be a constant when asc sees it, which an argument never is and the size of a type is.
@unmanaged class V0 {}
@unmanaged class V1 extends V0 { private low1: u64; private high1: u64; }
@unmanaged class V2 extends V1 { private low2: u64; private high2: u64; }
@unmanaged class V3 extends V2 { private low3: u64; private high3: u64; }
@unmanaged class V4 extends V3 { private low4: u64; private high4: u64; }
@unmanaged class V5 extends V4 { private low5: u64; private high5: u64; }
@unmanaged class V6 extends V5 { private low6: u64; private high6: u64; }
@unmanaged class V7 extends V6 { private low7: u64; private high7: u64; }
if (offsetof<V7>() != 7 * 16) ERROR("a distance is so many vectors");

// In the core's part of the scratch: history, chunk and zeros; the last two vectors.
const PAIR_OFF: u32 = HISTORY_SIZE + CHUNK_SIZE + ZEROS_BEHIND * 16;
if (PAIR_OFF + 32 > SCRATCH_CORE_SIZE) ERROR("the fold's scratch fits");
if (HISTORY_SIZE < FAR_LAG) ERROR("the history is as long as the largest lag");
if (FAR_REST * 16 < HISTORY_SIZE) ERROR("what the far fold leaves behind is as long as its history");
if (FAR_LEN_MIN < (1 + (EMPTY_TURNS + MEDIUM_TURNS) * 8 + FAR_REST) * 16) ERROR("the turns at the beginning come before what is left");
if ((EMPTY_TURNS * 8 + 8) * 16 > MEDIUM_LAG) ERROR("no quotient lies MEDIUM_LAG before a vector of the empty turns");
if (((EMPTY_TURNS + MEDIUM_TURNS) * 8 + 8) * 16 > FAR_LAG) ERROR("no quotient lies FAR_LAG before a vector of the medium turns");
if ((1 + EMPTY_TURNS * 8 + ZEROS_BEFORE) * 16 < MEDIUM_LAG) ERROR("the zeros reach back as far as MEDIUM_LAG does after the empty turns");
if ((1 + (EMPTY_TURNS + MEDIUM_TURNS) * 8 + ZEROS_BEFORE) * 16 < FAR_LAG) ERROR("the zeros reach back as far as FAR_LAG does after both");
if (<u32>((1 + 7 + 5 * 7) * 16) - MEDIUM_LAG > ZEROS_BEHIND * 16) ERROR("the turns that read MEDIUM_LAG back do not read past the zeros");
if (<u32>((1 + 7 + 5 * 7) * 16) < MEDIUM_LAG) ERROR("no quotient lies MEDIUM_LAG before the turns that do not read there");
if (FAR_REST * 16 - FAR_LAG > ZEROS_BEHIND * 16) ERROR("the last vectors do not read past the zeros");

/** Register after `len` ≥ NEAR_LEN_MIN bytes from register `crc`. */
export function fold(crc: u32, ptr: usize, len: u32): u32 {
  // The seed covers four bytes: they must not be shared by two vectors.
  const odd = len & 15;
  if (odd != 0 && odd < 4) {
    crc = slice(crc, ptr, odd);
    ptr += odd;
    len -= odd;
  }
  const first = firstVector(crc, v128.load(ptr), len);
  const count = (len + 15) >>> 4;
  ptr += firstLen(len);
  return len < FAR_LEN_MIN ? foldNear(first, ptr, count) : foldFar(first, ptr, count);
}

/** The same, and copies the bytes to `dstPtr`. The ranges do not overlap. */
export function foldCopying(crc: u32, dstPtr: usize, ptr: usize, len: u32): u32 {
  const odd = len & 15;
  if (odd != 0 && odd < 4) {
    for (let i: u32 = 0; i < odd; i++) store<u8>(dstPtr + i, load<u8>(ptr + i));
    crc = slice(crc, dstPtr, odd);
    dstPtr += odd;
    ptr += odd;
    len -= odd;
  }
  const message = v128.load(ptr);
  v128.store(dstPtr, message);
  const first = firstVector(crc, message, len);
  const count = (len + 15) >>> 4;
  dstPtr += firstLen(len);
  ptr += firstLen(len);
  return len < FAR_LEN_MIN ? foldNearCopying(first, dstPtr, ptr, count) : foldFarCopying(first, dstPtr, ptr, count);
}

/** Bytes in the first vector: what is left over when all others are full, 1 … 16. */
// @ts-ignore: decorator
@inline
function firstLen(len: u32): u32 {
  return ((len - 1) & 15) + 1;
}

/** The first bytes of the message with the seed added, behind as many zeros as make a vector of them. */
// @ts-ignore: decorator
@inline
function firstVector(crc: u32, message: v128, len: u32): v128 {
  // Lanes of which the index is outside of 0 … 15 become zero.
  const lanes = i8x16.add(i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), i8x16.splat(<i8>(firstLen(len) - 16)));
  return i8x16.swizzle(v128.xor(message, i32x4.replace_lane(i64x2.splat(0), 0, crc)), lanes);
}

function foldNear(first: v128, ptr: usize, count: u32): u32 {
  return near(false, first, 0, ptr, count);
}

function foldNearCopying(first: v128, dstPtr: usize, ptr: usize, count: u32): u32 {
  return near(true, first, dstPtr, ptr, count);
}

function foldFar(first: v128, ptr: usize, count: u32): u32 {
  return far(false, first, 0, ptr, count);
}

function foldFarCopying(first: v128, dstPtr: usize, ptr: usize, count: u32): u32 {
  return far(true, first, dstPtr, ptr, count);
}

/** Folds `count` ≥ 8 vectors, of which `first` is the first and the others begin at `ptr`. */
// @ts-ignore: decorator
@inline
function near(copying: bool, first: v128, dstPtr: usize, ptr: usize, count: u32): u32 {
  const zero = i64x2.splat(0);
  // The last seven quotient vectors, oldest first.
  let a = zero, b = zero, c = zero, d = zero, e = zero, f = zero, g = first;
  for (let odd = (count - 8) % 7; odd > 0; odd--) {
    const next = nearStep(message<V0>(copying, dstPtr, ptr), a, b, c, d, e, f, g);
    a = b; b = c; c = d; d = e; e = f; f = g; g = next;
    ptr += 16;
    if (copying) dstPtr += 16;
  }
  let turns = (count - 8) / 7;
  if (turns > 0) do {
    a = nearStep(message<V0>(copying, dstPtr, ptr), a, b, c, d, e, f, g);
    b = nearStep(message<V1>(copying, dstPtr, ptr), b, c, d, e, f, g, a);
    c = nearStep(message<V2>(copying, dstPtr, ptr), c, d, e, f, g, a, b);
    d = nearStep(message<V3>(copying, dstPtr, ptr), d, e, f, g, a, b, c);
    e = nearStep(message<V4>(copying, dstPtr, ptr), e, f, g, a, b, c, d);
    f = nearStep(message<V5>(copying, dstPtr, ptr), f, g, a, b, c, d, e);
    g = nearStep(message<V6>(copying, dstPtr, ptr), g, a, b, c, d, e, f);
    ptr += 7 * 16;
    if (copying) dstPtr += 7 * 16;
  } while (--turns);
  return nearRest(
    message<V0>(copying, dstPtr, ptr),
    message<V1>(copying, dstPtr, ptr),
    message<V2>(copying, dstPtr, ptr),
    message<V3>(copying, dstPtr, ptr),
    message<V4>(copying, dstPtr, ptr),
    message<V5>(copying, dstPtr, ptr),
    message<V6>(copying, dstPtr, ptr),
    a, b, c, d, e, f, g,
  );
}

/** Folds `count` > FAR_REST vectors, of which `first` is the first and the others begin at `ptr`. */
// @ts-ignore: decorator
@inline
function far(copying: bool, first: v128, dstPtr: usize, ptr: usize, count: u32): u32 {
  const zero = i64x2.splat(0);
  const scratch = corePtr();
  // The last eight quotient vectors, oldest first. The one to come goes to `history` + HISTORY_SIZE.
  let a = zero, b = zero, c = zero, d = zero, e = zero, f = zero, g = zero, h = first;
  let history = scratch;
  clear(history + HISTORY_SIZE - ZEROS_BEFORE * 16, ZEROS_BEFORE * 16);
  v128.store(history, first, HISTORY_SIZE);
  history += 16;
  for (let odd = (count - 1 - FAR_REST) & 7; odd > 0; odd--) {
    const next = emptyStep<V0>(message<V0>(copying, dstPtr, ptr), history, a, b, c);
    a = b; b = c; c = d; d = e; e = f; f = g; g = h; h = next;
    ptr += 16;
    if (copying) dstPtr += 16;
    history += 16;
  }
  let batch = EMPTY_TURNS;
  do {
    a = emptyStep<V0>(message<V0>(copying, dstPtr, ptr), history, a, b, c);
    b = emptyStep<V1>(message<V1>(copying, dstPtr, ptr), history, b, c, d);
    c = emptyStep<V2>(message<V2>(copying, dstPtr, ptr), history, c, d, e);
    d = emptyStep<V3>(message<V3>(copying, dstPtr, ptr), history, d, e, f);
    e = emptyStep<V4>(message<V4>(copying, dstPtr, ptr), history, e, f, g);
    f = emptyStep<V5>(message<V5>(copying, dstPtr, ptr), history, f, g, h);
    g = emptyStep<V6>(message<V6>(copying, dstPtr, ptr), history, g, h, a);
    h = emptyStep<V7>(message<V7>(copying, dstPtr, ptr), history, h, a, b);
    ptr += 8 * 16;
    if (copying) dstPtr += 8 * 16;
    history += 8 * 16;
  } while (--batch);
  batch = MEDIUM_TURNS;
  do {
    a = mediumStep<V0>(message<V0>(copying, dstPtr, ptr), history, a, b, c);
    b = mediumStep<V1>(message<V1>(copying, dstPtr, ptr), history, b, c, d);
    c = mediumStep<V2>(message<V2>(copying, dstPtr, ptr), history, c, d, e);
    d = mediumStep<V3>(message<V3>(copying, dstPtr, ptr), history, d, e, f);
    e = mediumStep<V4>(message<V4>(copying, dstPtr, ptr), history, e, f, g);
    f = mediumStep<V5>(message<V5>(copying, dstPtr, ptr), history, f, g, h);
    g = mediumStep<V6>(message<V6>(copying, dstPtr, ptr), history, g, h, a);
    h = mediumStep<V7>(message<V7>(copying, dstPtr, ptr), history, h, a, b);
    ptr += 8 * 16;
    if (copying) dstPtr += 8 * 16;
    history += 8 * 16;
  } while (--batch);
  let turns = ((count - 1 - FAR_REST) >>> 3) - EMPTY_TURNS - MEDIUM_TURNS;
  while (turns > 0) {
    batch = min(turns, <u32>(scratch + CHUNK_SIZE - history) >>> 7);
    turns -= batch;
    do {
      a = farStep<V0>(message<V0>(copying, dstPtr, ptr), history, a, b, c);
      b = farStep<V1>(message<V1>(copying, dstPtr, ptr), history, b, c, d);
      c = farStep<V2>(message<V2>(copying, dstPtr, ptr), history, c, d, e);
      d = farStep<V3>(message<V3>(copying, dstPtr, ptr), history, d, e, f);
      e = farStep<V4>(message<V4>(copying, dstPtr, ptr), history, e, f, g);
      f = farStep<V5>(message<V5>(copying, dstPtr, ptr), history, f, g, h);
      g = farStep<V6>(message<V6>(copying, dstPtr, ptr), history, g, h, a);
      h = farStep<V7>(message<V7>(copying, dstPtr, ptr), history, h, a, b);
      ptr += 8 * 16;
      if (copying) dstPtr += 8 * 16;
      history += 8 * 16;
    } while (--batch);
    if (turns > 0) {
      for (let i: u32 = 0; i < HISTORY_SIZE; i += 16) v128.store(scratch + i, v128.load(history + i));
      history = scratch;
    }
  }
  clear(history + HISTORY_SIZE, ZEROS_BEHIND * 16);
  // What is left: the lags that reach a quotient vector still count, no new ones come. Then the near fold, with what is in registers first.
  return nearAfterFar(
    copying, dstPtr, ptr, history,
    v128.xor(v128.xor(farMessage<V0>(copying, dstPtr, ptr, history), a), v128.xor(back1(a, b), c)),
    v128.xor(v128.xor(farMessage<V1>(copying, dstPtr, ptr, history), b), v128.xor(back1(b, c), d)),
    v128.xor(v128.xor(farMessage<V2>(copying, dstPtr, ptr, history), c), v128.xor(back1(c, d), e)),
    v128.xor(v128.xor(farMessage<V3>(copying, dstPtr, ptr, history), d), v128.xor(back1(d, e), f)),
    v128.xor(v128.xor(farMessage<V4>(copying, dstPtr, ptr, history), e), v128.xor(back1(e, f), g)),
    v128.xor(v128.xor(farMessage<V5>(copying, dstPtr, ptr, history), f), v128.xor(back1(f, g), h)),
    v128.xor(v128.xor(farMessage<V6>(copying, dstPtr, ptr, history), g), back1(g, h)),
    v128.xor(v128.xor(farMessage<V7>(copying, dstPtr, ptr, history), h), back1(h, zero)),
  );
}

/** Folds what the far fold has left: the eight vectors that are given, and 63 at `ptr` + 128 to which the history is still to be added. */
// @ts-ignore: decorator
@inline
function nearAfterFar(
  copying: bool, dstPtr: usize, ptr: usize, history: usize,
  first: v128, m1: v128, m2: v128, m3: v128, m4: v128, m5: v128, m6: v128, m7: v128,
): u32 {
  const zero = i64x2.splat(0);
  let g = first;
  let a = nearStep(m1, zero, zero, zero, zero, zero, zero, g);
  let b = nearStep(m2, zero, zero, zero, zero, zero, g, a);
  let c = nearStep(m3, zero, zero, zero, zero, g, a, b);
  let d = nearStep(m4, zero, zero, zero, g, a, b, c);
  let e = nearStep(m5, zero, zero, g, a, b, c, d);
  let f = nearStep(m6, zero, g, a, b, c, d, e);
  g = nearStep(m7, g, a, b, c, d, e, f);
  ptr += 8 * 16;
  if (copying) dstPtr += 8 * 16;
  history += 8 * 16;
  let turns = 5;
  do {
    a = nearStep(farMessage<V0>(copying, dstPtr, ptr, history), a, b, c, d, e, f, g);
    b = nearStep(farMessage<V1>(copying, dstPtr, ptr, history), b, c, d, e, f, g, a);
    c = nearStep(farMessage<V2>(copying, dstPtr, ptr, history), c, d, e, f, g, a, b);
    d = nearStep(farMessage<V3>(copying, dstPtr, ptr, history), d, e, f, g, a, b, c);
    e = nearStep(farMessage<V4>(copying, dstPtr, ptr, history), e, f, g, a, b, c, d);
    f = nearStep(farMessage<V5>(copying, dstPtr, ptr, history), f, g, a, b, c, d, e);
    g = nearStep(farMessage<V6>(copying, dstPtr, ptr, history), g, a, b, c, d, e, f);
    ptr += 7 * 16;
    if (copying) dstPtr += 7 * 16;
    history += 7 * 16;
  } while (--turns);
  turns = 3;
  do {
    a = nearStep(lastMessage<V0>(copying, dstPtr, ptr, history), a, b, c, d, e, f, g);
    b = nearStep(lastMessage<V1>(copying, dstPtr, ptr, history), b, c, d, e, f, g, a);
    c = nearStep(lastMessage<V2>(copying, dstPtr, ptr, history), c, d, e, f, g, a, b);
    d = nearStep(lastMessage<V3>(copying, dstPtr, ptr, history), d, e, f, g, a, b, c);
    e = nearStep(lastMessage<V4>(copying, dstPtr, ptr, history), e, f, g, a, b, c, d);
    f = nearStep(lastMessage<V5>(copying, dstPtr, ptr, history), f, g, a, b, c, d, e);
    g = nearStep(lastMessage<V6>(copying, dstPtr, ptr, history), g, a, b, c, d, e, f);
    ptr += 7 * 16;
    if (copying) dstPtr += 7 * 16;
    history += 7 * 16;
  } while (--turns);
  return nearRest(
    lastMessage<V0>(copying, dstPtr, ptr, history),
    lastMessage<V1>(copying, dstPtr, ptr, history),
    lastMessage<V2>(copying, dstPtr, ptr, history),
    lastMessage<V3>(copying, dstPtr, ptr, history),
    lastMessage<V4>(copying, dstPtr, ptr, history),
    lastMessage<V5>(copying, dstPtr, ptr, history),
    lastMessage<V6>(copying, dstPtr, ptr, history),
    a, b, c, d, e, f, g,
  );
}

/** Quotient vector of `message`; the seven before it are `a` (112 bytes back) … `g` (16). */
// @ts-ignore: decorator
@inline
function nearStep(message: v128, a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128): v128 {
  let sum = v128.xor(message, a);
  sum = v128.xor(sum, back12(a, b));
  sum = v128.xor(sum, back7(a, b));
  sum = v128.xor(sum, back7(b, c));
  sum = v128.xor(sum, back15(d, e));
  sum = v128.xor(sum, back14(d, e));
  return v128.xor(sum, back1(f, g));
}

/** The seven last vectors: what of the quotient `a` … `g` still reaches them, and then the end. */
// @ts-ignore: decorator
@inline
function nearRest(
  m0: v128, m1: v128, m2: v128, m3: v128, m4: v128, m5: v128, m6: v128,
  a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128,
): u32 {
  const zero = i64x2.splat(0);
  m0 = v128.xor(v128.xor(v128.xor(m0, a), v128.xor(back12(a, b), back7(a, b))), back7(b, c));
  m0 = v128.xor(v128.xor(m0, back15(d, e)), v128.xor(back14(d, e), back1(f, g)));
  m1 = v128.xor(v128.xor(v128.xor(m1, b), v128.xor(back12(b, c), back7(b, c))), back7(c, d));
  m1 = v128.xor(v128.xor(m1, back15(e, f)), v128.xor(back14(e, f), back1(g, zero)));
  m2 = v128.xor(v128.xor(v128.xor(m2, c), v128.xor(back12(c, d), back7(c, d))), back7(d, e));
  m2 = v128.xor(m2, v128.xor(back15(f, g), back14(f, g)));
  m3 = v128.xor(v128.xor(v128.xor(m3, d), v128.xor(back12(d, e), back7(d, e))), back7(e, f));
  m3 = v128.xor(m3, v128.xor(back15(g, zero), back14(g, zero)));
  m4 = v128.xor(v128.xor(v128.xor(m4, e), v128.xor(back12(e, f), back7(e, f))), back7(f, g));
  m5 = v128.xor(v128.xor(v128.xor(m5, f), v128.xor(back12(f, g), back7(f, g))), back7(g, zero));
  m6 = v128.xor(v128.xor(m6, g), v128.xor(back12(g, zero), back7(g, zero)));
  return finish(m0, m1, m2, m3, m4, m5, m6);
}

/** Quotient vector of `message`, stored behind the history; the eight before it are `a` (128 bytes back), `b`, `c` (96) …. */
// @ts-ignore: decorator
@inline
function farStep<At>(message: v128, history: usize, a: v128, b: v128, c: v128): v128 {
  return mediumStep<At>(v128.xor(message, v128.load(history, HISTORY_SIZE - FAR_LAG + offsetof<At>())), history, a, b, c);
}

/** The same where FAR_LAG reaches back to before the first quotient. */
// @ts-ignore: decorator
@inline
function mediumStep<At>(message: v128, history: usize, a: v128, b: v128, c: v128): v128 {
  return emptyStep<At>(v128.xor(message, v128.load(history, HISTORY_SIZE - MEDIUM_LAG + offsetof<At>())), history, a, b, c);
}

/** The same where MEDIUM_LAG does, too. */
// @ts-ignore: decorator
@inline
function emptyStep<At>(message: v128, history: usize, a: v128, b: v128, c: v128): v128 {
  const quotient = v128.xor(v128.xor(v128.xor(message, a), back1(a, b)), c);
  v128.store(history, quotient, HISTORY_SIZE + offsetof<At>());
  return quotient;
}

/** The message's vector at `ptr` plus `At`, copied on the way if `copying`. */
// @ts-ignore: decorator
@inline
function message<At>(copying: bool, dstPtr: usize, ptr: usize): v128 {
  const vector = v128.load(ptr, offsetof<At>());
  if (copying) v128.store(dstPtr, vector, offsetof<At>());
  return vector;
}

/** The message's vector and the history's two. */
// @ts-ignore: decorator
@inline
function farMessage<At>(copying: bool, dstPtr: usize, ptr: usize, history: usize): v128 {
  return v128.xor(lastMessage<At>(copying, dstPtr, ptr, history), v128.load(history, HISTORY_SIZE - MEDIUM_LAG + offsetof<At>()));
}

/** The message's vector and the history's farther one, where the nearer one reaches past the last quotient. */
// @ts-ignore: decorator
@inline
function lastMessage<At>(copying: bool, dstPtr: usize, ptr: usize, history: usize): v128 {
  return v128.xor(message<At>(copying, dstPtr, ptr), v128.load(history, HISTORY_SIZE - FAR_LAG + offsetof<At>()));
}

/** The sixteen bytes that begin so many bytes before `newer`, of two vectors in a row. */
// @ts-ignore: decorator
@inline
function back1(older: v128, newer: v128): v128 {
  return i8x16.shuffle(older, newer, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30);
}

// @ts-ignore: decorator
@inline
function back7(older: v128, newer: v128): v128 {
  return i8x16.shuffle(older, newer, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24);
}

// @ts-ignore: decorator
@inline
function back12(older: v128, newer: v128): v128 {
  return i8x16.shuffle(older, newer, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19);
}

// @ts-ignore: decorator
@inline
function back14(older: v128, newer: v128): v128 {
  return i8x16.shuffle(older, newer, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
}

// @ts-ignore: decorator
@inline
function back15(older: v128, newer: v128): v128 {
  return i8x16.shuffle(older, newer, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
}

/** Writes `size` (a multiple of 16) zero bytes. */
// @ts-ignore: decorator
@inline
function clear(ptr: usize, size: u32): void {
  const zero = i64x2.splat(0);
  for (let i: u32 = 0; i < size; i += 16) v128.store(ptr + i, zero);
}

/** Where the core's part of this instance's scratch begins. Without threads there is one instance. */
// @ts-ignore: decorator
@inline
function corePtr(): usize {
  return (ASC_FEATURE_THREADS ? scratchPtr : SCRATCH_PTR) + SCRATCH_CORE_OFF;
}

/**
 * Register after seven vectors, from register 0. The first five are moved onto the last two by one relation for each distance, bit by bit.
 *
 * A lag of 128 · distance + s bits moves the vector to `y0` shifted by s bits. Shifts stay inside of halves, so the sums are kept for three
 * places: shifted by s - 0, by s - 64 (half a vector later), by s - 128 (a vector later, onto `y1`).
 *
 *     distance 1: 0, 8, 9, 29, 36, 94, 105          distance 4: 8, 20, 23, 24, 27, 44, 64
 *     distance 2: 0, 53, 64, 79, 95, 96, 118        distance 5: 0, 5, 34, 45, 64, 77, 124
 *     distance 3: 7, 14, 26, 27, 64, 76, 122
 */
// @ts-ignore: decorator
@inline
function finish(x5: v128, x4: v128, x3: v128, x2: v128, x1: v128, y0: v128, y1: v128): u32 {
  let low = x5;
  low = v128.xor(low, v128.xor(i64x2.shl(x5, 5), i64x2.shl(x5, 34)));
  low = v128.xor(low, i64x2.shl(x5, 45));
  low = v128.xor(low, v128.xor(i64x2.shl(x4, 8), i64x2.shl(x4, 20)));
  low = v128.xor(low, v128.xor(i64x2.shl(x4, 23), i64x2.shl(x4, 24)));
  low = v128.xor(low, v128.xor(i64x2.shl(x4, 27), i64x2.shl(x4, 44)));
  low = v128.xor(low, v128.xor(i64x2.shl(x3, 7), i64x2.shl(x3, 14)));
  low = v128.xor(low, v128.xor(i64x2.shl(x3, 26), i64x2.shl(x3, 27)));
  low = v128.xor(low, v128.xor(x2, i64x2.shl(x2, 53)));
  low = v128.xor(low, v128.xor(x1, i64x2.shl(x1, 8)));
  low = v128.xor(low, v128.xor(i64x2.shl(x1, 9), i64x2.shl(x1, 29)));
  low = v128.xor(low, i64x2.shl(x1, 36));
  let middle = i64x2.shr_u(x5, 59);
  middle = v128.xor(middle, v128.xor(i64x2.shr_u(x5, 30), i64x2.shr_u(x5, 19)));
  middle = v128.xor(middle, v128.xor(x5, i64x2.shl(x5, 13)));
  middle = v128.xor(middle, i64x2.shl(x5, 60));
  middle = v128.xor(middle, v128.xor(i64x2.shr_u(x4, 56), i64x2.shr_u(x4, 44)));
  middle = v128.xor(middle, v128.xor(i64x2.shr_u(x4, 41), i64x2.shr_u(x4, 40)));
  middle = v128.xor(middle, v128.xor(i64x2.shr_u(x4, 37), i64x2.shr_u(x4, 20)));
  middle = v128.xor(middle, x4);
  middle = v128.xor(middle, v128.xor(i64x2.shr_u(x3, 57), i64x2.shr_u(x3, 50)));
  middle = v128.xor(middle, v128.xor(i64x2.shr_u(x3, 38), i64x2.shr_u(x3, 37)));
  middle = v128.xor(middle, v128.xor(x3, i64x2.shl(x3, 12)));
  middle = v128.xor(middle, i64x2.shl(x3, 58));
  middle = v128.xor(middle, v128.xor(i64x2.shr_u(x2, 11), x2));
  middle = v128.xor(middle, v128.xor(i64x2.shl(x2, 15), i64x2.shl(x2, 31)));
  middle = v128.xor(middle, v128.xor(i64x2.shl(x2, 32), i64x2.shl(x2, 54)));
  middle = v128.xor(middle, v128.xor(i64x2.shr_u(x1, 56), i64x2.shr_u(x1, 55)));
  middle = v128.xor(middle, v128.xor(i64x2.shr_u(x1, 35), i64x2.shr_u(x1, 28)));
  middle = v128.xor(middle, v128.xor(i64x2.shl(x1, 30), i64x2.shl(x1, 41)));
  let high = i64x2.shr_u(x5, 51);
  high = v128.xor(high, i64x2.shr_u(x5, 4));
  high = v128.xor(high, v128.xor(i64x2.shr_u(x3, 52), i64x2.shr_u(x3, 6)));
  high = v128.xor(high, v128.xor(i64x2.shr_u(x2, 49), i64x2.shr_u(x2, 33)));
  high = v128.xor(high, v128.xor(i64x2.shr_u(x2, 32), i64x2.shr_u(x2, 10)));
  high = v128.xor(high, v128.xor(i64x2.shr_u(x1, 34), i64x2.shr_u(x1, 23)));
  const zero = i64x2.splat(0);
  y0 = v128.xor(v128.xor(y0, low), i8x16.shuffle(zero, middle, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23));
  y1 = v128.xor(v128.xor(y1, high), i8x16.shuffle(middle, zero, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23));
  const pairPtr = corePtr() + PAIR_OFF;
  v128.store(pairPtr, y0);
  v128.store(pairPtr, y1, 16);
  return sliceVector(sliceVector(0, pairPtr), pairPtr + 16);
}
