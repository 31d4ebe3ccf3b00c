/**
 * Goal: the benchmark of the CRC runs to its end wherever the product does, and what it writes can be read by a program.
 * Method: its short form in a process of its own. Nothing here depends on how fast anything is.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { temporaryFolder } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const test = suite('bench/crc');
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

test('the short form measures every candidate at every size, and says what is missing', () => {
  const json = join(temporaryFolder(), 'crc.json');
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'bench/crc.mjs'), '--quick', '--json', json], {
    encoding: 'utf8',
  });
  assert.is(status, 0, stderr);
  const { machine, versions, missing, nanoseconds, ratios } = JSON.parse(readFileSync(json, 'utf8'));
  assert.ok(machine.processor && machine.kernel && machine.node === process.version && !Number.isNaN(Date.parse(machine.date)));
  for (const name of ['pmseg', 'pmseg, scalar build', 'pmseg: fused copy + CRC', 'pmseg: copy, then CRC', ...Object.keys(versions)]) {
    assert.equal(Object.keys(nanoseconds[name]), ['64', '4096', '65536'], name);
    for (const value of Object.values(nanoseconds[name])) assert.ok((value as number) > 0, name);
  }
  assert.ok(Object.values(ratios['pmseg / scalar build']).every((value) => (value as number) > 0));
  for (const what of missing) assert.ok(stdout.includes(`SKIP ${what}`), what);
  console.log(`NOTE bench/crc: ${Object.keys(nanoseconds).length} candidates; left out: ${missing.length ? missing.join('; ') : 'none'}`);
});
