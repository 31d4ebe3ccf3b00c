/**
 * A real file system whose device runs out of room behind its back: ext4 on a loop device over a sparse file on a tmpfs. Writes go into the
 * page cache; writing them back fails. For root only.
 *
 * What is always true: blocks that were never written have no page in the tmpfs, so that `fillUp` makes exactly their writing fail.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';

function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
  return stdout.trim();
}

/** Why there can be no such device here; `undefined` when there can. */
export function whyNoLoop(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!fs.existsSync('/dev/loop-control')) return 'no loop devices';
  for (const tool of ['losetup', 'mkfs.ext4', 'mount', 'fallocate']) if (spawnSync('which', [tool]).status !== 0) return `no ${tool}`;
  return undefined;
}

export class LoopFolder {
  /** Where the file system is mounted. */
  readonly path: string;
  readonly #back: string;
  readonly #image: string;
  #device: string | undefined;
  #isMounted = false;

  /** @param size bytes of the device; its tmpfs has 24 MiB */
  constructor(folder: string, size = 48 * 2 ** 20) {
    [this.#back, this.path] = [join(folder, 'back'), join(folder, 'mnt')];
    this.#image = join(this.#back, 'image');
    for (const name of [this.#back, this.path]) fs.mkdirSync(name, { recursive: true });
    run('mount', '-t', 'tmpfs', '-o', 'size=24m', 'none', this.#back);
    fs.writeFileSync(this.#image, '');
    fs.truncateSync(this.#image, size);
    // Without a journal, only the writing of data needs blocks that were never written.
    run('mkfs.ext4', '-q', '-b', '4096', '-O', '^has_journal', '-E', 'lazy_itable_init=0,nodiscard', this.#image);
    this.#mount();
  }

  #mount(): void {
    this.#device = run('losetup', '-f', '--show', this.#image);
    run('mount', '-o', 'noatime', this.#device, this.path);
    this.#isMounted = true;
  }

  #unmount(): void {
    if (this.#isMounted) run('umount', this.path);
    this.#isMounted = false;
    if (this.#device) run('losetup', '-d', this.#device);
    this.#device = undefined;
  }

  /** Takes the pages of all zero blocks away, and then all room that is left. */
  fillUp(): void {
    this.#unmount();
    run('fallocate', '--dig-holes', this.#image);
    this.#mount();
    const fd = fs.openSync(join(this.#back, 'ballast'), 'w');
    try {
      for (;;) fs.writeSync(fd, Buffer.alloc(4096));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      fs.closeSync(fd);
    }
  }

  makeRoom(): void {
    fs.rmSync(join(this.#back, 'ballast'), { force: true });
  }

  /** Takes everything down; what a failed test has left open goes with the process. */
  [Symbol.dispose](): void {
    if (this.#isMounted) run('umount', '-l', this.path);
    if (this.#device) run('losetup', '-d', this.#device);
    run('umount', '-l', this.#back);
  }
}

/** What the medium holds of a file, read past the page cache. */
export function onMedium(path: string): Buffer {
  const size = fs.statSync(path).size;
  // A memory begins on a page, as O_DIRECT wants it.
  const bytes = new Uint8Array(new WebAssembly.Memory({ initial: Math.ceil(size / 65536) }).buffer, 0, size);
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECT);
  for (let done = 0; done < size; ) done += fs.readSync(fd, bytes, done, Math.min(4 * 2 ** 20, size - done), done);
  fs.closeSync(fd);
  return Buffer.from(bytes.buffer, 0, size);
}
