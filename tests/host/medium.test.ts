/**
 * Goal: every medium keeps the contract of tests/contract/medium.ts.
 * Method: run it over each; `dax` with forced granularity on a memory file, for there is no DAX here.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryMedium, Pool } from '../../src/index.js';
import type { OpenOptions } from '../../src/pool.js';
import { native, nativeUnavailable } from '../../src/native.js';
import { mediumContract, type World } from '../contract/medium.js';
import { MIB, sizeFor, temporaryFolder } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const MEMORY_FOLDER = existsSync('/dev/shm') ? '/dev/shm' : undefined;

/** Pools in a file; `force` sets the granularity while a pool is opened. */
function fileWorld(folder: string, mode: 'dax' | 'file' | 'copy', granularity: string, force?: string): World {
  const path = join(temporaryFolder(folder), 'pool');
  let last: Pool | undefined;
  const forced = <T>(call: () => T): T => {
    const before = process.env['PMSEG_FORCE_GRANULARITY'];
    if (force !== undefined) process.env['PMSEG_FORCE_GRANULARITY'] = force;
    try {
      return call();
    } finally {
      if (before === undefined) delete process.env['PMSEG_FORCE_GRANULARITY'];
      else process.env['PMSEG_FORCE_GRANULARITY'] = before;
    }
  };
  return {
    mode,
    granularity,
    create: () => {
      // A test that failed has left its pool open; the next one is not to fail for that.
      last?.close({ force: true });
      rmSync(path, { force: true });
      return (last = forced(() => Pool.create(path, { size: sizeFor(4), segmentSize: MIB, mode })));
    },
    open: (options: OpenOptions = {}) => (last = forced(() => Pool.open(path, { mode, ...options }))),
  };
}

function memoryWorld(granularity: 'byte' | 'cache-line' | 'page'): World {
  let image = new Uint8Array(0);
  let medium: MemoryMedium | undefined;
  return {
    mode: 'memory',
    granularity,
    create: () => {
      medium = new MemoryMedium(sizeFor(4), { granularity });
      Pool.format(medium, { segmentSize: MIB });
      return Pool.open(medium);
    },
    open: (options: OpenOptions = {}) => {
      image = (medium as MemoryMedium).image();
      medium = new MemoryMedium(image, { granularity, writable: !options.readOnly });
      return Pool.open(medium);
    },
  };
}

for (const granularity of ['byte', 'cache-line', 'page'] as const) mediumContract(`memory, ${granularity}`, memoryWorld(granularity));
mediumContract('copy', fileWorld('/tmp', 'copy', 'page'));
if (native) {
  mediumContract('file', fileWorld('/tmp', 'file', 'page'));
  if (MEMORY_FOLDER) {
    mediumContract('file on tmpfs', fileWorld(MEMORY_FOLDER, 'file', 'page'));
    mediumContract('dax, forced cache-line', fileWorld(MEMORY_FOLDER, 'dax', 'cache-line', 'cache-line'));
    mediumContract('dax, forced byte', fileWorld(MEMORY_FOLDER, 'dax', 'byte', 'byte'));
  }
} else suite('file and dax').skip('the contract', `no native shim: ${nativeUnavailable}`);
suite('dax on persistent memory').skip('the contract', 'this suite has no DAX file system to run on');
