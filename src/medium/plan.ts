/** Which segments are seen through which bank, and where. */
import { SEGMENTS_ALIGN } from '../../assembly/media.js';
import { WINDOW_PTR_MIN } from '../../assembly/plan.js';
import { BANK_SIZE } from '../bank.js';
import type { Geometry } from '../medium.js';

export interface Windows {
  readonly segmentsPerBank: number;
  readonly bankCount: number;
}

/** Banks for a pool: each window holds a whole, equal number of segments (the last may hold fewer). */
export function planWindows({ segmentSize, segmentCount }: Geometry): Windows {
  const segmentsPerBank = Math.floor((BANK_SIZE - WINDOW_PTR_MIN - SEGMENTS_ALIGN) / segmentSize);
  return { segmentsPerBank, bankCount: Math.ceil(segmentCount / segmentsPerBank) };
}

/**
 * Where a window begins in a bank so that native address and file offset agree modulo 2 MiB, which lets DAX map huge pages.
 * @param address native address of the bank's first byte
 * @param fileOff offset of the window's first segment in the pool
 */
export function windowPtr(address: number, fileOff: number): number {
  const off = (((fileOff - address - WINDOW_PTR_MIN) % SEGMENTS_ALIGN) + SEGMENTS_ALIGN) % SEGMENTS_ALIGN;
  return WINDOW_PTR_MIN + off;
}
