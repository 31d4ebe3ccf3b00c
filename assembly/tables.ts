/**
 * The tables of the CRC, built at run time in memory that is never mapped from a file.
 *
 *     TABLES_PTR  slice 0 … slice 15: 256 words each     word b of slice k: register after byte b and k zero bytes, from register 0
 *     + 16 KiB    31 words                               word k: x^(2^k) modulo the CRC's polynomial
 *
 * What is always true
 *   - They are no data segment: those are written again at each instantiation, under the feet of threads that are reading.
 *   - Each word is written once per builder with the only value it can have, so that a second builder changes nothing.
 *   - The ready mark is stored after the tables and loaded before their first use: who sees it sees them.
 */
import { STATE_PTR, STATE_TABLES_OFF, TABLES_PTR, TABLES_SIZE } from "./plan";
import { atomicCompareExchange, atomicLoad, atomicStore } from "./atomics";
import { multiply, timesX, X } from "./polynomial";

export const SLICE_SIZE: u32 = 1024;
export const SLICE_COUNT: u32 = 16;
export const POWERS_PTR: u32 = TABLES_PTR + SLICE_COUNT * SLICE_SIZE;
export const POWERS_COUNT: u32 = 31;

if (SLICE_COUNT * SLICE_SIZE + POWERS_COUNT * 4 > TABLES_SIZE) ERROR("tables fit their place");

const NOT_BUILT: u32 = 0;
const BUILDING: u32 = 1;
const READY: u32 = 2;

/** Building takes microseconds. Who has waited for so many loads is waiting for a thread that was ended, and builds by itself. */
const PATIENCE: u32 = 1 << 24;

/** Builds the tables unless they are there. Every instance calls this before anything else. */
export function coreInit(): void {
  const guardPtr: usize = STATE_PTR + STATE_TABLES_OFF;
  if (atomicCompareExchange(guardPtr, NOT_BUILT, BUILDING) != NOT_BUILT) {
    for (let waited: u32 = 0; waited < PATIENCE; waited++) {
      if (atomicLoad(guardPtr) == READY) return;
    }
  }
  buildSlices();
  buildPowers();
  atomicStore(guardPtr, READY);
}

function buildSlices(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = timesX(crc);
    store<u32>(TABLES_PTR + (byte << 2), crc);
  }
  for (let i: u32 = 0; i < (SLICE_COUNT - 1) * 256; i++) {
    const crc = load<u32>(TABLES_PTR + (i << 2));
    store<u32>(TABLES_PTR + SLICE_SIZE + (i << 2), (crc >>> 8) ^ load<u32>(TABLES_PTR + ((crc & 0xff) << 2)));
  }
}

function buildPowers(): void {
  let power = X;
  for (let k: u32 = 0; k < POWERS_COUNT; k++) {
    store<u32>(POWERS_PTR + (k << 2), power);
    power = multiply(power, power);
  }
}
