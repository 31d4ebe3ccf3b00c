/**
 * Goal: the barriers of the real media are where the enumerator needs them: what `file`, `copy` and `dax` ask of the kernel and the processor
 * protects every update as well as what the medium in memory is told.
 * Method: the same cases on a pool file, through a watched shim or a watched node:fs; what it saw is explored like any recording.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { explore, type Acknowledgement, type Recording } from '../../src/crashtest/index.js';
import { openOptions, prepare, type RecordOptions } from '../../src/crashtest/record.js';
import { Pool, type Medium, type Operation } from '../../src/index.js';
import { CopyMedium } from '../../src/medium/copy.js';
import { DaxMedium } from '../../src/medium/dax.js';
import { FileMedium } from '../../src/medium/file.js';
import { FsFile, NativeFile } from '../../src/medium/poolfile.js';
import { native as shim, nativeUnavailable, type Native } from '../../src/native.js';
import { watchFs } from '../kit/fs.js';
import { temporaryFolder } from '../kit/pools.js';
import { watchedShim } from '../kit/shim.js';
import { suite } from '../kit/suite.js';
import { CASES } from './cases.js';
import { optionsOf, seed } from './run.js';

const test = suite('crash, real media');
console.log(`SEED ${seed}`);
const folder = temporaryFolder();

/** A medium on a pool file, and what is seen of it. */
interface Seen {
  readonly operations: Operation[];
  open(): Medium;
  done(): void;
}

function throughShim(path: string, granularity: 'page' | 'cache-line'): Seen {
  const { native, operations } = watchedShim(shim as Native, path, granularity);
  const open = (): Medium => {
    const file = new NativeFile(native, path, true);
    return granularity === 'page' ? new FileMedium(native, file, false) : new DaxMedium(native, file, 'cache-line', true);
  };
  return { operations, open, done: () => undefined };
}

function throughFs(path: string): Seen {
  const operations: Operation[] = [];
  let fd = -1;
  const restore = watchFs(
    ['writevSync', 'fdatasyncSync', 'fdatasync'],
    (name, args) => {
      if (args[0] !== fd || name !== 'fdatasync') return;
      const begun = operations.length;
      const callback = args[1] as (error: Error | null) => void;
      args[1] = (error: Error | null): void => {
        operations.push({ kind: 'drain', behind: operations.length - begun });
        callback(error);
      };
    },
    (name, args, result) => {
      if (args[0] !== fd || name === 'fdatasync') return;
      if (name === 'fdatasyncSync') operations.push({ kind: 'drain', behind: 0 });
      else
        operations.push({
          kind: 'store',
          off: args[2] as number,
          bytes: Buffer.concat(args[1] as Uint8Array[]).subarray(0, result as number),
        });
    },
  );
  const open = (): Medium => {
    const file = new FsFile(path, true);
    fd = file.fd;
    return new CopyMedium(file);
  };
  return { operations, open, done: restore };
}

const MEDIA = {
  file: { granularity: 'page', see: (path: string) => throughShim(path, 'page'), native: true },
  copy: { granularity: 'page', see: throughFs, native: false },
  dax: { granularity: 'cache-line', see: (path: string) => throughShim(path, 'cache-line'), native: true },
} as const;

/** Records a workload on a file: what `record` does on a medium in memory. */
async function recordOn(mode: keyof typeof MEDIA, options: RecordOptions): Promise<Recording> {
  const { granularity, see } = MEDIA[mode];
  const path = join(folder, mode);
  let initial = (await prepare(options, () => undefined)).image();
  writeFileSync(path, initial);
  const acknowledgements: Acknowledgement[] = [];
  const seen = see(path);
  const { operations } = seen;
  const open = (): Pool => Pool.open(seen.open(), openOptions(options));
  const pool = open();
  if (!options.withOpen) {
    pool.drain();
    initial = Uint8Array.from(readFileSync(path));
    operations.length = 0;
  }
  await options.workload(pool, (value) => acknowledgements.push({ at: operations.length, value }), open);
  const recorded = [...operations];
  if (!pool.closed) pool.close({ force: true });
  seen.done();
  rmSync(path);
  return { granularity, initial, operations: recorded, acknowledgements };
}

let images = 0;
for (const mode of ['file', 'copy', 'dax'] as const) {
  for (const one of CASES) {
    const title = `${one.name} (${mode})`;
    if (!shim && MEDIA[mode].native) test.skip(title, `no native shim: ${nativeUnavailable}`);
    else
      test(title, async () => {
        const { granularity } = MEDIA[mode];
        const recording = await recordOn(mode, optionsOf(one, granularity));
        const summary = explore(recording, one.oracle, {
          seed,
          exhaustiveMax: 16,
          sampleCount: 4,
          againEvery: 50,
          againCount: 1,
          killEvery: 9,
        });
        images += summary.images;
        assert.ok(summary.moments > 1);
      });
  }
}

test('what was looked at', () => console.log(`NOTE crash images of recordings on files: ${images} checked, seed ${seed}`));
