/** The shim built with ASan and UBSan, for whole test files and scenarios to run on. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));

function library(name: string): string | undefined {
  const [command = 'cc', ...args] = (process.env['CC'] ?? 'cc').split(/\s+/);
  const path = spawnSync(command, [...args, `-print-file-name=${name}`], { encoding: 'utf8' }).stdout?.trim();
  return path && isAbsolute(path) ? path : undefined;
}

/** What a process needs in its environment to run on that build, or why there is none here. */
export function sanitizedEnv(): Record<string, string> | string {
  const libraries = ['libasan.so', 'libubsan.so'].map(library);
  if (libraries.includes(undefined)) return 'the compiler has no libasan.so and libubsan.so';
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'scripts/build-native.mjs'), '--sanitize'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the build with sanitizers failed: ${stderr}`);
  const env = {
    PMSEG_NATIVE: join(root, 'out', `pmseg-${process.platform}-${process.arch}-sanitize.node`),
    LD_PRELOAD: libraries.join(' '),
    // SIGBUS and SIGSEGV belong to those who are tested; what node never gives back is no leak of ours.
    ASAN_OPTIONS: 'handle_sigbus=0:handle_segv=0:detect_leaks=0',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  };
  const probe = `
    import(${JSON.stringify(new URL('../../src/native.js', import.meta.url).href)}).then(({ native }) =>
      console.log(native.abi() > 0 && require('node:fs').readFileSync('/proc/self/maps', 'utf8')));`;
  const maps = spawnSync(process.execPath, ['-e', probe], { encoding: 'utf8', env: { ...process.env, ...env } }).stdout;
  if (!maps.includes('libasan') || !maps.includes('-sanitize.node')) throw new Error(`the sanitizers are not in the process:\n${maps}`);
  return env;
}

/** Runs a test file on that build; how many of its tests passed. */
export function runSanitized(file: string, env: Record<string, string>): number {
  const path = join(root, 'dist', 'tests', file);
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', path], {
    encoding: 'utf8',
    timeout: 600_000,
    env: { ...process.env, ...env },
  });
  if (status !== 0 || signal !== null || /AddressSanitizer|runtime error/.test(stdout + stderr))
    throw new Error(`${file}: signal ${signal}, status ${status}\n${stdout}\n${stderr}`);
  const [, passed, skipped] = /Passed:\s+(\d+)\s+Skipped:\s+(\d+)/.exec(stdout.replace(/\x1b\[[0-9;]*m/g, '')) ?? [];
  if (Number(passed) + Number(skipped) < 1) throw new Error(`${file} ran nothing, of ${readFileSync(path).byteLength} bytes`);
  return Number(passed);
}
