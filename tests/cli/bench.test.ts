/**
 * Goal: `pmseg bench` says what to expect of a file system, in whatever mode, touches no pool and leaves nothing behind, killed or not.
 * Method: run it beside a pool, look at every figure and at the folder afterwards. No time is judged.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { Pool } from '../../src/index.js';
import { MIB, sizeFor, temporaryFolder } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const test = suite('cli bench');
const folder = temporaryFolder('/tmp');
const path = join(folder, 'a.pmseg');
Pool.create(path, { size: sizeFor(2), segmentSize: MIB }).close();

const run = (args: readonly string[], env: Record<string, string> = {}): { status: number | null; out: string; err: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'bench', ...args], {
    encoding: 'utf8',
    env: { ...process.env, PMSEG_FORCE_GRANULARITY: '', ...env },
  });
  return { status, out: stdout, err: stderr };
};

for (const [mode, env] of [
  ['the best there is', {}],
  ['copy', { PMSEG_NATIVE: 'off' }],
] as const) {
  test(`beside a pool, in ${mode} mode: figures as JSON, and nothing changed`, () => {
    const [before, { mtimeMs }] = [readFileSync(path), statSync(path)];
    const { status, out, err } = run([path, '--json', '--seconds', '0.02'], env);
    assert.is(status, 0, err);
    assert.is(err, '');
    const result = JSON.parse(out) as Record<string, unknown>;
    assert.is(result['path'], folder);
    assert.is(result['granularity'], 'page');
    if (mode === 'copy') assert.is(result['mode'], 'copy');
    for (const key of ['append', 'plainWrite', 'firstWrite', 'barrier']) {
      const { count, p50Us, p99Us } = result[key] as Record<string, number>;
      assert.ok(count !== undefined && p50Us !== undefined && p99Us !== undefined && count >= 8 && p50Us > 0 && p99Us >= p50Us, key);
    }
    for (const key of ['groupPerSecond', 'copyGBPerSecond', 'crcGBPerSecond']) assert.ok((result[key] as number) > 0, key);
    assert.equal(readFileSync(path), before);
    assert.is(statSync(path).mtimeMs, mtimeMs);
    assert.equal(readdirSync(folder), ['a.pmseg']);
  });
}

test('in a folder: lines for people', () => {
  const { status, out } = run([folder, '--seconds', '0.01']);
  assert.is(status, 0);
  for (const word of ['where', 'mode', 'guarantee', 'append', 'plain write', 'first write', 'group', 'barrier', 'copy', 'CRC-32C'])
    assert.match(out, new RegExp(`^${word}\\s+\\S`, 'm'));
});

test('bad usage is exit status 2 and one line', () => {
  for (const args of [[join(folder, 'missing')], [folder, '--seconds', '0'], [folder, '--seconds', 'x'], [folder, '--mode', 'warp'], []]) {
    const { status, out, err } = run(args);
    assert.is(status, 2, args.join(' '));
    assert.is(out, '');
    assert.match(err, /^pmseg: .*\n$/);
  }
  assert.equal(readdirSync(folder), ['a.pmseg']);
});

test('a signal ends it, and nothing is left behind', async () => {
  const here = join(folder, 'here');
  mkdirSync(here);
  const child = spawn(process.execPath, [MAIN, 'bench', here, '--seconds', '60'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  while (!readdirSync(here).some((name) => name.startsWith('.pmseg-bench-'))) await wait(20);
  child.kill('SIGTERM');
  await Promise.race([ended, wait(5000)]);
  const heard = child.exitCode !== null || child.signalCode !== null;
  if (!heard) child.kill('SIGKILL');
  await ended;
  assert.is(child.signalCode, 'SIGTERM');
  assert.equal(readdirSync(here), []);
});
