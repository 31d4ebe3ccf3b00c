/**
 * Bio: an ordered vector of pieces of memory and how far into it we are.
 *
 * What is always true
 *   - Copies never move `pos`; only `advance` and `rewind` do.
 *   - A bio in a bank has its bvec table in the same linear memory, so the core copies without any glue.
 *   - A bio elsewhere (Buffers, typed arrays) counts as external memory.
 */
import { BVEC_LEN_OFF, BVEC_PTR_OFF, BVEC_SIZE } from '../assembly/plan.js';
import type { Bank } from './bank.js';
import { PmsegError, checkWhole, rangeError, typeError } from './errors.js';

/** Most pieces of one bio. */
export const BVEC_COUNT_MAX = 1024;

/** The bytes of any view, not copied. */
export function bytesOf(title: string, view: unknown): Uint8Array<ArrayBufferLike> {
  if (view instanceof Uint8Array && view.byteLength > 0) return view;
  if (ArrayBuffer.isView(view)) {
    // No bytes: an empty view, or one whose buffer was given away. Only an attempt to look at the buffer tells.
    try {
      return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    } catch {
      throw typeError(title, 'bytes', 'a detached buffer');
    }
  }
  throw typeError(title, 'a Buffer, TypedArray or DataView', view);
}

export class Bio {
  /** The pieces, as views. */
  readonly pieces: readonly Uint8Array<ArrayBufferLike>[];
  /** Bytes in all pieces. */
  readonly size: number;
  /** The bank that holds pieces and table; `undefined` for external memory. */
  readonly bank: Bank | undefined;
  /** Where the bvec table is, in the bank. */
  readonly tablePtr: number;
  #pos = 0;
  #released = false;
  readonly #lengths: readonly number[];
  readonly #blockPtr: number;

  private constructor(pieces: readonly Uint8Array<ArrayBufferLike>[], bank: Bank | undefined, tablePtr: number, blockPtr: number) {
    this.pieces = pieces;
    this.#lengths = pieces.map((piece) => piece.byteLength);
    this.size = this.#lengths.reduce((sum, len) => sum + len, 0);
    this.bank = bank;
    this.tablePtr = tablePtr;
    this.#blockPtr = blockPtr;
  }

  /**
   * A bio over the caller's memory, not copied.
   * @param views one view or up to 1,024 of them, of any lengths, zero too
   * @throws TypeError for anything that is not a view
   */
  static from(views: ArrayBufferView | readonly ArrayBufferView[]): Bio {
    const list = Array.isArray(views) ? views : [views];
    if (list.length > BVEC_COUNT_MAX) throw rangeError(`${list.length} pieces are more than ${BVEC_COUNT_MAX}`);
    return new Bio(
      list.map((view, index) => bytesOf(`piece ${index}`, view)),
      undefined,
      0,
      0,
    );
  }

  /**
   * A bio in a bank's arena: copies between it and segments of that bank run inside WebAssembly. Contents undefined. Release it.
   * @param lens bytes of each piece
   * @throws PmsegError ERR_PMSEG_BUSY when the arena has no room
   */
  static allocate(bank: Bank, lens: readonly number[]): Bio {
    if (lens.length > BVEC_COUNT_MAX) throw rangeError(`${lens.length} pieces are more than ${BVEC_COUNT_MAX}`);
    lens.forEach((len, index) => checkWhole(`length of piece ${index}`, len, 0, 2 ** 31));
    const tableSize = Math.ceil((lens.length * BVEC_SIZE) / 64) * 64;
    const blockPtr = bank.arena.allocate(tableSize + lens.reduce((sum, len) => sum + len, 0));
    let ptr = blockPtr + tableSize;
    const pieces = lens.map((len, index) => {
      bank.view.setUint32(blockPtr + index * BVEC_SIZE + BVEC_PTR_OFF, ptr, true);
      bank.view.setUint32(blockPtr + index * BVEC_SIZE + BVEC_LEN_OFF, len, true);
      ptr += len;
      return bank.subarray(ptr - len, len);
    });
    return new Bio(pieces, bank, blockPtr, blockPtr);
  }

  /** A bio over `len` bytes at `ptr` of a bank that the engine itself owns; the table is written at `tablePtr`. */
  static over(bank: Bank, tablePtr: number, ptr: number, len: number): Bio {
    bank.view.setUint32(tablePtr + BVEC_PTR_OFF, ptr, true);
    bank.view.setUint32(tablePtr + BVEC_LEN_OFF, len, true);
    return new Bio([bank.subarray(ptr, len)], bank, tablePtr, 0);
  }

  /** Bytes before the position. */
  get pos(): number {
    return this.#pos;
  }

  /** Bytes from the position to the end. */
  get remain(): number {
    return this.size - this.#pos;
  }

  /** Moves the position forward; never past the end. */
  advance(len: number): this {
    this.#pos += checkWhole('bio advance', len, 0, this.remain);
    return this;
  }

  /** Puts the position back to the beginning. */
  rewind(): this {
    this.#pos = 0;
    return this;
  }

  /** The first piece; a convenience for bios of one piece. */
  get bytes(): Uint8Array<ArrayBufferLike> {
    return this.pieces[0] ?? new Uint8Array(0);
  }

  /**
   * Looks before a copy of `len` bytes at `bioOff` from the position.
   * @throws PmsegError ERR_PMSEG_SHORT_COPY (EIO) when there are fewer; ERR_PMSEG_CLOSED after release; TypeError when a piece was detached
   */
  check(bioOff: number, len: number): void {
    if (this.#released) throw new PmsegError('ERR_PMSEG_CLOSED', 'the bio was released');
    for (let i = 0; i < this.pieces.length; i++) {
      if (this.pieces[i]?.byteLength !== this.#lengths[i])
        throw typeError(`piece ${i} of the bio`, `${this.#lengths[i]} bytes`, 'a detached buffer');
    }
    checkWhole('bio offset', bioOff, 0, Number.MAX_SAFE_INTEGER);
    if (bioOff > this.remain || len > this.remain - bioOff) {
      throw new PmsegError(
        'ERR_PMSEG_SHORT_COPY',
        `the bio has ${Math.max(0, this.remain - bioOff)} bytes at ${bioOff}, the copy needs ${len}`,
        {
          errno: 5,
          offset: bioOff,
          length: len,
        },
      );
    }
  }

  /** The pieces that make up `len` bytes at `bioOff` from the position, not copied. Call `check` first. */
  slices(bioOff: number, len: number): Uint8Array<ArrayBufferLike>[] {
    const slices: Uint8Array<ArrayBufferLike>[] = [];
    let skip = this.#pos + bioOff;
    let left = len;
    for (const piece of this.pieces) {
      if (left === 0) break;
      const head = Math.min(skip, piece.byteLength);
      skip -= head;
      const take = Math.min(piece.byteLength - head, left);
      if (take === 0) continue;
      slices.push(head === 0 && take === piece.byteLength ? piece : piece.subarray(head, head + take));
      left -= take;
    }
    return slices;
  }

  /** Gives arena memory back; nothing for external memory. A second call does nothing. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.bank && this.#blockPtr) this.bank.arena.release(this.#blockPtr);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
