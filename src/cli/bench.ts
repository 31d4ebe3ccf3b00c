/**
 * `pmseg bench POOL|DIR`: what durability costs on this file system.
 *
 * What is always true
 *   - It works in a pool of its own, in a folder that it makes beside POOL or in DIR and removes whatever happens. POOL itself is not opened.
 *   - Blocks are taken and written before anything is timed; the first write, which may cost more, is told apart.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { fromFs } from '../errors.js';
import type { Log } from '../log/log.js';
import { Pool } from '../pool.js';
import type { Segment } from '../segment.js';
import { answer } from './terminal.js';

const MIB = 2 ** 20;
const RECORD_SIZE = 4096;
const CALLERS = 64;
const SEGMENT_SIZE = 8 * MIB;
/** A log's head, the segment in which it ends and the next one; one for raw copies; one that stays new. */
const LOG_SEGMENTS = 3;
const POOL_SIZE = (LOG_SEGMENTS + 2) * SEGMENT_SIZE + 2 * MIB + 4096;

interface Options {
  json: boolean;
  mode?: 'file' | 'copy' | 'dax';
  seconds: number;
}

/** Microseconds of calls, as people compare them. */
interface Latency {
  count: number;
  p50Us: number;
  p99Us: number;
}

function latency(samples: number[]): Latency {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number =>
    Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number).toFixed(2));
  return { count: sorted.length, p50Us: at(0.5), p99Us: at(0.99) };
}

const COUNT_MIN = 8;
/** How long the event loop may wait, and with it a signal. */
const TURN_MS = 50;

/** Repeats a call for a while, and at least `COUNT_MIN` times: microseconds of each. */
async function timeFor(seconds: number, call: () => void): Promise<number[]> {
  const samples: number[] = [];
  const end = performance.now() + 1000 * seconds;
  let turned = performance.now();
  while (samples.length < COUNT_MIN || performance.now() < end) {
    const begin = process.hrtime.bigint();
    call();
    samples.push(Number(process.hrtime.bigint() - begin) / 1e3);
    if (performance.now() - turned < TURN_MS) continue;
    await nextTurn();
    turned = performance.now();
  }
  return samples;
}

/** Appends for as long as wanted: what is old is trimmed, untimed. */
function roomy(log: Log): void {
  if (log.end - log.begin > SEGMENT_SIZE / 2) log.trim(log.end);
}

/** Writes all of a segment once, so that its blocks are more than promised. */
function touch(segment: Segment): void {
  const bytes = Buffer.alloc(MIB, 1);
  for (let off = 0; off < segment.dataSize; off += MIB) segment.write(bytes.subarray(0, Math.min(MIB, segment.dataSize - off)), off);
  segment.persist();
}

