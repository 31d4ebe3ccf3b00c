/**
 * The short form of the benchmarks for CI: ratios inside one run, so coarse that no noise turns them, of fastest calls, and the best of three tries.
 *
 *   node scripts/bench-ci.mjs
 *
 * What is always true
 *   - A limit leaves at least a factor of five to what a quiet machine shows (bench/RESULTS.md): only a lost mechanism crosses it, such as group
 *     commit that no longer groups or a copy that runs byte by byte, not a slow hour.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from '../dist/src/index.js';

const MIB = 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), 'pmseg-bench-ci-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const record = Buffer.alloc(4096, 7);
const pool = Pool.create(join(folder, 'pool'), { size: 98 * MIB + 4096 });
const segment = pool.allocate();
for (let off = 0; off + MIB <= segment.dataSize; off += MIB) segment.write(Buffer.alloc(MIB, 1), off);
segment.persist();
const log = pool.log('log', { create: true });
const bio = segment.bio(MIB);
const fd = openSync(join(folder, 'file'), 'w+');
writeSync(fd, Buffer.alloc(4 * MIB, 1));
fdatasyncSync(fd);

/** Milliseconds of the fastest of some calls: the one that had the machine to itself. */
function fastestOf(count, call) {
  const times = Array.from({ length: count }, (_, i) => {
    const begin = performance.now();
    call(i);
    return performance.now() - begin;
  });
  return Math.min(...times);
}

async function groupGain() {
  const begin = performance.now();
  for (let i = 0; i < 64; i++) await log.appendDurable(record);
  const serial = performance.now() - begin;
  const again = performance.now();
  for (let round = 0; round < 4; round++) await Promise.all(Array.from({ length: 64 }, () => log.appendDurable(record)));
  return (4 * serial) / (performance.now() - again);
}

function serialCost() {
  const plain = fastestOf(100, (i) => {
    writeSync(fd, record, 0, record.length, i * 4096);
    fdatasyncSync(fd);
  });
  return fastestOf(100, (i) => segment.copyFromBio(i * 4096, 4096, bio, 0, { persist: true })) / plain;
}

const copyGBPerSecond = () => MIB / 1e6 / fastestOf(100, () => segment.copyToBio(0, MIB, bio));
const crcGBPerSecond = () => MIB / 1e6 / fastestOf(50, () => segment.crc32c(0, MIB));
const memcpyGBPerSecond = () => {
  const [from, to] = [Buffer.alloc(MIB, 1), Buffer.alloc(MIB)];
  return MIB / 1e6 / fastestOf(100, () => from.copy(to));
};

/** [what, measure, least or most, limit] */
const LIMITS = [
  ['64 callers of appendDurable ÷ one after the other', groupGain, 'least', 4],
  ['durable copyFromBio of 4 KiB ÷ write + fdatasync', serialCost, 'most', 5],
  ['copyToBio of 1 MiB ÷ Buffer.copy', () => copyGBPerSecond() / memcpyGBPerSecond(), 'least', 0.15],
  ['CRC-32C of 1 MiB ÷ Buffer.copy', () => crcGBPerSecond() / memcpyGBPerSecond(), 'least', 0.005],
];

let failed = 0;
for (const [what, measure, kind, limit] of LIMITS) {
  const tries = [];
  const fine = (value) => (kind === 'least' ? value >= limit : value <= limit);
  while (tries.length < 3 && !tries.some(fine)) tries.push(await measure());
  const good = tries.some(fine);
  if (!good) failed++;
  console.log(`${good ? 'ok  ' : 'FAIL'} ${what}: ${tries.map((value) => value.toFixed(2)).join(', ')} (at ${kind} ${limit})`);
}
bio.release();
pool.close();
closeSync(fd);
process.exit(failed > 0 ? 1 : 0);
