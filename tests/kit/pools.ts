/** Pools and folders for tests, and what is awkward to say again and again. */
import * as assert from 'uvu/assert';
import type { Granularity } from '../../src/medium.js';
import { MemoryMedium, Pool, type Operation } from '../../src/index.js';

export { temporaryFolder } from './folder.js';

export const MIB = 2 ** 20;
/** Bytes of a pool with `count` segments of 1 MiB. */
export const sizeFor = (count: number): number => (2 + count) * MIB + 4096;

/** Fails unless `call` throws an error with this code; returns the error. */
export function throwsCode(code: string, call: () => unknown, message = code): Record<string, unknown> & Error {
  try {
    call();
  } catch (error) {
    assert.is((error as { code?: string }).code, code, `${message}: ${(error as Error).stack}`);
    return error as Record<string, unknown> & Error;
  }
  throw new Error(`${message}: nothing was thrown`);
}

/** As `throwsCode`, for promises. */
export async function rejectsCode(code: string, promise: Promise<unknown>): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason as { code?: string },
  );
  assert.is(error?.code, code);
}

/** An open pool in memory with 1 MiB segments, and what happens to its medium. */
export function memoryPool(
  count: number,
  granularity: Granularity,
  onOperation?: (operation: Operation) => void,
): { pool: Pool; medium: MemoryMedium } {
  const medium = new MemoryMedium(sizeFor(count), { granularity, onOperation: (operation) => onOperation?.(operation) });
  Pool.format(medium, { segmentSize: MIB, uuid: '00112233-4455-6677-8899-aabbccddeeff' });
  return { pool: Pool.open(medium, { ownerSeed: 'test' }), medium };
}
