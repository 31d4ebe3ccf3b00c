/**
 * One run of the workload with one planted failure, and what must be true after it.
 */
import fs, { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import * as assert from 'uvu/assert';
import { arm, disarm, failures, label, type Call, type Plan } from '../kit/faults.js';
import { PmsegError, Pool } from '../../src/index.js';
import { CREATE, Model, STEPS, verifyPool, type Mode, type Step, type World } from './nth.work.js';

const openCount = (): number => readdirSync('/proc/self/fd').length;
const mapCount = (path: string): number =>
  readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes(path)).length;

const DRAINS = /^(native\.(datasync|datasyncAsync|fence)|fs\.(fdatasync|fdatasyncSync))$/;
const WRITES = /^(native\.(pwrite|pwritev)|fs\.writevSync)$/;

export interface Outcome {
  /** Calls that the workload made, up to its end. */
  calls: string[];
  /** The call that failed first. */
  failed: Call | undefined;
  /** Step in which it did. */
  step: string;
}

/** A failed drain, and a failed write but for want of room, halt the pool and say so; nothing else is lost. */
async function judge(world: World, step: Step, plan: Plan, error: unknown, news: readonly Call[]): Promise<void> {
  const typed = error === undefined || error instanceof PmsegError;
  assert.ok(typed, `not one of ours: ${(error as Error)?.stack}`);
  const { pool } = world;
  if (!pool || pool.closed || plan.how === 'all') return;
  const drained = news.some(({ name }) => DRAINS.test(name)) && plan.errno !== 'EINTR' && plan.errno !== 'half';
  if (drained && !/open|create|writer|reader/.test(step.name)) {
    // Removing and replacing are done when they are in force; what they free they may free later.
    if (!/remove|replace/.test(step.name)) assert.ok(error, 'a drain failed and the call succeeded');
    assert.ok(pool.status().halted, 'a drain failed and the pool goes on');
  }
  if ((error as PmsegError | undefined)?.code === 'ERR_PMSEG_HALTED') assert.ok(pool.status().halted, 'halted, says the error');
  if (plan.how !== 'once' || !pool.status().halted) return;
  assert.throws(
    () => pool.put('after', new Uint8Array(1)),
    (thrown: PmsegError) => thrown.code === 'ERR_PMSEG_HALTED',
  );
  assert.throws(
    () => pool.drain(),
    (thrown: PmsegError) => thrown.code === 'ERR_PMSEG_HALTED',
  );
  for (const { name, kind } of pool.list()) if (kind === 'object') pool.get(name);
}

/** Runs one step; want of room is tried again, and must then be gone. */
async function runStep(world: World, step: Step, plan: Plan): Promise<void> {
  label(step.name);
  const before = failures().length;
  let error: unknown;
  try {
    await step.run(world);
  } catch (thrown) {
    error = thrown;
  }
  const news = failures().slice(before);
  await judge(world, step, plan, error, news);
  const isRoom = (error as PmsegError | undefined)?.code === 'ERR_PMSEG_NO_SPACE';
  if (plan.how !== 'once' || !news.some(({ name }) => WRITES.test(name)) || plan.errno !== 'ENOSPC') return;
  if (!isRoom || !world.pool || world.pool.closed) return;
  await step.run(world);
}

/** Files that could not be removed because removing was made to fail. */
function unremovable(failed: readonly Call[]): Set<string> {
  return new Set(failed.filter(({ name }) => /unlink|rmSync/.test(name)).map(({ args }) => basename(String(args[0]))));
}

/** Runs the workload with a plan on a new pool; throws where something was lost or left behind. */
export async function runPlan(folder: string, mode: Mode, plan: Plan): Promise<Outcome> {
  const path = join(folder, 'pool');
  for (const name of readdirSync(folder)) if (!name.endsWith('.cjs')) rmSync(join(folder, name));
  const world: World = { path, mode, model: new Model(), pool: undefined, segment: undefined };
  const fds = openCount();
  let step = '';
  arm(plan);
  try {
    for (const next of [CREATE, ...STEPS]) {
      const quiet = failures().length === 0;
      if (!world.pool && next !== CREATE && next.name !== 'open') continue;
      await runStep(world, next, plan);
      if (quiet && failures().length > 0) step = next.name;
      if (next === CREATE && !world.pool) assertCreateClean(folder, plan);
    }
    if (world.pool) await runStep(world, STEPS.at(-1) as Step, plan);
  } finally {
    var { calls, failed } = disarm();
    world.pool?.close({ force: true });
  }
  // A pool whose making failed may be made now; one that was made is there.
  const exists = fs.existsSync(path);
  const pool = exists
    ? Pool.open(path, { mode })
    : Pool.create(path, { size: 12 * 2 ** 20 + 4096, segmentSize: 2 ** 20, mode, sparse: true });
  try {
    verifyPool(pool, world.model);
  } finally {
    pool.close();
  }
  const spared = unremovable(failed);
  const left = readdirSync(folder).filter((name) => name !== 'pool' && !name.endsWith('.cjs') && !spared.has(name));
  assert.equal(left, [], 'files are left behind');
  assert.is(openCount(), fds, 'descriptors are left open');
  assert.is(mapCount(path), 0, 'mappings are left');
  return { calls, failed: failed[0], step };
}

/** A creation that failed leaves nothing, or a whole pool that only opening failed on. */
function assertCreateClean(folder: string, plan: Plan): void {
  if (plan.how === 'all') return;
  const spared = unremovable(failures());
  const left = readdirSync(folder).filter((name) => name !== 'pool' && !name.endsWith('.cjs') && !spared.has(name));
  assert.equal(left, [], 'a creation that failed leaves something behind');
}
