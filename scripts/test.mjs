/**
 * Runs the test files, each in a process of its own, and ends with one line `N passed, N failed, N skipped`.
 *
 *   node scripts/test.mjs [--slow] [WORD…]      WORD: only files whose path contains one of them; --slow: the *.slow.ts suites
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const slow = process.argv.includes('--slow');
const words = process.argv.slice(2).filter((arg) => arg !== '--slow');
const folder = join(root, 'dist', 'tests');
if (!existsSync(folder)) {
  console.error('test: nothing is built; run `npm run build`');
  process.exit(2);
}

const files = readdirSync(folder, { recursive: true })
  .filter((name) => name.endsWith(slow ? '.slow.js' : '.test.js'))
  .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
  .sort()
  .map((name) => join(folder, name));

const sum = { passed: 0, failed: 0, skipped: 0 };

/** Runs one file; uvu's closing lines are its result, and a file that runs no test at all has failed. */
function runFile(file) {
  return new Promise((resolve) => {
    const begin = performance.now();
    const child = spawn(process.execPath, ['--enable-source-maps', '--expose-gc', file], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (text += bytes));
    child.on('close', (status, signal) => {
      const plain = text.replace(/\x1b\[[0-9;]*m/g, '');
      const count = (word) => Number(new RegExp(`^\\s*${word}:\\s+(\\d+)`, 'm').exec(plain)?.[1] ?? NaN);
      const [total, passed, skips] = ['Total', 'Passed', 'Skipped'].map(count);
      const ran = Number.isInteger(total) && total + skips > 0;
      const failed = ran ? total - passed : 1;
      sum.passed += ran ? passed : 0;
      sum.skipped += ran ? skips : 0;
      const bad = failed > 0 || status !== 0;
      sum.failed += bad ? Math.max(failed, 1) : 0;
      const seconds = ((performance.now() - begin) / 1000).toFixed(1);
      console.log(
        `${bad ? 'FAIL' : 'ok  '} ${relative(folder, file)}  ${ran ? `${passed} passed` : 'ran no test'}${skips ? `, ${skips} skipped` : ''}  ${seconds} s`,
      );
      if (bad) console.log(`${text}\n(exit status ${status}, signal ${signal})`);
      // What a test says may stand behind the dots of the tests before it.
      else for (const [, said] of plain.matchAll(/(?:^|[^\w])((?:SKIP|SEED|NOTE) .*)$/gm)) console.log(`     ${said}`);
      resolve();
    });
  });
}

const queue = [...files];
await Promise.all(
  Array.from({ length: Math.min(2, availableParallelism()) }, async () => {
    for (let file = queue.shift(); file; file = queue.shift()) await runFile(file);
  }),
);
console.log(`${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exit(sum.failed > 0 || sum.passed === 0 ? 1 : 0);
