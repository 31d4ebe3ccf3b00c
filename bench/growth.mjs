/**
 * What grows with a pool and with a log, and what must not: opening and checking from 1 GiB to 16 TiB, appending and reading in logs of many records.
 *
 *   node bench/growth.mjs [--quick] [--dir DIR]…
 *
 * Each opening is a process of its own, so that memory is what it took and nothing else. Pools are sparse; a pool in use has every segment taken
 * (raw), so that all metadata is read. Opening a log recovers it: every record is read and its checksum computed.
 */
import { spawnSync } from 'node:child_process';
import { rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { allocateSegments } from '../dist/src/allocator.js';
import { Pool } from '../dist/src/index.js';
import { MIB, temporaryFolder } from './kit/files.mjs';
import { median, quantile, timeEach } from './kit/measure.mjs';
import { ROOT } from './kit/places.mjs';
import { Report, options, placeOf } from './kit/report.mjs';

const { quick } = options;
const GIB = 2 ** 30;
const TIB = 2 ** 40;
const POOLS = quick ? [GIB, 4 * GIB] : [GIB, 4 * GIB, 16 * GIB, 64 * GIB, 256 * GIB, TIB, 4 * TIB, 16 * TIB - 64 * MIB];
/** Segments in use cost 16 KiB of real blocks each: only up to here. */
const USED_MAX = quick ? GIB : TIB;
const RECORDS = quick ? [100, 1000] : [1e3, 1e4, 1e5, 1e6];
const RECORD_SIZE = 1024;
const REPEATS = quick ? 1 : 5;

const report = new Report('growth');

/** Opens a pool in a process of its own; milliseconds and MiB. */
const CHILD = `
  import { Pool, checkPool } from '${new URL('../dist/src/index.js', import.meta.url).href}';
  const [path, name] = process.argv.slice(1);
  const rss = () => process.memoryUsage.rss() / 2 ** 20;
  const before = rss();
  const timed = (call) => {
    const begin = performance.now();
    const result = call();
    return [result, performance.now() - begin];
  };
  const [pool, openMs] = timed(() => Pool.open(path));
  const openMib = rss() - before;
  const [log, logMs] = name ? timed(() => pool.log(name)) : [undefined, 0];
  const [, checkMs] = name ? [0, 0] : timed(() => checkPool(pool, { quick: true }));
  const [read, readMs] = log ? timed(() => { let sum = 0; for (const { data } of log.recordsSync()) sum += data.byteLength; return sum; }) : [0, 0];
  console.log(JSON.stringify({ openMs, openMib, checkMs, rssMib: rss(), logMs, read, readMs, end: log?.end ?? 0 }));
  pool.close();
`;
function opened(...args) {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', CHILD, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

/** Medians of the fields over some openings. */
function openedOften(...args) {
  const runs = Array.from({ length: REPEATS }, () => opened(...args));
  return Object.fromEntries(Object.keys(runs[0]).map((key) => [key, median(runs.map((run) => run[key]))]));
}

function pools(folder) {
  const place = placeOf(folder);
  const rows = [];
  const home = temporaryFolder(folder);
  for (const size of POOLS) {
    for (const used of size <= USED_MAX ? [false, true] : [false]) {
      const path = join(home, 'pool');
      rmSync(path, { force: true });
      let pool;
      try {
        pool = Pool.create(path, { size, sparse: true });
      } catch (error) {
        report.skip(`${size / GIB} GiB on ${place}`, error.message);
        continue;
      }
      const { total } = pool.status().segments;
      if (used)
        for (let left = total; left > 0; left -= 1024)
          allocateSegments(pool.engine, Math.min(1024, left), { type: 1, ownerId: 0n, chainIndex: 0 });
      pool.close();
      const { openMs, openMib, checkMs, rssMib } = openedOften(path);
      rows.push({
        pool: size < TIB ? `${size / GIB} GiB` : `${Math.round(size / TIB)} TiB`,
        segments: total,
        inUse: used ? total : 0,
        openMs,
        openMib,
        checkMs,
        rssMib,
        size,
      });
    }
  }
  rmSync(join(home, 'pool'), { force: true });
  report.table(
    `opening a pool for writing, ${place}`,
    rows.map(({ size: _, ...row }) => row),
  );
  const tera = rows.filter(({ size }) => size === TIB).at(-1);
  if (tera) {
    report.goal(`milliseconds to open 1 TiB, every segment in use, ${place}`, tera.openMs, { most: 1000 });
    report.goal(`MiB of the process that has it open, ${place}`, tera.rssMib, { most: 100 });
  }
  report.chart({
    file: `growth-open-${place}.svg`,
    title: `Opening a pool for writing, ${place}`,
    x: 'size of the pool',
    y: 'milliseconds',
    logX: true,
    bytesX: true,
    logY: true,
    series: [
      { name: 'no segment in use', points: rows.filter(({ inUse }) => inUse === 0).map(({ size, openMs }) => [size, openMs]) },
      { name: 'every segment in use', points: rows.filter(({ inUse }) => inUse > 0).map(({ size, openMs }) => [size, openMs]) },
    ],
  });
}

function logs(folder) {
  const place = placeOf(folder);
  const home = temporaryFolder(folder);
  const path = join(home, 'pool');
  const bytes = Buffer.alloc(RECORD_SIZE, 7);
  const most = RECORDS.at(-1) * (RECORD_SIZE + 64) + 64 * MIB;
  const { bavail, bsize } = statfsSync(home);
  if (bavail * bsize < 2 * most) return report.skip(`logs on ${place}`, 'there is too little room');
  const rows = [];
  for (const count of RECORDS) {
    rmSync(path, { force: true });
    const pool = Pool.create(path, { size: Math.ceil((count * (RECORD_SIZE + 64) + 64 * MIB) / MIB) * MIB, sparse: true });
    const log = pool.log('log', { create: true });
    const append = () => log.append(bytes);
    for (let i = 0; i < count; i++) append();
    log.persist();
    // At the end of what is there now: what one more costs, unflushed, and what reading the last ones costs.
    const samples = timeEach(quick ? 100 : 1000, append);
    log.persist();
    const from = log.end - Math.min(100, count) * (RECORD_SIZE + 32);
    const tail = timeEach(REPEATS, () => {
      let sum = 0;
      for (const { data } of log.recordsSync({ from })) sum += data.byteLength;
      if (sum < RECORD_SIZE) throw new Error('nothing was read');
    });
    pool.close();
    const { logMs, readMs, end } = openedOften(path, 'log');
    rows.push({
      records: count,
      bytes: end,
      appendP50Us: quantile(samples, 0.5) / 1e3,
      lastHundredMs: median(tail) / 1e6,
      recoverMs: logMs,
      recoverGBPerSecond: end / 1e6 / logMs,
      readMs,
      readGBPerSecond: end / 1e6 / readMs,
    });
  }
  report.table(`logs of 1 KiB records, ${place}`, rows);
  const [first, last] = [rows[0], rows.at(-1)];
  report.goal(`append at ${last.records} records ÷ at ${first.records}, ${place}`, last.appendP50Us / first.appendP50Us, { most: 1.5 });
  report.goal(
    `recovery a byte at ${last.records} records ÷ at ${rows.at(-2).records}, ${place}`,
    rows.at(-2).recoverGBPerSecond / last.recoverGBPerSecond,
    {
      most: 1.5,
    },
  );
  for (const [file, title, field] of [
    ['recover', 'Recovering a log', 'recoverMs'],
    ['read', 'Reading a log', 'readMs'],
  ])
    report.chart({
      file: `growth-${file}-${place}.svg`,
      title: `${title} of 1 KiB records, ${place}`,
      x: 'records',
      y: 'milliseconds',
      logX: true,
      logY: true,
      series: [{ name: title, points: rows.map((row) => [row.records, row[field]]) }],
    });
  report.chart({
    file: `growth-append-${place}.svg`,
    title: `One more append of 1 KiB, ${place}`,
    x: 'records in the log',
    y: 'µs, median',
    logX: true,
    series: [{ name: 'append', points: rows.map((row) => [row.records, row.appendP50Us]) }],
  });
}

for (const folder of options.folders) {
  pools(folder);
  logs(folder);
}
report.write();
