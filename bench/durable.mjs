/**
 * Durable 4 KiB on ordinary files: what one caller pays beside pwrite + fdatasync, and what 64 callers gain from shared barriers.
 *
 *   node bench/durable.mjs [--quick] [--dir DIR]…
 *
 * File state is equal: blocks allocated and written before. First writes into allocated, unwritten blocks are a table of their own.
 */
import { fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Bio, Pool } from '../dist/src/index.js';
import { MIB, close, temporaryFolder, writtenFile, writtenPool } from './kit/files.mjs';
import { ratio, takeTurns, timeConcurrent, timeEach, timeEachAsync } from './kit/measure.mjs';
import { buildC, rawWrites } from './kit/raw.mjs';
import { Report, options, placeOf } from './kit/report.mjs';

const { quick } = options;
const PAGE = 4096;
/** Records lie behind each other: 4 KiB and a header, never on a page boundary. */
const RECORD = PAGE + 32;
const SIZE = (quick ? 20 : 132) * MIB;
const SEGMENT = (quick ? 4 : 16) * MIB;
const FILE = (quick ? 4 : 64) * MIB;
const ROUNDS = quick ? 3 : 15;
const COUNT = quick ? 20 : 200;
const CALLERS = 64;

const report = new Report('durable');
const raw = buildC(report, 'raw');

/** Appends for ever in a pool of some size: what is old is trimmed. */
function endless(log, append) {
  return (bytes) => {
    if (log.end - log.begin > FILE / 2) log.trim(log.end);
    return append(bytes);
  };
}

function row(name, results, baseline) {
  const { p50, p99, min, rounds } = results.get(name);
  return { contender: name, p50Us: p50 / 1e3, p99Us: p99 / 1e3, minUs: min / 1e3, ratio: ratio(rounds, results.get(baseline).rounds) };
}

async function serial(folder) {
  const place = placeOf(folder);
  const home = temporaryFolder(folder);
  const path = join(home, 'file');
  const fd = writtenFile(path, FILE);
  const pool = writtenPool(join(home, 'pool'), SIZE, SEGMENT);
  const segment = pool.allocate();
  const bytes = Buffer.alloc(PAGE, 7);
  const inBank = segment.bio(PAGE);
  const outside = Bio.from(bytes);
  const log = pool.log('log', { create: true });
  const append = endless(log, (data) => log.append(data));
  const pages = Math.floor(segment.dataSize / PAGE);
  let at = 0;
  const fromBio = (bio) => () => timeEach(COUNT, () => segment.copyFromBio((at++ % pages) * PAGE, PAGE, bio, 0, { persist: true }));
  const byFs = (length, stride) => (round) =>
    timeEach(COUNT, (i) => {
      writeSync(fd, bytes, 0, length, ((round * COUNT + i) * stride) % (FILE - RECORD));
      fdatasyncSync(fd);
    });
  const byC = (length, how) => (round) =>
    rawWrites(raw, { path, size: FILE, length, stride: length, first: round * COUNT * length, count: COUNT, how });
  const contenders = [
    { name: 'node:fs write + fdatasync', run: byFs(PAGE, PAGE) },
    ...(raw
      ? [
          { name: 'C pwrite + fdatasync', run: byC(PAGE, 'two') },
          { name: 'C pwrite + fdatasync, 4,128 bytes', run: byC(RECORD, 'two') },
          { name: 'C pwritev2 RWF_DSYNC', run: byC(PAGE, 'dsync') },
        ]
      : []),
    { name: 'segment.copyFromBio { persist }, bio of the bank', run: fromBio(inBank) },
    { name: 'segment.copyFromBio { persist }, Buffer', run: fromBio(outside) },
    {
      name: 'log.append + persist',
      run: () => {
        for (let i = 0; i < 3; i++) append(bytes);
        log.persist();
        return timeEach(COUNT, () => {
          append(bytes);
          log.persist();
        });
      },
    },
  ];
  const results = await takeTurns(contenders, ROUNDS);
  const baseline = raw ? 'C pwrite + fdatasync' : 'node:fs write + fdatasync';
  report.table(
    `one caller, 4 KiB, ${place}`,
    contenders.map(({ name }) => row(name, results, baseline)),
  );
  const of = (name) => ratio(results.get(name).rounds, results.get(baseline).rounds);
  report.goal(`copyFromBio { persist } ÷ ${baseline}, ${place}`, of('segment.copyFromBio { persist }, bio of the bank'), { most: 1 });
  report.goal(`log.append + persist ÷ ${baseline}, ${place}`, of('log.append + persist'), { most: 1 });
  report.chart({
    file: `durable-${place}.svg`,
    title: `Durable 4 KiB, one caller, ${place}: median µs`,
    unit: 'µs',
    bars: contenders.map(({ name }) => ({ name, value: results.get(name).p50 / 1e3, ours: /^(segment|log)/.test(name) })),
  });
  inBank.release();
  pool.close();
  close(fd);
}

