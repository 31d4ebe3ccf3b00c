/**
 * Runs a workload once on a medium in memory and keeps what it did: every store, flush and drain, and what it was promised when.
 */
import type { FormatOptions } from '../create.js';
import type { Granularity } from '../medium.js';
import { MemoryMedium, type Operation } from '../medium/memory.js';
import { Pool, type OpenOptions } from '../pool.js';

/** Something that was promised at a point of the recording: from there on it must hold. */
export interface Acknowledgement {
  /** Operations that had been recorded when it was given. */
  readonly at: number;
  readonly value: unknown;
}

export interface Recording {
  readonly granularity: Granularity;
  /** The medium before the first recorded operation; all of it durable. */
  readonly initial: Uint8Array;
  readonly operations: readonly Operation[];
  readonly acknowledgements: readonly Acknowledgement[];
}

/** A function that says that something was promised. */
export type Acknowledge = (value: unknown) => void;

export interface RecordOptions extends FormatOptions {
  /** Bytes of the pool; small ones are looked at faster. */
  size: number;
  granularity: Granularity;
  /** Runs in a pool of its own, closed and durable before the recording begins. */
  setup?: ((pool: Pool) => void | Promise<void>) | undefined;
  /** Changes the medium between setup and workload, as a fault would. */
  damage?: ((medium: MemoryMedium) => void) | undefined;
  /**
   * What is recorded. Calls `acknowledge` when something was promised: the oracle is shown all that was promised before the power was lost.
   * `reopen` opens the pool again after the workload has closed it.
   */
  workload: (pool: Pool, acknowledge: Acknowledge, reopen: () => Pool) => void | Promise<void>;
  /** Records from the opening of the pool on, not only from the workload. */
  withOpen?: boolean | undefined;
  open?: OpenOptions | undefined;
}

/** The medium as setup and damage leave it; the operations on it from here on go to `onOperation`. */
export async function prepare(options: RecordOptions, onOperation: (operation: Operation) => void): Promise<MemoryMedium> {
  const { granularity, setup, damage } = options;
  let prepared = false;
  const medium = new MemoryMedium(options.size, { granularity, onOperation: (operation) => prepared && onOperation(operation) });
  Pool.format(medium, options);
  if (setup) {
    const pool = Pool.open(medium, openOptions(options));
    await setup(pool);
    pool.close();
  }
  damage?.(medium);
  prepared = true;
  return medium;
}

export function openOptions(options: RecordOptions): OpenOptions {
  return { ownerSeed: 'record', ...options.open };
}

/** Records a workload. The pool is left as the workload leaves it: what closing does can be part of it. */
export async function record(options: RecordOptions): Promise<Recording> {
  const { granularity, workload, withOpen = false } = options;
  const operations: Operation[] = [];
  const acknowledgements: Acknowledgement[] = [];
  const medium = await prepare(options, (operation) => operations.push(operation));
  let initial = medium.image();
  const open = (): Pool => Pool.open(medium, openOptions(options));
  const pool = open();
  if (!withOpen) {
    pool.drain();
    initial = medium.image();
    operations.length = 0;
  }
  await workload(pool, (value) => acknowledgements.push({ at: operations.length, value }), open);
  return { granularity, initial, operations: [...operations], acknowledgements };
}
