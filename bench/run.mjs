/**
 * npm run bench [-- [WORD…] [--quick] [--no-peers] [--charts] [--dir DIR]…]: runs the benchmarks of this folder, one process each.
 *
 * What is always true
 *   - A benchmark is a file bench/*.mjs that prints tables and writes bench/out/NAME.json; whatever helps them lies in bench/kit.
 *   - What they compare with is installed here and nowhere else, and its absence is said, not fatal.
 *   - Only --charts touches a file that is under version control: docs/bench/*.svg.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { drawCharts } from './kit/chart.mjs';

const folder = import.meta.dirname ?? dirname(new URL(import.meta.url).pathname);
const args = process.argv.slice(2);
const words = [];
const passed = [];
for (let i = 0; i < args.length; i++) {
  if (args[i] === '--charts') continue;
  if (args[i].startsWith('--')) passed.push(args[i], ...(args[i] === '--dir' || args[i] === '--out' ? [args[++i]] : []));
  else words.push(args[i]);
}
const quick = passed.includes('--quick');
if (quick && !passed.includes('--no-peers')) passed.push('--no-peers');

if (!existsSync(join(folder, '../dist/src/index.js'))) {
  console.error('bench: nothing is built; run `npm ci` or `npm run build`');
  process.exit(2);
}
if (!passed.includes('--no-peers') && !installPeers()) passed.push('--no-peers');

const files = readdirSync(folder)
  .filter((name) => name.endsWith('.mjs') && name !== 'run.mjs')
  .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
  .sort();
const failed = files.filter((name) => {
  console.log(`\n=== ${name}`);
  const { status, signal } = spawnSync(process.execPath, ['--expose-gc', join(folder, name), ...passed], { stdio: 'inherit' });
  if (status !== 0) console.error(`bench: ${name} failed (exit status ${status}, signal ${signal})`);
  return status !== 0;
});
if (args.includes('--charts')) drawCharts();
console.log(`\n${files.length - failed.length} benchmarks done, ${failed.length} failed`);
process.exit(failed.length > 0 || files.length === 0 ? 1 : 0);

/** Installs bench/package.json as locked, once per lock file; false, and said, where that cannot be. */
function installPeers() {
  const marker = join(folder, 'node_modules/.package-lock.json');
  const wanted = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).dependencies;
  const have = (name) => {
    const manifest = join(folder, 'node_modules', name, 'package.json');
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).version === wanted[name];
  };
  const npm = (...rest) => spawnSync('npm', rest, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
  if (!existsSync(marker) || !Object.keys(wanted).every(have)) {
    console.log('=== npm ci in bench/');
    if (!npm('ci', '--no-audit', '--no-fund', '--ignore-scripts')) {
      console.error('SKIP all peers: npm ci in bench/ failed');
      return false;
    }
  }
  // The others bring binaries. Its own script looks for one on the network first; headers lie beside node where there are any.
  if (!existsSync(join(folder, 'node_modules/better-sqlite3/build/Release/better_sqlite3.node'))) {
    const prefix = join(process.execPath, '../..');
    const headers = existsSync(join(prefix, 'include/node')) ? [`--nodedir=${prefix}`] : [];
    if (!npm('run', 'build-sqlite', '--', ...headers)) console.error('SKIP better-sqlite3: it could not be compiled');
  }
  return true;
}
