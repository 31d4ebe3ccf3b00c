/**
 * `dax`: byte-addressable memory. Stores go into the mapping; cache-line flushes and a fence make them durable.
 *
 * What is always true
 *   - Only segments are mapped. The superblocks, outside of them, are written by pwrite; the next drain is then a system call as well.
 *   - `write` leaves nothing but the fence to do.
 */
import type { Bio } from '../bio.js';
import { PmsegError, errnoName, errnos, systemError } from '../errors.js';
import type { Granularity, Mode } from '../medium.js';
import { GRANULARITY, MAP_HOW, type Native } from '../native.js';
import { Mapped } from './mapped.js';
import type { NativeFile } from './poolfile.js';

/** Bytes from which on a cache-bypassing copy is cheaper than a copy and a flush (bench/copy.mjs). */
const PAST_CACHE_MIN = 8192;

export class DaxMedium extends Mapped {
  readonly mode: Mode = 'dax';
  readonly granularity: 'byte' | 'cache-line';
  readonly #unit: number;
  /** Writes by pwrite, and how many of them a system call has made durable: one in flight has not. */
  #written = 0;
  #synced = 0;

  /** @param forced map as an ordinary file: for tests of this path where there is no DAX */
  constructor(native: Native, file: NativeFile, granularity: Exclude<Granularity, 'page'>, forced: boolean) {
    super(native, file, forced ? MAP_HOW.shared : MAP_HOW.sync, forced);
    this.granularity = granularity;
    this.#unit = granularity === 'byte' ? GRANULARITY.byte : GRANULARITY.cacheLine;
  }

  write(off: number, bio: Bio, bioOff: number, len: number): void {
    const place = this.placeOf(off);
    if (place) return this.guarded(off, len, () => this.#store(place, off, bio, bioOff, len));
    this.file.write(off, bio.slices(bioOff, len));
    this.#written++;
  }

  #store({ id, bank, mapOff }: NonNullable<ReturnType<Mapped['place']>>, off: number, bio: Bio, bioOff: number, len: number): void {
    // From some size on writing past the cache beats storing into it and flushing every line; where no flush is needed it never does.
    if (bio.bank === bank && (len < PAST_CACHE_MIN || this.granularity === 'byte')) {
      // To the core a whole segment is one data area; the caller has checked the range against the real one.
      const { segmentSize } = this.geometry;
      const segmentOff = mapOff % segmentSize;
      const segmentPtr = bank.windowPtr + mapOff - segmentOff;
      const result = bank.core.copyFromBio(segmentPtr, segmentSize, segmentOff, len, bio.tablePtr, bio.pieces.length, bio.pos + bioOff);
      if (result < 0 && result !== -errnos.EFAULT) throw systemError('copy', -result, { path: this.path, offset: off, length: len });
      this.#check('flush', this.native.flush(id, this.#unit, mapOff, len), off, len);
    } else {
      let done = 0;
      for (const slice of bio.slices(bioOff, len)) {
        this.#check('copy', this.native.copyIn(id, mapOff + done, slice, 0, slice.byteLength), off + done, slice.byteLength);
        done += slice.byteLength;
      }
    }
  }

  writeDurable(off: number, bio: Bio, bioOff: number, len: number): void {
    this.guarded(off, len, () => {
      this.write(off, bio, bioOff, len);
      this.drain();
    });
  }

  flush(off: number, len: number): void {
    const place = this.placeOf(off);
    if (!place) {
      // Not mapped, so it was stored by a pwrite: the next drain is the system call that waits for it.
      this.#written++;
      return;
    }
    this.guarded(off, len, () => this.#check('flush', this.native.flush(place.id, this.#unit, place.mapOff, len), off, len));
  }

  drain(): void {
    this.keepGuard();
    if (this.#synced < this.#written) {
      this.file.drain();
      this.#synced = this.#written;
    } else this.file.verify();
    this.#check('fence', this.native.fence(), 0, 0);
  }

  async drainAsync(): Promise<void> {
    // Lines are flushed by the thread that stored them; only pwrites are worth leaving this thread for.
    this.keepGuard();
    const written = this.#written;
    this.#check('fence', this.native.fence(), 0, 0);
    if (this.#synced === written) return this.file.verify();
    await this.file.drainAsync();
    this.#synced = Math.max(this.#synced, written);
  }

  #check(what: string, result: number, off: number, len: number): void {
    // Not the medium's word for lost bytes, which would fail the store alone: nobody knows what has arrived.
    if (result < 0)
      throw new PmsegError('ERR_PMSEG_IO', `${what} ${this.path}: ${errnoName(-result)}`, {
        path: this.path,
        offset: off,
        length: len,
        errno: -result,
      });
  }
}
