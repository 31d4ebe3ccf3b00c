/** Other runtimes: a file that is cut under the map, through the built package. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../kit/pools.js';

const script = fileURLToPath(new URL('runtime.js', import.meta.url));

/** Runs runtime.js by a command; fails unless it lived and told the truth. */
export function livesIn(command: string, args: readonly string[]): void {
  const { status, signal, stdout, stderr } = spawnSync(command, [...args, script, temporaryFolder()], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal([status, signal], [0, null], `${stdout}\n${stderr}`);
  const lost = 'ERR_PMSEG_MEDIA';
  assert.equal(
    JSON.parse(stdout),
    { mode: 'file', before: 7, after: { lost: 0, kept: 7 }, codes: [lost, lost, lost, lost, null] },
    `${command}: ${stdout}`,
  );
}

/** How each runtime runs a script with all permissions. */
export const RUNTIMES: readonly { name: string; args: readonly string[] }[] = [
  { name: 'deno', args: ['run', '-A'] },
  { name: 'bun', args: ['run'] },
];

/** Whether a command can be run. */
export const exists = (command: string): boolean => spawnSync(command, ['--version']).status === 0;
