/**
 * File systems of a test's own: a small tmpfs, or an ext4 on a disk that can be made to fail. They need root; whoever has none is told why not.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs a tool; its output, or an error with what it said. */
export function tool(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 60_000 });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')}: ${(error?.message ?? stderr).trim()}`);
}

export interface Mount {
  readonly folder: string;
  release(): void;
}

const undo: (() => void)[] = [];
process.on('exit', () => {
  for (const step of undo.reverse()) step();
});

/** Takes back what was set up, once: now or at exit, whichever comes first. */
function releasing(...steps: (() => void)[]): () => void {
  let done = false;
  const release = (): void => {
    if (done) return;
    done = true;
    for (const step of steps) step();
  };
  undo.push(release);
  return release;
}

/** Tears something down as far as it goes: what cannot be undone any more must not hide why. */
const quietly = (command: string, ...args: string[]): void => void spawnSync(command, args);

/** Why this process may not mount; `undefined` if it may. */
export function mountRefusal(): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting needs root';
  try {
    mountTmpfs('size=64k').release();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

export function mountTmpfs(options: string): Mount {
  const folder = mkdtempSync(join(tmpdir(), 'pmseg-tmpfs-'));
  try {
    tool('mount', '-t', 'tmpfs', '-o', options, 'pmseg-test', folder);
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
  return { folder, release: releasing(() => (quietly('umount', '-l', folder), rmSync(folder, { recursive: true, force: true }))) };
}

export interface Disk extends Mount {
  /** The file that stands for the disk: what is beyond its end cannot be read. */
  readonly backing: string;
  readonly device: string;
}

/** An ext4 of `size` bytes on a loop device. No journal: nothing is written that a test did not write. */
export function mountDisk(size: number): Disk {
  const base = mkdtempSync(join(tmpdir(), 'pmseg-disk-'));
  const [backing, folder] = [join(base, 'disk'), join(base, 'mnt')];
  mkdirSync(folder);
  let device: string | undefined;
  const release = releasing(() => {
    quietly('umount', '-l', folder);
    if (device !== undefined) quietly('losetup', '-d', device);
    rmSync(base, { recursive: true, force: true });
  });
  try {
    writeFileSync(backing, '');
    truncateSync(backing, size);
    tool('mkfs.ext4', '-q', '-F', '-b', '4096', '-O', '^has_journal,^metadata_csum', '-E', 'lazy_itable_init=0', backing);
    device = tool('losetup', '-f', '--show', backing).trim();
    tool('mount', '-t', 'ext4', '-o', 'noatime', device, folder);
  } catch (error) {
    release();
    throw error;
  }
  return { folder, backing, device, release };
}

/** Offset on the disk of an offset in a file. */
export function placeOnDisk(path: string, off: number): number {
  for (const line of tool('filefrag', '-v', '-b4096', path).split('\n')) {
    const [, first, last, place] = /^\s*\d+:\s+(\d+)\.\.\s*(\d+):\s+(\d+)\.\./.exec(line) ?? [];
    if (first !== undefined && off / 4096 >= Number(first) && off / 4096 <= Number(last))
      return Number(place) * 4096 + (off - Number(first) * 4096);
  }
  throw new Error(`${path} has no block at ${off}`);
}
