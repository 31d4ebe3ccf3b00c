/**
 * What the child of the kill tests does and its parent expects: operations as they travel over the pipe, and the bytes that they store.
 */
import { fill } from './nth.work.js';

export { fill };

export type Op =
  | { op: 'put'; name: string; tag: number; len: number; replace: boolean }
  | { op: 'remove'; name: string }
  | { op: 'append'; first: number; count: number; len: number; how: 'flush' | 'persist' | 'durable' }
  /** Forgets the records before this number. */
  | { op: 'trim'; to: number }
  | { op: 'allocate' }
  | { op: 'write'; id: number; place: number; tag: number; how: 'write' | 'persist' | 'view' }
  | { op: 'free'; id: number };

/** Places of a raw segment that are written one at a time. */
export const PLACE_COUNT = 6;
export const PLACE_SIZE = 50_000;
export const placeOff = (place: number): number => place * 65_536 + 100;

/** A record says its number. */
export function recordOf(number: number, len: number): Uint8Array {
  const bytes = fill(number, len);
  new DataView(bytes.buffer).setUint32(0, number, true);
  return bytes;
}

export function numberOf(data: Uint8Array): number {
  return new DataView(data.buffer, data.byteOffset).getUint32(0, true);
}
