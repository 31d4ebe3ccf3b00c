/** Seeded randomness whose seed is printed, so that a failure can be run again: `SEED=n node dist/tests/….js`. */
export class Prng {
  readonly seed: number;
  #state: number;

  constructor(seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32))) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
    console.log(`SEED ${this.seed}`);
  }

  /** Next 32 random bits (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A whole number from 0 to limit - 1. */
  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }

  /** `len` random bytes. */
  bytes(len: number): Uint8Array {
    const bytes = new Uint8Array(len);
    for (let i = 0; i < len; i++) bytes[i] = this.next();
    return bytes;
  }
}
