/**
 * Blocks ahead of a log's end, written before they are needed. A file system that was asked for blocks has promised them, not written them: the
 * first write into each changes the file's map too, and a small durable append that does so takes two to three times as long.
 *
 * What is always true
 *   - Zeros are written only where no write has reached, which reads as zeros, behind everything the log has written: no byte changes.
 *   - It is a convenience: want of room for it, or a lost page in its way, is nobody's error.
 */
import { Bio } from '../bio.js';
import type { Engine } from '../engine.js';
import { PmsegError } from '../errors.js';

/** Appends that are written in larger pieces hide the cost, and zeros would double what they write. */
const WRITE_MAX = 64 * 1024;
/** Bytes ahead: little for a log that gets few records, more with each stretch that was used up. */
const STRETCH_MIN = 64 * 1024;
const STRETCH_MAX = 1024 * 1024;
const BLOCK_SIZE = 4096;

let zeros: Bio | undefined;

export class Ahead {
  readonly #engine: Engine;
  #segmentId = -1;
  /** Offset in the segment's data up to which nothing is to be done. */
  #reached = 0;
  #stretch = STRETCH_MIN;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Called before `len` bytes are written at `off` of a segment's data.
   * @param durable the write is one of its own: no drain follows that would make the zeros durable
   */
  reach(segmentId: number, off: number, len: number, durable: boolean): void {
    if (segmentId !== this.#segmentId) [this.#segmentId, this.#reached] = [segmentId, 0];
    // The next write of this size should find its blocks written.
    if (off + 2 * len <= this.#reached || len > WRITE_MAX || this.#engine.medium.granularity !== 'page') return;
    const { dataSize, medium } = this.#engine;
    const begin = Math.max(this.#reached, Math.ceil((off + len) / BLOCK_SIZE) * BLOCK_SIZE);
    const end = Math.min(begin + this.#stretch, Math.floor(dataSize / BLOCK_SIZE) * BLOCK_SIZE);
    this.#reached = end <= begin ? Infinity : end;
    if (end <= begin) return;
    const poolOff = this.#engine.poolOff(segmentId, begin);
    const hole = medium.unwritten(poolOff, end - begin);
    if (hole < BLOCK_SIZE) return;
    zeros ??= Bio.from(new Uint8Array(STRETCH_MAX));
    try {
      this.#engine.copyFromBio(segmentId, begin, Math.floor(hole / BLOCK_SIZE) * BLOCK_SIZE, zeros, 0, durable);
      this.#stretch = Math.min(STRETCH_MAX, 2 * this.#stretch);
    } catch (error) {
      if (!(error instanceof PmsegError) || (error.code !== 'ERR_PMSEG_NO_SPACE' && error.code !== 'ERR_PMSEG_MEDIA')) throw error;
      this.#reached = Infinity;
    }
  }
}