async function grouped(folder) {
  const place = placeOf(folder);
  const home = temporaryFolder(folder);
  const pool = writtenPool(join(home, 'pool'), SIZE, SEGMENT);
  const log = pool.log('log', { create: true });
  const bytes = Buffer.alloc(PAGE, 7);
  const append = endless(log, (data) => log.appendDurable(data));
  const many = quick ? 640 : 6400;
  const contenders = [
    { name: '1 caller', run: () => timeEachAsync(COUNT, () => append(bytes)) },
    { name: `${CALLERS} callers`, run: () => timeConcurrent(CALLERS, many, () => append(bytes)) },
  ];
  const results = await takeTurns(contenders, ROUNDS);
  const [one, all] = contenders.map(({ name }) => results.get(name));
  report.table(
    `log.appendDurable, 4 KiB, ${place}`,
    contenders.map(({ name }) => {
      const { p50, p99, perSecond, rates } = results.get(name);
      return { callers: name, perSecond, p50Us: p50 / 1e3, p99Us: p99 / 1e3, ratio: ratio(rates, one.rates) };
    }),
  );
  report.goal(`${CALLERS} callers of appendDurable ÷ 1 caller, ${place}`, ratio(all.rates, one.rates), { least: 20 });
  pool.close();
}

/** Allocated blocks that nobody wrote to yet: on ext4 each first write is also a change of the file's extents. */
async function first(folder) {
  const place = placeOf(folder);
  const home = temporaryFolder(folder);
  const bytes = Buffer.alloc(PAGE, 7);
  const pool = Pool.create(join(home, 'pool'), { size: SIZE, segmentSize: SEGMENT });
  const plain = Pool.create(join(home, 'plain'), { size: SIZE, segmentSize: SEGMENT });
  const fd = openSync(join(home, 'plain'), 'r+');
  const log = pool.log('log', { create: true });
  log.append(bytes);
  log.persist();
  const rounds = quick ? 2 : 5;
  let off = 2 * MIB + 16384;
  const contenders = [
    {
      name: 'node:fs write + fdatasync',
      run: () =>
        timeEach(COUNT, () => {
          writeSync(fd, bytes, 0, PAGE, off);
          fdatasyncSync(fd);
          off += PAGE;
        }),
    },
    {
      name: 'log.append + persist',
      run: () =>
        timeEach(COUNT, () => {
          log.append(bytes);
          log.persist();
        }),
    },
  ];
  const results = await takeTurns(contenders, rounds);
  report.table(
    `one caller, 4 KiB, first write, ${place}`,
    contenders.map(({ name }) => row(name, results, 'node:fs write + fdatasync')),
  );
  close(fd);
  plain.close();
  pool.close();
}

for (const folder of options.folders) {
  await serial(folder);
  await grouped(folder);
  await first(folder);
}
report.write();
