/**
 * Runs the whole test suite under other lines of Node, each taken from the npm registry into a folder of its own.
 *
 *   node scripts/test-nodes.mjs [VERSION…] [WORD…]      default: one version of each line that is supported besides the running one
 *
 * WORDs choose test files, as in scripts/test.mjs.
 * A version that cannot be had here is skipped, by name, and counted; any failed suite fails the run.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const VERSIONS = ['20.20.2', '22.23.3', '24.21.0', '26.10.0'];
const lineOf = (version) => version.split('.')[0];
const isVersion = (word) => /^\d+\.\d+\.\d+$/.test(word);
const wanted = process.argv.slice(2).filter(isVersion);
const words = process.argv.slice(2).filter((word) => !isVersion(word));
const versions = wanted.length > 0 ? wanted : VERSIONS.filter((version) => lineOf(version) !== lineOf(process.versions.node));

/** Path of a node binary of that version, or why there is none. */
function nodeOf(version) {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(tmpdir(), `pmseg-${name}-${version}`);
  const binary = join(folder, 'node_modules', name, 'bin', 'node');
  if (existsSync(binary)) return { binary };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  const { status, stderr } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${version}`], {
    cwd: folder,
    encoding: 'utf8',
  });
  return status === 0 && existsSync(binary) ? { binary } : { why: (stderr ?? 'npm cannot be run').trim().split('\n')[0] };
}

const sum = { passed: 0, failed: 0, skipped: 0 };
for (const version of versions) {
  const { binary, why } = nodeOf(version);
  if (!binary) {
    sum.skipped++;
    console.log(`SKIP Node ${version}: ${why}`);
    continue;
  }
  const { status, stdout } = spawnSync(binary, [join(root, 'scripts', 'test.mjs'), ...words], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const last = stdout.trim().split('\n').at(-1) ?? '';
  const [, passed = 0, failed = 0, skipped = 0] = (/^(\d+) passed, (\d+) failed, (\d+) skipped$/.exec(last) ?? []).map(Number);
  console.log(`Node ${version}: ${last}`);
  if (status !== 0) console.log(stdout);
  sum.passed += passed;
  sum.failed += failed + (status !== 0 && failed === 0 ? 1 : 0);
  sum.skipped += skipped;
}
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exit(sum.failed > 0 ? 1 : 0);
