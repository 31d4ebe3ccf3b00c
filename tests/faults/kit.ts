/**
 * What the test files of this folder share: scenarios of child.ts in processes that may die, and the worlds that this machine offers.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MIB, temporaryFolder } from '../kit/pools.js';
import { mountDisk, mountRefusal, mountTmpfs, type Mount } from '../kit/mounts.js';
import type { Suite } from '../kit/suite.js';
import { buildForeign, isTmpfs } from '../native/kit.js';

const child = fileURLToPath(new URL('child.js', import.meta.url));
const shm = '/dev/shm';
/** Where a barrier costs nothing, if there is such a place; and where it costs what it costs. */
const memory = temporaryFolder(isTmpfs(shm) ? shm : undefined);
const folder = temporaryFolder();
const foreign = buildForeign();
let number = 0;

/** Steps that held, over all scenarios of this process. */
export const sum = { steps: 0, scenarios: 0 };

/** Runs a scenario; throws if its process died or anything did not hold. */
export function survive(scenario: string, world: string, path: string, env: Record<string, string> = {}): Record<string, unknown> {
  const addon = typeof foreign === 'string' ? '' : foreign.addon;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', child, scenario, world, path, addon], {
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, ...env },
  });
  if (status !== 0 || signal !== null) throw new Error(`${scenario} in ${world}: signal ${signal}, status ${status}\n${stderr}`);
  const said = JSON.parse(stdout) as Record<string, unknown>;
  sum.steps += said['steps'] as number;
  sum.scenarios++;
  if (world === 'truncatedHuge') console.log(`\nNOTE ${String(said['hugeKib'])} KiB were mapped in pages of 2 MiB`);
  return said;
}

/** File mode, and byte-addressable stores where there is no such memory: both reach the same pages. */
const MODES: Record<string, Record<string, string>> = { file: {}, dax: { PMSEG_FORCE_GRANULARITY: 'cache-line' } };

const refusal = mountRefusal();

/** Why pages cannot be poisoned here. */
function poisonRefusal(): string | undefined {
  if (typeof foreign === 'string') return foreign;
  if (!isTmpfs(shm)) return `${shm} is no tmpfs`;
  try {
    survive('stranger', 'poisoned', join(temporaryFolder(shm), 'pool'));
    return undefined;
  } catch (error) {
    const message = (error as Error).message;
    if (!message.includes('no poison here')) throw error;
    return `this kernel simulates no poison: ${/step \d/.exec(message)?.[0]}`;
  }
}

interface Place {
  /** Why it is not to be had here. */
  readonly refusal: string | undefined;
  /** A path for a pool, and what the child must know. */
  make(): { path: string; env: Record<string, string>; done(): void };
}

const plain = (parent: string) => (): ReturnType<Place['make']> => ({
  path: join(parent, `pool-${number++}`),
  env: {},
  done: () => undefined,
});

function mounted(mount: () => Mount & { backing?: string; device?: string }): Place {
  return {
    refusal,
    make: () => {
      const made = mount();
      const env = { PMSEG_TEST_BACKING: made.backing ?? '', PMSEG_TEST_DEVICE: made.device ?? '' };
      return { path: join(made.folder, 'pool'), env, done: made.release };
    },
  };
}

/** Why the kernel cannot be told that a page of RAM has failed. */
function failureRefusal(): string | undefined {
  if (refusal !== undefined) return 'telling the kernel that memory has failed needs root';
  return existsSync('/sys/devices/system/memory/soft_offline_page') ? undefined : 'this kernel has no memory failure handling';
}

const poison = poisonRefusal();

/** Where each world of world.ts can be had. */
export const places: Record<string, [world: string, place: Place]> = {
  'a file that shrinks': ['truncated', { refusal: undefined, make: plain(memory) }],
  'poisoned pages': ['poisoned', { refusal: poison, make: plain(memory) }],
  'a sparse pool on a full tmpfs of 64 KiB': ['full', mounted(() => mountTmpfs('size=64k'))],
  'a disk with an I/O error': ['broken', mounted(() => mountDisk(32 * MIB))],
  'a file that shrinks under pages of 2 MiB': ['truncatedHuge', mounted(() => mountTmpfs('size=64m,huge=always'))],
  'poison in pages of 2 MiB': ['poisoned', { ...mounted(() => mountTmpfs('size=64m,huge=always')), refusal: poison ?? refusal }],
};

/** For the long forms: slow, or pages of RAM that are lost until the next boot. */
const LONG: typeof places = {
  'a file on a disk that shrinks': ['truncated', { refusal: undefined, make: plain(folder) }],
  'memory that the kernel is told has failed': ['hwpoisoned', { refusal: failureRefusal(), make: plain(folder) }],
};

/**
 * One test for each of these scenarios in a place, in each of the modes; a skip that says why where it cannot be had.
 * @param more what else the processes have in their environment
 */
export function inPlace(
  test: Suite,
  title: string,
  scenarios: readonly string[],
  modes = ['file', 'dax'],
  more: Record<string, string> = {},
): void {
  const [world, place] = { ...places, ...LONG }[title] as [string, Place];
  for (const scenario of scenarios) {
    for (const mode of modes) {
      const name = `${title}, ${mode}: ${scenario}`;
      if (place.refusal !== undefined) {
        test.skip(name, place.refusal);
        continue;
      }
      test(name, () => {
        const { path, env, done } = place.make();
        try {
          survive(scenario, world, path, { ...MODES[mode], ...env, ...more });
        } finally {
          done();
        }
      });
    }
  }
}
