/**
 * Goal: Deno and Bun, which have signal handlers of their own, live with a lost page as node does.
 * Method: both are installed from the registry into a temporary folder, without running any script of theirs, and run the built package.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { native, nativeUnavailable } from '../../src/native.js';
import { temporaryFolder } from '../kit/pools.js';
import { suite } from '../kit/suite.js';
import { RUNTIMES, exists, livesIn } from './runtimes.js';

const test = suite('lost pages in other runtimes, installed');

/** Package, and where its program is, by runtime. */
const PACKAGES: Record<string, [string, string]> = {
  deno: ['@deno/linux-x64-glibc@2.9.6', '@deno/linux-x64-glibc/deno'],
  bun: ['@oven/bun-linux-x64@1.4.4', '@oven/bun-linux-x64/bin/bun'],
};

if (native) {
  for (const { name, args } of RUNTIMES) {
    const folder = temporaryFolder();
    const [wanted, place] = PACKAGES[name] as [string, string];
    writeFileSync(join(folder, 'package.json'), '{"private":true}');
    const { status, stderr } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', wanted], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 300_000,
    });
    const program = join(folder, 'node_modules', place);
    if (status !== 0) test.skip(name, `npm cannot install ${wanted}: ${stderr.trim().split('\n')[0]}`);
    else if (!existsSync(program) || !exists(program)) test.skip(name, `${wanted} does not run here`);
    else test(name, () => livesIn(program, args));
  }
} else test.skip('lost pages in other runtimes', `no native shim: ${nativeUnavailable}`);
