/** One memory of 4 GiB with a core on it: addresses up to the very last byte, at the price of the pages that a test touches. */
import * as plan from '../../assembly/plan.js';
import { instantiateCore } from '../../src/core.js';

export const MEMORY_SIZE = 2 ** 32;
export const memory = new WebAssembly.Memory({ initial: 65536, maximum: 65536, shared: true });
export const core = instantiateCore(memory);
export const bytes = new Uint8Array(memory.buffer);
export const view = new DataView(memory.buffer);

/** Free memory for tests. */
export const PTR = plan.ARENA_PTR;

/** Gives a record that a test has changed a crc that fits, and touches nothing else of it. */
export function reseal(ptr: number, size: number, seed: number): void {
  view.setUint32(ptr, core.crc32c(seed, ptr + 4, size - 4), true);
}

/** The register after `data`, one bit at a time: the definition of the CRC. */
export function crcByDefinition(crc: number, data: Uint8Array): number {
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return crc >>> 0;
}

/** Whether an assertion or a bound inside the core stopped the call. */
export function traps(call: () => unknown): boolean {
  try {
    call();
    return false;
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) return true;
    throw error;
  }
}
