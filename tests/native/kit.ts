/**
 * What the tests of the shim share: the shim itself, a linear memory, files that vanish at exit, and child processes that may die.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { native, nativeUnavailable, type Native } from '../../src/native.js';
import { suite, type Suite } from '../kit/suite.js';

export const { errno } = constants;
export const MIB = 2 ** 20;
/** Where the tests' mappings and fault counter lie in a linear memory. */
export const PTR = 4 * MIB;
export const FAULTS_PTR = 0x10040;
export const MEMORY_SIZE = 16 * MIB;

/** The shim; only for code that runs where `nativeSuite` found one. */
export const shim = native as Native;
export const PAGE = native ? native.cpu().pageSize : 4096;

/** A suite whose tests are skipped, with the reason, where there is no shim. */
export function nativeSuite(name: string): Suite {
  const inner = suite(name);
  if (native) return inner;
  const add = (title: string): void => inner.skip(title, nativeUnavailable ?? 'no shim');
  return Object.assign(add, { skip: inner.skip });
}

/** A view of a whole new linear memory. */
export function memory(size = MEMORY_SIZE): Uint8Array {
  const pages = size / 65536;
  return new Uint8Array(new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }).buffer);
}

let folder: string | undefined;
let files = 0;

/** Path of a new file with these bytes (or this many zeros), removed at exit. */
export function file(content: Uint8Array | number, parent = tmpdir()): string {
  if (folder === undefined || !folder.startsWith(parent)) {
    const made = mkdtempSync(join(parent, 'pmseg-native-'));
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    folder = made;
  }
  const path = join(folder, String(files++));
  writeFileSync(path, typeof content === 'number' ? new Uint8Array(content) : content);
  return path;
}

/** Is this a folder on tmpfs? */
export function isTmpfs(path: string): boolean {
  try {
    return statfsSync(path).type === 0x01021994;
  } catch {
    return false;
  }
}

/** A test of the page cache's own doings, which a file system that is nothing but page cache does not have. */
export function onDisk(test: Suite, title: string, body: () => unknown): void {
  if (isTmpfs(tmpdir())) test.skip(title, `${tmpdir()} is tmpfs; set TMPDIR to a folder on a disk`);
  else test(title, body);
}

export interface ChildEnd {
  signal: string | null;
  status: number | null;
  stderr: string;
  /** The object that it printed. */
  said: Record<string, unknown>;
}

/** Runs a scenario of child.ts in a process of its own. */
export function child(scenario: string, ...args: string[]): ChildEnd {
  return childWith({}, scenario, ...args);
}

/** The same, with more in its environment. */
export function childWith(env: Record<string, string>, scenario: string, ...args: string[]): ChildEnd {
  const script = fileURLToPath(new URL('child.js', import.meta.url));
  const options = { encoding: 'utf8', timeout: 60_000, env: { ...process.env, ...env } } as const;
  const { signal, status, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', script, scenario, ...args], options);
  let said: Record<string, unknown> = {};
  try {
    said = JSON.parse(stdout) as Record<string, unknown>;
  } catch {
    // A process that died has said nothing; the caller looks at the signal.
  }
  return { signal, status, stderr, said };
}

/** What a scenario said that must neither die nor throw. */
export function survivor(scenario: string, ...args: string[]): Record<string, unknown> {
  const { signal, status, said, stderr } = child(scenario, ...args);
  if (signal !== null || status !== 0) throw new Error(`${scenario}: signal ${signal}, status ${status}\n${stderr}`);
  return said;
}

/** Some bytes that no neighbour has. */
export function pattern(len: number, salt = 0): Uint8Array {
  return Uint8Array.from({ length: len }, (_, i) => (i * 31 + (i >> 8) * 7 + salt * 13 + 1) & 0xff || 1);
}

/** Builds foreign.c; the reason if that is impossible here. */
export function buildForeign(): { addon: string } | string {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'pmseg-foreign-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const addon = join(folder, 'foreign.node');
  const { include_dir: include } = createRequire(import.meta.url)('node-api-headers') as { include_dir: string };
  const [command = 'cc', ...args] = (process.env['CC'] ?? 'cc').split(/\s+/);
  const { status, stderr } = spawnSync(
    command,
    [
      ...args,
      ...'-std=c11 -O1 -fPIC -shared -D_GNU_SOURCE -DNAPI_VERSION=8'.split(' '),
      '-I',
      include,
      join(root, 'tests/native/foreign.c'),
      '-o',
      addon,
    ],
    { encoding: 'utf8' },
  );
  return status === 0 ? { addon } : `foreign.c does not build: ${stderr ?? 'no compiler'}`;
}
