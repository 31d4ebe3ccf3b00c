/**
 * `file`: an ordinary file behind the page cache, with the native shim.
 *
 * What is always true
 *   - The mapping is for loads. The engine never stores through it: writes are pwritev from bio memory, coherent at once with every mapping,
 *     and a full disk is an errno instead of a signal.
 *   - Stores through a writable view dirty the same pages, so the same fdatasync makes them durable.
 */
import type { Bio } from '../bio.js';
import type { Granularity, Mode } from '../medium.js';
import { MAP_HOW, type Native } from '../native.js';
import { Mapped } from './mapped.js';
import type { NativeFile } from './poolfile.js';

export class FileMedium extends Mapped {
  readonly mode: Mode = 'file';
  readonly granularity: Granularity = 'page';

  constructor(native: Native, file: NativeFile, forced: boolean) {
    super(native, file, MAP_HOW.shared, forced);
  }

  write(off: number, bio: Bio, bioOff: number, len: number): void {
    this.guarded(off, len, () => this.file.write(off, bio.slices(bioOff, len)));
  }

  writeDurable(off: number, bio: Bio, bioOff: number, len: number): void {
    this.guarded(off, len, () => this.file.writeDurable(off, bio.slices(bioOff, len)));
  }

  flush(off: number, len: number): void {
    // The kernel knows which pages are dirty; nothing is gained by telling it earlier than the drain.
    this.assertGood(off, len);
  }

  drain(): void {
    this.keepGuard();
    this.file.drain();
  }

  drainAsync(): Promise<void> {
    this.keepGuard();
    return this.file.drainAsync();
  }
}
