/**
 * Copies between a segment and bios, beside Buffer.copy of the same bytes: what the host adds to a memcpy, and where a store becomes durable.
 *
 * What is always true
 *   - The pool is in memory (tmpfs where there is one) with forced cache-line granularity, so that no system call moves the bytes.
 *   - `copyFromBio` is durable on return: its figure includes flush, fence and the checks of a barrier.
 *   - Contenders take turns; a sample is the mean of a batch of calls, a figure the median of the rounds.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Report, options } from './kit/report.mjs';
import { ratio, takeTurns } from './kit/measure.mjs';

process.env['PMSEG_FORCE_GRANULARITY'] = 'cache-line';
const { Bio, Pool } = await import('../dist/src/index.js');
const { native, nativeUnavailable } = await import('../dist/src/native.js');

const MIB = 2 ** 20;
const SIZES = options.quick ? [64, 65536] : [64, 512, 4096, 16384, 65536, MIB];
const ROUNDS = options.quick ? 2 : 15;
const BATCH_NS = options.quick ? 2e5 : 4e6;

const report = new Report('copy');
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'pmseg-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
if (!native) report.skip('dax mode', nativeUnavailable);
const pool = Pool.create(join(folder, 'pool'), { size: 64 * MIB, mode: native ? 'dax' : 'copy' });
const segment = pool.allocate();

/** Means of five batches of calls, nanoseconds a call. */
function batches(call) {
  const timed = (count) => {
    const begin = performance.now();
    for (let i = 0; i < count; i++) call();
    return ((performance.now() - begin) * 1e6) / count;
  };
  const count = Math.max(4, Math.round(BATCH_NS / 5 / timed(8)));
  return Array.from({ length: 5 }, () => timed(count));
}

const rows = [];
const ratios = [];
for (const size of SIZES) {
  segment.write(Buffer.alloc(size, 1), 0);
  const arena = segment.bio(size);
  const elsewhere = Bio.from(Buffer.alloc(size));
  const [from, to] = [Buffer.alloc(size, 1), Buffer.alloc(size)];
  const calls = {
    'Buffer.copy': () => from.copy(to),
    'copyToBio, arena': () => segment.copyToBio(0, size, arena),
    'copyToBio, Buffer': () => segment.copyToBio(0, size, elsewhere),
    'copyFromBio, arena': () => segment.copyFromBio(0, size, arena),
    'copyFromBio, Buffer': () => segment.copyFromBio(0, size, elsewhere),
  };
  const taken = await takeTurns(
    Object.entries(calls).map(([name, call]) => ({ name, run: () => batches(call) })),
    ROUNDS,
  );
  const plain = taken.get('Buffer.copy').rounds;
  rows.push({
    bytes: size,
    ...Object.fromEntries(
      [...taken].map(([name, { rounds }]) => [
        `${name}, ns`,
        ratio(
          rounds,
          rounds.map(() => 1),
        ),
      ]),
    ),
  });
  ratios.push({ bytes: size, ...Object.fromEntries([...taken].slice(1).map(([name, { rounds }]) => [name, ratio(rounds, plain)])) });
  arena.release();
}
report.table('ns a call', rows);
report.table('÷ Buffer.copy', ratios);
const large = ratios.filter(({ bytes }) => bytes >= 4096);
report.goal('copyToBio of 64 B, arena, ns', rows[0]['copyToBio, arena, ns'], { most: 25 });
report.goal('copyToBio, arena ÷ Buffer.copy, most from 4 KiB up', Math.max(...large.map((row) => row['copyToBio, arena'])), { most: 1.1 });
report.goal('copyToBio, Buffer ÷ Buffer.copy, most from 4 KiB up', Math.max(...large.map((row) => row['copyToBio, Buffer'])), {
  most: 1.3,
});
pool.close();
report.write();
