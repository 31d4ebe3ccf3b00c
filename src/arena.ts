/**
 * Allocator over a range of linear memory: first fit, neighbours merge on free.
 *
 * What is always true
 *   - Free pieces are disjoint, sorted by address, never adjacent, all of whole GRAIN units.
 *   - Nothing outside [begin, begin + size) is ever handed out.
 */
import { PmsegError, checkWhole } from './errors.js';

/** A cache line, so that no two allocations share one. */
const GRAIN = 64;

export class Arena {
  readonly #size: number;
  /** Free pieces: [ptr, len]. */
  #free: [number, number][];
  /** Length of what was handed out, by its address. */
  readonly #lent = new Map<number, number>();

  constructor(begin: number, size: number) {
    this.#size = size;
    this.#free = [[begin, size]];
  }

  /** Bytes handed out. */
  get used(): number {
    return this.#size - this.#free.reduce((sum, [, len]) => sum + len, 0);
  }

  /**
   * Address of `len` bytes, 64-byte aligned, contents undefined.
   * @throws PmsegError ERR_PMSEG_BUSY when no free piece is long enough.
   */
  allocate(len: number): number {
    checkWhole('arena length', len, 0, Number.MAX_SAFE_INTEGER);
    const need = Math.max(GRAIN, Math.ceil(len / GRAIN) * GRAIN);
    const index = this.#free.findIndex(([, have]) => have >= need);
    const piece = this.#free[index];
    if (!piece) {
      throw new PmsegError('ERR_PMSEG_BUSY', `no ${len} contiguous bytes left of the ${this.#size} for bios; ${this.used} are in use`, {
        length: len,
      });
    }
    const [ptr, have] = piece;
    if (have === need) this.#free.splice(index, 1);
    else this.#free[index] = [ptr + need, have - need];
    this.#lent.set(ptr, need);
    return ptr;
  }

  /** Gives back what `allocate` returned. */
  release(ptr: number): void {
    const len = this.#lent.get(ptr);
    if (len === undefined) throw new PmsegError('ERR_PMSEG_CLOSED', `nothing is allocated at ${ptr}`);
    this.#lent.delete(ptr);
    let index = this.#free.findIndex(([other]) => other > ptr);
    if (index < 0) index = this.#free.length;
    this.#free.splice(index, 0, [ptr, len]);
    this.#merge(index);
    this.#merge(index - 1);
  }

  /** Joins the piece at `index` with the one behind it if they touch. */
  #merge(index: number): void {
    const [first, second] = [this.#free[index], this.#free[index + 1]];
    if (!first || !second || first[0] + first[1] !== second[0]) return;
    this.#free.splice(index, 2, [first[0], first[1] + second[1]]);
  }
}
