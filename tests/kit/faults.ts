/**
 * Calls of the shim and of node:fs that can be made to fail. Import this before anything of src/: it puts itself in the shim's place.
 *
 * What is always true
 *   - Nothing fails, and nothing is counted, unless `arm` was called; then every call counts, and those that the plan names fail.
 *   - A call that fails does nothing, but for those that Linux carries out whatever they return (close, munmap): they have done their work.
 */
import fs from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Native } from '../../src/native.js';

/** What fails, and how. */
export interface Plan {
  /** Number of the call that fails, from 1. */
  n: number;
  /** Name of an errno; `half`: half the bytes of a transfer, and only transfers are counted. */
  errno: 'EIO' | 'ENOSPC' | 'EINTR' | 'ENOMEM' | 'EMFILE' | 'half';
  /** `once`; `same`: from then on every call of that function; `all`: from then on every call. */
  how: 'once' | 'same' | 'all';
}

export interface Call {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** Calls after a plan's first failure that mean that somebody tries again for ever. */
const CALLS_MAX = 100_000;
const DONE_ANYWAY = new Set(['native.close', 'native.unmap', 'native.unlock', 'fs.closeSync']);
const TRANSFERS = new Set([
  ...['pread', 'pwrite', 'pwritev', 'pwritevAsync'].map((name) => `native.${name}`),
  ...['readSync', 'writeSync', 'writevSync'].map((name) => `fs.${name}`),
]);

/** Whether a call of the list moves bytes. */
export function isTransfer(call: string): boolean {
  return TRANSFERS.has(call.slice(call.lastIndexOf(' ') + 1));
}

const real = { ...fs };
let plan: Plan | undefined;
let calls: string[] = [];
let failed: Call[] = [];
let where = '';

/** Begins to count, and to fail as the plan says. */
export function arm(next: Plan): void {
  [plan, calls, failed] = [next, [], []];
}

/** Back to normal: the calls that were counted, each with the label of its time, and those of them that failed. */
export function disarm(): { calls: string[]; failed: Call[] } {
  plan = undefined;
  return { calls, failed };
}

/** Names what is being done, for the list of calls. */
export function label(text: string): void {
  where = text;
}

/** The calls that have failed so far. */
export function failures(): readonly Call[] {
  return failed;
}

/** Whether this call fails. */
function hit(name: string, args: readonly unknown[]): boolean {
  if (!plan || (plan.errno === 'half' && !TRANSFERS.has(name))) return false;
  calls.push(`${where}: ${name}`);
  if (calls.length > CALLS_MAX) throw new Error(`${name} is called for ever after ${failed[0]?.name} failed`);
  const [first] = failed;
  const fails = first ? plan.how === 'all' || (plan.how === 'same' && first.name === name) : calls.length === plan.n;
  if (fails) failed.push({ name, args });
  return fails;
}

const errnoOf = (): number => constants.errno[plan?.errno as 'EIO'];

/** The first half of some views. */
function half(views: readonly Uint8Array[]): Uint8Array[] {
  let left = Math.max(1, Math.floor(views.reduce((sum, view) => sum + view.byteLength, 0) / 2));
  const parts: Uint8Array[] = [];
  for (const view of views) {
    parts.push(view.subarray(0, Math.min(left, view.byteLength)));
    left -= (parts.at(-1) as Uint8Array).byteLength;
    if (left === 0) break;
  }
  return parts;
}

/** Arguments of a transfer for half of its bytes. */
function shortened(name: string, args: unknown[]): unknown[] {
  const short = [...args];
  if (/writev/.test(name)) short[1] = half(args[1] as Uint8Array[]);
  else short[3] = Math.max(1, Math.floor((args[3] as number) / 2));
  return short;
}

type Callable = (...args: never[]) => unknown;

function wrap(name: string, call: Callable, fail: (args: readonly unknown[]) => unknown): Callable {
  const inner = call as (...args: unknown[]) => unknown;
  return (...args: unknown[]) => {
    if (!hit(name, args)) return inner(...args);
    if (plan?.errno === 'half') return inner(...shortened(name, args));
    if (DONE_ANYWAY.has(name)) inner(...args);
    return fail(args);
  };
}

/** The real shim with every function wrapped; `undefined` where there is none. */
function wrapNative(): Native | undefined {
  const wanted =
    process.env['PMSEG_NATIVE'] || fileURLToPath(new URL(`../../pmseg-${process.platform}-${process.arch}.node`, import.meta.url));
  if (wanted === 'off' || !real.existsSync(wanted)) return undefined;
  const addon = createRequire(import.meta.url)(wanted) as Record<string, Callable>;
  const names = Object.getOwnPropertyNames(addon);
  return Object.fromEntries(
    names.map((name) => {
      const answer = name.endsWith('Async') ? () => Promise.resolve(-errnoOf()) : () => -errnoOf();
      return [name, name === 'abi' ? addon[name] : wrap(`native.${name}`, addon[name] as Callable, answer)];
    }),
  ) as unknown as Native;
}

function planted(name: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${plan?.errno}: planted, ${name}`), { errno: -errnoOf(), code: plan?.errno, syscall: name });
}

/** Every function of node:fs that src/ calls, and those that they call in turn. */
function wrapFs(): void {
  const names = ['openSync', 'closeSync', 'readSync', 'writeSync', 'writevSync', 'fstatSync', 'fsyncSync', 'fdatasyncSync'] as const;
  const more = [
    'ftruncateSync',
    'linkSync',
    'unlinkSync',
    'readFileSync',
    'writeFileSync',
    'readlinkSync',
    'realpathSync',
    'rmSync',
  ] as const;
  for (const name of [...names, ...more]) {
    const throwing = (): never => {
      throw planted(name);
    };
    Object.assign(fs, { [name]: Object.assign(wrap(`fs.${name}`, real[name] as Callable, throwing), real[name]) });
  }
  const answering = (args: readonly unknown[]): void => process.nextTick(args[1] as fs.NoParamCallback, planted('fdatasync'));
  Object.assign(fs, { fdatasync: wrap('fs.fdatasync', real.fdatasync as Callable, answering) });
  syncBuiltinESMExports();
}

/** Puts the wrapped shim where src/native.ts looks for another build. */
export function install(folder: string): void {
  const shim = wrapNative();
  const door = join(folder, 'shim.cjs');
  const key = Symbol.for('pmseg.test.shim');
  (globalThis as Record<symbol, unknown>)[key] = shim;
  real.writeFileSync(door, "module.exports = globalThis[Symbol.for('pmseg.test.shim')];\n");
  if (shim) process.env['PMSEG_NATIVE'] = door;
  wrapFs();
}
