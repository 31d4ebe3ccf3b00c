/**
 * Goal: the descriptor under a pool waits where it says that it waits, and remembers a drain that failed until the cache was held against the medium.
 * Method: the real shim with its barriers watched, interrupted and made to fail.
 */
import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Bank } from '../../src/bank.js';
import { NativeFile } from '../../src/medium/poolfile.js';
import { native, nativeUnavailable, type Native } from '../../src/native.js';
import { rejectsCode, temporaryFolder, throwsCode } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const test = suite('pool file');
const folder = temporaryFolder();
const SIZE = 65536;
const { EINTR, EIO } = constants.errno;
const bank = new Bank(0);

/** A file whose calls are listed; answers of barriers come from `answers` while there are any. */
function watched(name: string): { file: NativeFile; calls: string[]; answers: number[] } {
  const shim = native as Native;
  const path = join(folder, name);
  writeFileSync(path, Buffer.alloc(SIZE, 1));
  const [calls, answers]: [string[], number[]] = [[], []];
  const file = new NativeFile(
    {
      ...shim,
      datasync: (fd) => (calls.push('datasync'), answers.shift() ?? shim.datasync(fd)),
      datasyncAsync: async (fd) => (calls.push('datasyncAsync'), answers.shift() ?? shim.datasyncAsync(fd)),
      pwrite: (...args) => (calls.push('pwrite'), shim.pwrite(...args)),
      dropCache: (fd, off, len) => (calls.push(`drop ${off}+${len}`), shim.dropCache(fd, off, len)),
    },
    path,
    true,
  );
  return { file, calls, answers };
}

if (!native) test.skip('barriers of a file', `no native shim: ${nativeUnavailable}`);
else {
  test('a barrier that a signal interrupted is made again, in both forms', async () => {
    const { file, calls, answers } = watched('interrupted');
    answers.push(-EINTR, -EINTR);
    file.drain();
    assert.equal(calls, ['datasync', 'datasync', 'datasync']);
    calls.length = 0;
    answers.push(-EINTR);
    await file.drainAsync();
    assert.equal(calls, ['datasyncAsync', 'datasyncAsync']);
    answers.push(-EINTR, -EIO);
    await rejectsCode('ERR_PMSEG_IO', file.drainAsync());
    file.close();
  });

  test('pages are made anew durably', () => {
    const { file, calls } = watched('anew');
    file.recreate(4096, 8192);
    assert.equal(calls, ['pwrite', 'datasync']);
    const bytes = Buffer.alloc(SIZE);
    file.read(0, bytes);
    assert.ok(bytes.subarray(4096, 12288).every((byte) => byte === 0) && bytes[4095] === 1 && bytes[12288] === 1);
    file.close();
  });

  test('what is dirty is written before the cache is dropped', () => {
    const { file, calls } = watched('dirty');
    file.write(0, [Buffer.alloc(4096, 2)]);
    calls.length = 0;
    file.dropCache(bank, 0, 8192);
    assert.equal(calls, ['datasync', 'drop 0+8192']);
    file.close();
  });

  test('after a drain that failed the whole cache is doubted, until it was dropped and a drain succeeded', () => {
    const { file, calls, answers } = watched('doubted');
    answers.push(-EIO);
    throwsCode('ERR_PMSEG_IO', () => file.drain());
    calls.length = 0;
    // The drain behind the comparison fails too: nothing is known better than before.
    answers.push(0, -EIO);
    throwsCode('ERR_PMSEG_IO', () => file.dropCache(bank, 0, 4096));
    assert.equal(calls, ['datasync', `drop 0+${SIZE}`, 'datasync']);
    calls.length = 0;
    file.dropCache(bank, 0, 4096);
    assert.equal(calls, ['datasync', `drop 0+${SIZE}`, 'datasync'], 'still all of it');
    calls.length = 0;
    file.dropCache(bank, 0, 4096);
    assert.equal(calls, ['datasync', 'drop 0+4096'], 'and no more after that');
    file.close();
  });
}
