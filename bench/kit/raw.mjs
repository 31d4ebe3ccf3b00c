/** The C programs of bench/native, built where there is a compiler. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { OUT, ROOT } from './places.mjs';

/** Builds a C program of bench/native; its path, or `undefined` with the reason in the report. */
export function buildC(report, name, flags = []) {
  mkdirSync(OUT, { recursive: true });
  const path = join(OUT, name);
  const { status, stderr, error } = spawnSync(
    'cc',
    ['-O2', '-Wall', '-Wextra', '-o', path, join(ROOT, 'bench/native', `${name}.c`), ...flags],
    {
      encoding: 'utf8',
    },
  );
  if (status === 0) return path;
  report.skip(`${name}.c`, error?.message ?? stderr.split('\n')[0]);
  return undefined;
}

/** Runs raw.c: nanoseconds of each write. */
export function rawWrites(program, { path, size, length, stride, first, count, how }) {
  const { status, stdout } = spawnSync(program, [path, size, length, stride, first, count, how].map(String), {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`raw ${path}: exit status ${status}`);
  return Float64Array.from(stdout.trim().split('\n'), Number);
}
