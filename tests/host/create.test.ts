/**
 * Goal: a pool file gets its name when it is complete and durable, and not before; what fails leaves nothing behind.
 * Method: watch the calls of node:fs and of the shim while a pool is made, and let each fail.
 */
import fs, { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { MemoryMedium, Pool } from '../../src/index.js';
import { MIB, sizeFor, temporaryFolder, throwsCode } from '../kit/pools.js';
import { watchFs } from '../kit/fs.js';
import { suite } from '../kit/suite.js';

const test = suite('create');
const folder = temporaryFolder();
const options = { size: sizeFor(2), segmentSize: MIB, sparse: true };
const CALLS = ['openSync', 'ftruncateSync', 'writeSync', 'fsyncSync', 'linkSync', 'unlinkSync', 'closeSync'] as const;

/** Calls of node:fs while a pool is made, in order. */
function callsOf(make: () => void): string[] {
  const calls: string[] = [];
  const restore = watchFs(CALLS, (name, args) => {
    const folderOpened = name === 'openSync' && args[0] === folder;
    calls.push(folderOpened ? 'openSync folder' : name);
  });
  try {
    make();
  } finally {
    restore();
  }
  return calls;
}

test('blocks, barrier, superblocks, barrier, name, barrier of the folder', () => {
  // The first one in a process also reads the core.
  Pool.create(join(folder, 'first'), options).close();
  const path = join(folder, 'ordered');
  const calls = callsOf(() => Pool.create(path, options).close());
  const made = calls.slice(0, calls.lastIndexOf('fsyncSync') + 2);
  assert.equal(made, [
    'openSync',
    'ftruncateSync',
    'fsyncSync',
    'writeSync',
    'writeSync',
    'fsyncSync',
    'closeSync',
    'linkSync',
    'unlinkSync',
    'openSync folder',
    'fsyncSync',
    'closeSync',
  ]);
});

test('formatting a medium ends with a barrier, behind both superblocks', () => {
  const kinds: string[] = [];
  const medium = new MemoryMedium(sizeFor(1), { granularity: 'page', onOperation: ({ kind }) => kinds.push(kind) });
  Pool.format(medium, { segmentSize: MIB });
  assert.equal(
    kinds.filter((kind) => kind !== 'flush'),
    ['store', 'store', 'drain'],
  );
});

test('whatever fails, no pool and nothing else is left under the name', () => {
  for (const name of ['ftruncateSync', 'writeSync', 'fsyncSync', 'linkSync'] as const) {
    const path = join(folder, `failed-${name}`);
    const restore = watchFs([name], () => {
      throw Object.assign(new Error('planted'), { code: 'EIO', errno: -5 });
    });
    try {
      throwsCode('ERR_PMSEG_MEDIA', () => Pool.create(path, options), name);
    } finally {
      restore();
    }
    assert.equal(
      readdirSync(folder).filter((file) => file.startsWith(`failed-${name}`)),
      [],
    );
  }
  assert.ok(fs.existsSync(join(folder, 'ordered')));
});
