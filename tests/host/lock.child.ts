/**
 * What the tests of locks run in another process or in a Worker: VERB PATH MODE as arguments or as the Worker's data; one JSON line back.
 *
 *   try      opens and closes: { error } or { mode }
 *   hold     opens, and closes when a line comes on stdin; `holdWith` has a child of its own meanwhile, which does nothing
 *   race N   opens N times, waiting its turn, and each time leaves the lock of a process that is gone behind: { violations, opened }
 */
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Pool, type PmsegError } from '../../src/index.js';

type Mode = 'file' | 'copy';
const [verb, path, mode, times] = (isMainThread ? process.argv.slice(2) : workerData) as [string, string, Mode, string | undefined];

function answer(value: Record<string, unknown>): void {
  if (isMainThread) fs.writeSync(1, `${JSON.stringify(value)}\n`);
  else parentPort?.postMessage(value);
}

function open(): Pool | undefined {
  try {
    return Pool.open(path, { mode });
  } catch (error) {
    const { code } = error as PmsegError;
    if (verb !== 'race' || code !== 'ERR_PMSEG_LOCKED') answer({ error: code ?? String((error as Error).stack) });
    return undefined;
  }
}

/** Two writers at a time would meet in this folder. */
function race(count: number): void {
  const inside = `${path}.inside`;
  const dead = spawnSync('true').pid;
  let violations = 0;
  for (let opened = 0; opened < count; ) {
    const pool = open();
    if (!pool) continue;
    try {
      fs.mkdirSync(inside);
      const lock = JSON.parse(fs.readFileSync(`${path}.lock`, 'utf8')) as Record<string, unknown>;
      fs.rmdirSync(inside);
      pool.close();
      // Unless somebody was faster.
      fs.writeFileSync(`${path}.${process.pid}`, JSON.stringify({ ...lock, pid: dead, id: `${process.pid}-${opened}` }));
      fs.linkSync(`${path}.${process.pid}`, `${path}.lock`);
    } catch (error) {
      if (!/link/.test(String((error as NodeJS.ErrnoException).syscall))) violations++;
    }
    fs.rmSync(`${path}.${process.pid}`, { force: true });
    opened++;
  }
  answer({ violations, opened: count });
}

if (verb === 'race') race(Number(times));
else {
  const pool = open();
  if (pool && verb === 'try') {
    pool.close();
    answer({ mode });
  } else if (pool) {
    const child = verb === 'holdWith' ? spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore'] }) : undefined;
    answer({ pid: process.pid, child: child?.pid });
    process.stdin.once('data', () => {
      pool.close();
      answer({ closed: true });
      process.exit(0);
    });
  }
}
