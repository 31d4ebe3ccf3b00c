/**
 * A bank: one WebAssembly.Memory of 4 GiB, laid out by assembly/plan.ts, with the core instance that works on it.
 *
 * What is always true
 *   - The memory never grows (initial = maximum), is never handed to users, and costs address space only until touched.
 *   - Views over it are made once: its buffer is shared and can be neither detached nor resized.
 */
import * as plan from '../assembly/plan.js';
import { Arena } from './arena.js';
import { instantiateCore, type Core } from './core.js';
import { PmsegError } from './errors.js';

/** Bytes of a bank. */
export const BANK_SIZE = 2 ** 32;
const WASM_PAGE = 65536;

export class Bank {
  /** Place among the pool's banks; bank 0 also holds the shared state. */
  readonly index: number;
  readonly memory: WebAssembly.Memory;
  readonly bytes: Uint8Array<ArrayBufferLike>;
  readonly view: DataView<ArrayBufferLike>;
  /** For Atomics. */
  readonly words: Uint32Array<ArrayBufferLike>;
  readonly arena = new Arena(plan.ARENA_PTR, plan.ARENA_SIZE);
  /** This thread's scratch: plan.SCRATCH_SIZE bytes. */
  readonly scratchPtr = plan.SCRATCH_PTR;
  /** Where the first segment of the window begins. */
  windowPtr: number = plan.WINDOW_PTR_MIN;
  #core: Core | undefined;

  constructor(index: number) {
    this.index = index;
    try {
      this.memory = new WebAssembly.Memory({ initial: BANK_SIZE / WASM_PAGE, maximum: BANK_SIZE / WASM_PAGE, shared: true });
    } catch (cause) {
      throw new PmsegError('ERR_PMSEG_UNSUPPORTED', `no address space for bank ${index}: each takes 8–10 GiB of it (see ulimit -v)`, {
        cause,
      });
    }
    this.bytes = new Uint8Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    this.words = new Uint32Array(this.memory.buffer);
  }

  /** The core over this bank; instantiated at first use. */
  get core(): Core {
    return (this.#core ??= instantiateCore(this.memory));
  }

  /** `len` bytes at `ptr`, not copied. */
  subarray(ptr: number, len: number): Uint8Array<ArrayBufferLike> {
    return this.bytes.subarray(ptr, ptr + len);
  }

  /** Copies bytes from `ptr` on into memory elsewhere. */
  copyOut(ptr: number, slices: readonly Uint8Array<ArrayBufferLike>[]): void {
    let from = ptr;
    for (const slice of slices) {
      slice.set(this.subarray(from, slice.byteLength));
      from += slice.byteLength;
    }
  }

  /** Atomic load of a word of the shared state block. */
  stateLoad(off: number): number {
    return Atomics.load(this.words, (plan.STATE_PTR + off) / 4);
  }

  /** Atomic addition to a word of the shared state block; returns the new value. */
  stateAdd(off: number, value: number): number {
    return (Atomics.add(this.words, (plan.STATE_PTR + off) / 4, value) + value) >>> 0;
  }

  /** Sets bits of a word of the shared state block. */
  stateOr(off: number, bits: number): void {
    Atomics.or(this.words, (plan.STATE_PTR + off) / 4, bits);
  }

  /** Raises a word of the shared state block to `value` unless it is there already. */
  stateMax(off: number, value: number): void {
    const index = (plan.STATE_PTR + off) / 4;
    for (let seen = Atomics.load(this.words, index); seen < value; ) {
      const was = Atomics.compareExchange(this.words, index, seen, value);
      if (was === seen) return;
      seen = was;
    }
  }
}
