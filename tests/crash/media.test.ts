/**
 * Goal: the barriers of the real media are where the enumerator needs them: what `file` and `dax` ask of the kernel and the processor protects
 * every update as well as what the medium in memory is told.
 * Method: the same cases on a pool file, through a watched shim; what it saw is explored like any recording.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { explore, type Acknowledgement, type Recording } from '../../src/crashtest/index.js';
import { openOptions, prepare, type RecordOptions } from '../../src/crashtest/record.js';
import { Pool, type Medium } from '../../src/index.js';
import { DaxMedium } from '../../src/medium/dax.js';
import { FileMedium } from '../../src/medium/file.js';
import { NativeFile } from '../../src/medium/poolfile.js';
import { native as shim, nativeUnavailable, type Native } from '../../src/native.js';
import { temporaryFolder } from '../kit/pools.js';
import { watchedShim } from '../kit/shim.js';
import { suite } from '../kit/suite.js';
import { CASES } from './cases.js';
import { optionsOf, seed } from './run.js';

const test = suite('crash, real media');
console.log(`SEED ${seed}`);
const folder = temporaryFolder();

const MEDIA = {
  file: { granularity: 'page', open: (native: Native, file: NativeFile): Medium => new FileMedium(native, file, false) },
  dax: { granularity: 'cache-line', open: (native: Native, file: NativeFile): Medium => new DaxMedium(native, file, 'cache-line', true) },
} as const;

/** Records a workload on a file: what `record` does on a medium in memory. */
async function recordOn(mode: keyof typeof MEDIA, options: RecordOptions): Promise<Recording> {
  const { granularity } = MEDIA[mode];
  const path = join(folder, mode);
  let initial = (await prepare(options, () => undefined)).image();
  writeFileSync(path, initial);
  const acknowledgements: Acknowledgement[] = [];
  const { native, operations } = watchedShim(shim as Native, path, granularity);
  const open = (): Pool => Pool.open(MEDIA[mode].open(native, new NativeFile(native, path, true)), openOptions(options));
  const pool = open();
  if (!options.withOpen) {
    pool.drain();
    initial = Uint8Array.from(readFileSync(path));
    operations.length = 0;
  }
  await options.workload(pool, (value) => acknowledgements.push({ at: operations.length, value }), open);
  if (!pool.closed) pool.close({ force: true });
  rmSync(path);
  return { granularity, initial, operations, acknowledgements };
}

let images = 0;
for (const mode of ['file', 'dax'] as const) {
  for (const one of CASES) {
    const title = `${one.name} (${mode})`;
    if (!shim) test.skip(title, `no native shim: ${nativeUnavailable}`);
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
