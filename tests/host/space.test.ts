/**
 * Goal: a process that may not have the address space or the mappings for a pool is told so, before anything is changed; and a pool takes no
 * more of either than its banks.
 * Method: a child under `ulimit -v` opens pools of one bank and of many.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Pool } from '../../src/index.js';
import { planWindows } from '../../src/medium/plan.js';
import { assertSpace } from '../../src/medium/space.js';
import { native, nativeUnavailable } from '../../src/native.js';
import { temporaryFolder, throwsCode } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const test = suite('address space');
/** Pages of a memory file cannot be dropped, so a writable open compares them with the medium, which takes room of its own. */
const folder = temporaryFolder(existsSync('/dev/shm') ? '/dev/shm' : undefined);
const index = new URL('../../src/index.js', import.meta.url).href;
const GIB = 2 ** 30;
const OPEN = `
  import { Pool } from '${index}';
  try {
    const pool = Pool.open(process.argv[1]);
    console.log(JSON.stringify({ banks: pool.engine.medium.banks.length, free: pool.status().segments.free }));
    pool.close();
  } catch (error) {
    console.log(JSON.stringify({ code: error.code, message: error.message }));
  }`;

/** What a process with so many GiB of address space beyond its own says when it opens the pool for writing. */
function openedWith(path: string, gibibytes: number | undefined): Record<string, unknown> {
  const script = 'limit=$1; shift; [ "$limit" = none ] || ulimit -v "$limit"; exec "$@"';
  const limit = gibibytes === undefined ? 'none' : String(gibibytes * 2 ** 20);
  const node = [process.execPath, '--input-type=module', '-e', OPEN, path];
  const { stdout, stderr, status } = spawnSync('sh', ['-c', script, 'sh', limit, ...node], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

function headOf(path: string): Buffer {
  const fd = openSync(path, 'r');
  const head = Buffer.alloc(4096);
  readSync(fd, head);
  closeSync(fd);
  return head;
}

const title = 'a pool of many banks is refused where they do not fit, and opens where they do';
const refusal = (): void => {
  const path = join(folder, 'large.pmseg');
  Pool.create(path, { size: 100 * GIB, sparse: true }).close();
  const before = headOf(path);
  const { mtimeMs } = statSync(path);
  const refused = openedWith(path, 64);
  assert.is(refused['code'], 'ERR_PMSEG_UNSUPPORTED');
  assert.match(String(refused['message']), /needs 26 banks .* 64 GiB: raise ulimit -v/);
  assert.equal(headOf(path), before);
  assert.is(statSync(path).mtimeMs, mtimeMs);
  assert.not.ok(existsSync(`${path}.lock`), 'no lock is left');
  assert.is(openedWith(path, undefined)['banks'], 26);
  assert.is(openedWith(path, 26 * 10 + 64)['banks'], 26, 'nothing is refused that fits');
};

const oneTitle = 'a pool of one bank opens, for writing, where one memory fits';
const oneBank = (): void => {
  const path = join(folder, 'small.pmseg');
  Pool.create(path, { size: GIB, sparse: true }).close();
  // Ten GiB of the bank, and what Node takes by itself; a second memory would not fit.
  assert.is(openedWith(path, 17)['banks'], 1);
};

if (!native) for (const skipped of [title, oneTitle]) test.skip(skipped, `no native shim: ${nativeUnavailable}`);
else {
  test(title, refusal);
  test(oneTitle, oneBank);
}

const mapTitle = 'more banks than the kernel allows mappings are refused';
if (!existsSync('/proc/sys/vm/max_map_count')) test.skip(mapTitle, 'there is no vm.max_map_count here');
else
  test(mapTitle, () => {
    const most = Number(readFileSync('/proc/sys/vm/max_map_count', 'latin1'));
    const error = throwsCode('ERR_PMSEG_UNSUPPORTED', () => assertSpace(Math.ceil(most / 4), 'a pool'));
    assert.match(error.message, /vm\.max_map_count|ulimit -v/);
    assertSpace(planWindows({ segmentsOff: 2 ** 21, segmentSize: 2 ** 24, segmentCount: 2 ** 16 }).bankCount, '1 TiB');
  });