/** Puts a second of callers that each wait for their own record. */
async function groupRate(log: Log, record: Uint8Array, seconds: number): Promise<number> {
  let count = 0;
  const begin = performance.now();
  const end = begin + 1000 * seconds;
  const caller = async (): Promise<void> => {
    do {
      roomy(log);
      await log.appendDurable(record);
      count++;
    } while (performance.now() < end);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return Math.round((1000 * count) / (performance.now() - begin));
}

/** The same file system without us: write + fdatasync of 4 KiB over blocks that were written before. */
async function plainWrites(path: string, record: Uint8Array, seconds: number): Promise<number[]> {
  const size = 8 * MIB;
  const fd = openSync(path, 'wx+', 0o600);
  try {
    writeSync(fd, Buffer.alloc(size, 1), 0, size, 0);
    fdatasyncSync(fd);
    let off = 0;
    return await timeFor(seconds, () => {
      writeSync(fd, record, 0, RECORD_SIZE, off);
      fdatasyncSync(fd);
      off = (off + RECORD_SIZE) % size;
    });
  } finally {
    closeSync(fd);
  }
}

function gigabytes(size: number, samples: number[]): number {
  return Number((size / 1e3 / latency(samples).p50Us).toFixed(2));
}

async function measure(folder: string, { mode, seconds }: Options): Promise<Record<string, unknown>> {
  const record = Buffer.alloc(RECORD_SIZE, 7);
  const pool = Pool.create(join(folder, 'pool'), { size: POOL_SIZE, segmentSize: SEGMENT_SIZE, mode });
  try {
    const forLog = Array.from({ length: LOG_SEGMENTS }, () => pool.allocate());
    const [raw, fresh] = [pool.allocate(), pool.allocate()];
    for (const segment of [...forLog, raw]) touch(segment);
    // The log gets what has been written.
    for (const segment of forLog) pool.free(segment);
    const log = pool.log('log', { create: true });
    log.append(record);
    log.persist();
    let freshOff = 0;
    const firstWrites = await timeFor(seconds / 4, () => {
      if (freshOff + RECORD_SIZE > fresh.dataSize) freshOff = 0;
      fresh.write(record, freshOff);
      fresh.persist(freshOff, RECORD_SIZE);
      freshOff += RECORD_SIZE;
    });
    const plain = await plainWrites(join(folder, 'file'), record, seconds);
    const append = await timeFor(seconds, () => {
      roomy(log);
      log.append(record);
      log.persist();
    });
    const puts = await groupRate(log, record, seconds);
    const barrier = await timeFor(seconds, () => pool.drain());
    using bio = raw.bio(MIB);
    const copy = await timeFor(seconds / 2, () => raw.copyToBio(0, MIB, bio));
    const crc = await timeFor(seconds / 2, () => raw.crc32c(0, MIB));
    const { granularity, forced, guarantee, mode: opened, nativeUnavailable } = pool.status();
    return {
      mode: opened,
      granularity,
      forced,
      guarantee,
      nativeUnavailable,
      recordSize: RECORD_SIZE,
      append: latency(append),
      plainWrite: latency(plain),
      firstWrite: latency(firstWrites),
      callers: CALLERS,
      groupPerSecond: puts,
      barrier: latency(barrier),
      copyGBPerSecond: gigabytes(MIB, copy),
      crcGBPerSecond: gigabytes(MIB, crc),
    };
  } finally {
    pool.close({ force: true });
  }
}

function lines(path: string, result: Record<string, unknown>): string[] {
  const time = (key: string): string => {
    const { p50Us, p99Us, count } = result[key] as Latency;
    return `p50 ${p50Us} µs, p99 ${p99Us} µs (${count})`;
  };
  const { granularity, forced, guarantee, mode } = result;
  return [
    `where          ${path}`,
    `mode           ${mode}, granularity ${granularity}${forced ? ' (forced)' : ''}`,
    `guarantee      ${guarantee}`,
    `append         ${time('append')}: 4 KiB, durable, one caller`,
    `plain write    ${time('plainWrite')}: write + fdatasync of a file`,
    `first write    ${time('firstWrite')}: into blocks that were taken but never written`,
    `group          ${result['groupPerSecond']} appends/s: 4 KiB, durable, ${CALLERS} callers`,
    `barrier        ${time('barrier')}: with nothing to write`,
    `copy           ${result['copyGBPerSecond']} GB/s: 1 MiB, segment to bio`,
    `CRC-32C        ${result['crcGBPerSecond']} GB/s: 1 MiB`,
  ];
}

/** Where to work: DIR itself, or the folder of POOL. */
function placeOf(path: string): string {
  try {
    return statSync(path).isDirectory() ? path : dirname(path);
  } catch (error) {
    throw fromFs('stat', error, { path });
  }
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 60)) throw new InvalidArgumentError('seconds are more than 0 and at most 60.');
  return seconds;
}

export function bench(program: Command): void {
  program
    .command('bench')
    .description('what durability costs on a file system: makes a pool of 42 MiB in DIR, or beside POOL, and removes it')
    .argument('<pool|dir>', 'a folder, or a pool, which is not touched')
    .option('--seconds <n>', 'for each of the measurements', parseSeconds, 1)
    .option('--mode <mode>', 'dax, file or copy instead of the best there is')
    .option('--json', 'print one JSON object', false)
    .action(async (path: string, options: Options) => {
      const place = placeOf(path);
      let folder: string;
      try {
        folder = mkdtempSync(join(place, '.pmseg-bench-'));
      } catch (error) {
        throw fromFs('mkdir', error, { path: place });
      }
      const remove = (): void => rmSync(folder, { recursive: true, force: true });
      const interrupted = (signal: NodeJS.Signals): void => {
        remove();
        process.kill(process.pid, signal);
      };
      const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
      for (const signal of signals) process.once(signal, interrupted);
      try {
        const result = await measure(folder, options);
        answer(options.json, { path: place, ...result }, lines(place, result));
      } finally {
        for (const signal of signals) process.off(signal, interrupted);
        remove();
      }
    });
}
