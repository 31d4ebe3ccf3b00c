/**
 * Holds mutants against the suite: each in a copy of the built tree, the test files one after the other until one fails.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { temporaryFolder } from '../kit/pools.js';
import { ROOT } from '../kit/playground.js';
import type { Mutant } from './mutants.js';

/** What sees barriers, the quickest to fail first. */
export const JUDGES = [
  'host/slots.test.js',
  'host/create.test.js',
  'host/poolfile.test.js',
  'crash/crash.test.js',
  'crash/media.test.js',
  'host/log.crash.test.js',
  'host/slots.crash.test.js',
  'host/object.test.js',
  'host/log.test.js',
  'host/medium.test.js',
  'host/media.fault.test.js',
  'failures/reopen.test.js',
  'faults/stories.test.js',
  'failures/nth.test.js',
] as const;

/** A mutant that makes a test wait for ever has been seen as well. */
const SECONDS_MAX = 180;

export interface Verdict {
  readonly mutant: Mutant;
  /** The test file that failed; `undefined`: the mutant survived. */
  readonly killedBy: string | undefined;
}

/** Whether a test file fails in a tree; it is stopped at the first sign of it. */
function fails(tree: string, judge: string, seed: string): Promise<boolean> {
  return new Promise((resolve) => {
    const file = join(tree, 'dist', 'tests', judge);
    const child = spawn(process.execPath, ['--expose-gc', file], {
      cwd: tree,
      env: { ...process.env, SEED: seed },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), SECONDS_MAX * 1000);
    child.stdout.on('data', (bytes: Buffer) => {
      if (bytes.includes('✘')) child.kill('SIGKILL');
    });
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve(status !== 0);
    });
  });
}

function makeTree(folder: string): string {
  mkdirSync(folder);
  cpSync(join(ROOT, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
  for (const name of ['node_modules', 'docs', 'README.md']) symlinkSync(join(ROOT, name), join(folder, name));
  return folder;
}

/** Judges mutants, as many at a time as there are cores. `onVerdict` is told each as it comes. */
export async function judge(
  mutants: readonly Mutant[],
  judges: readonly string[],
  seed: string,
  onVerdict?: (verdict: Verdict) => void,
): Promise<Verdict[]> {
  const folder = temporaryFolder();
  const queue = [...mutants];
  const verdicts: Verdict[] = [];
  const work = async (index: number): Promise<void> => {
    const tree = makeTree(join(folder, String(index)));
    for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
      const path = join(tree, 'dist', 'src', mutant.file);
      const original = readFileSync(path);
      writeFileSync(path, mutant.source);
      let killedBy: string | undefined;
      for (const name of judges) {
        if (!(await fails(tree, name, seed))) continue;
        killedBy = name;
        break;
      }
      writeFileSync(path, original);
      const verdict = { mutant, killedBy };
      verdicts.push(verdict);
      onVerdict?.(verdict);
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, (_, index) => work(index)));
  return verdicts;
}
