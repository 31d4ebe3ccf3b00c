/** What the scenarios claim again and again. */
import * as assert from 'uvu/assert';
import type { PmsegError, Segment } from '../../src/index.js';
import { throwsCode } from '../kit/pools.js';
import type { World } from './world.js';

/** Bytes that differ from page to page, and are nowhere zero. */
export function pattern(len: number, salt: number): Uint8Array {
  const bytes = new Uint8Array(len);
  for (let i = 0; i < len; i++) bytes[i] = 1 + ((i + (i >> 12) + salt) % 255);
  return bytes;
}

/** Another segment in use. */
export const otherThan = (world: World, segment: Segment): Segment => world.pool.segment(segment.id === 0 ? 1 : 0);

/** The one error that lost bytes are, with coordinates. */
export function lost(segment: Segment, off: number, call: () => unknown): PmsegError {
  const error = throwsCode('ERR_PMSEG_MEDIA', call) as unknown as PmsegError;
  assert.equal([error.segmentId, error.offset], [segment.id, off], error.message);
  assert.type(error.length, 'number');
  return error;
}
