/**
 * SegmentPos: a place in a segment's data.
 *
 * What is always true: 0 ≤ off ≤ dataSize. `advance` never leaves the data area and never wraps; the core does the arithmetic.
 */
import { checkWhole, rangeError, typeError } from './errors.js';
import { Segment } from './segment.js';

export class SegmentPos {
  readonly segment: Segment;
  #off: number;

  /** @throws RangeError when off is not a whole number from 0 to the segment's dataSize */
  constructor(segment: Segment, off = 0) {
    if (!(segment instanceof Segment)) throw typeError('segment', 'a Segment', segment);
    this.segment = segment;
    this.#off = checkWhole('position', off, 0, segment.dataSize);
  }

  /** Bytes from the beginning of the segment's data. */
  get off(): number {
    return this.#off;
  }

  /** Bytes from here to the end of the data. */
  get remain(): number {
    return this.segment.core.posRemain(this.#off, this.segment.dataSize);
  }

  /**
   * Moves forward.
   * @throws RangeError when fewer than `len` bytes remain; the position stays
   */
  advance(len: number): this {
    checkWhole('advance', len, 0, 0xffff_ffff);
    const off = this.segment.core.posAdvance(this.#off, len, this.segment.dataSize);
    if (off < 0) throw rangeError(`advance ${len} from ${this.#off} is past dataSize ${this.segment.dataSize}`);
    this.#off = off;
    return this;
  }

  /** A position of its own at the same place. */
  clone(): SegmentPos {
    return new SegmentPos(this.segment, this.#off);
  }
}
