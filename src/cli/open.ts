/** Opens a pool as the options of the command line say. */
import type { Command } from 'commander';
import { rangeError } from '../errors.js';
import type { Granularity } from '../medium.js';
import { Pool } from '../pool.js';

/** Options that every verb on a pool has. */
export interface PoolOptions {
  json: boolean;
  mode?: 'dax' | 'file' | 'copy';
  require?: Granularity;
  allowForced?: boolean;
  breakLock?: boolean;
}

/** Declares them. */
export function poolOptions(command: Command, writes: boolean): Command {
  command
    .option('--json', 'print one JSON object', false)
    .option('--mode <mode>', 'dax, file or copy instead of the best there is')
    .option('--require <granularity>', 'fail unless the medium promises byte, cache-line or page')
    .option('--allow-forced', 'let PMSEG_FORCE_GRANULARITY satisfy --require');
  if (writes) command.option('--break-lock', 'no other writer lives, whatever the lock file says');
  return command;
}

/** Whether a pool was opened in this process: tells "cannot be looked at" from "looked at and found bad". */
export const session = { opened: false };

/** Opens, works, closes. A pool opened for reading is not changed in any way. */
export async function withPool<T>(path: string, options: PoolOptions, readOnly: boolean, work: (pool: Pool) => T | Promise<T>): Promise<T> {
  const { mode, require, allowForced, breakLock } = options;
  if (mode !== undefined && !['dax', 'file', 'copy'].includes(mode)) throw rangeError(`--mode is dax, file or copy, not "${mode}"`);
  const ownerSeed = process.env['PMSEG_OWNER_SEED'] || undefined;
  const pool = Pool.open(path, { readOnly, mode, require, allowForced, breakLock, ownerSeed });
  session.opened = true;
  let result: T;
  try {
    warnForced(pool);
    result = await work(pool);
  } catch (error) {
    closeQuietly(pool);
    throw error;
  }
  pool.close();
  return result;
}

/** After a failure the failure is what is reported, not what closing makes of it. */
function closeQuietly(pool: Pool): void {
  try {
    pool.close({ force: true });
  } catch {
    // The first error stands.
  }
}

function warnForced(pool: Pool): void {
  const { forced, granularity } = pool.status();
  if (forced)
    process.stderr.write(`pmseg: granularity ${granularity} is forced by PMSEG_FORCE_GRANULARITY: it is not what this machine promises\n`);
}
