/**
 * Goal: no benchmark rots, and what it leaves behind can be read later.
 * Method: run each with `--quick`, without peers, and hold its JSON against the fields that the kit promises; draw its charts.
 * No time is judged here.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { ROOT } from '../kit/playground.js';
import { temporaryFolder } from '../kit/folder.js';
import { suite } from '../kit/suite.js';

interface Chart {
  file: string;
  title: string;
}
interface Result {
  bench: string;
  quick: boolean;
  tables: Record<string, Record<string, unknown>[]>;
  goals: { what: string; value: number; met: boolean }[];
  charts: Chart[];
}

const folder = join(ROOT, 'bench');
const names = readdirSync(folder).filter((name) => name.endsWith('.mjs') && name !== 'run.mjs');
const { FIELDS } = (await import(pathToFileURL(join(folder, 'kit/report.mjs')).href)) as { FIELDS: string[] };
const { drawChart } = (await import(pathToFileURL(join(folder, 'kit/chart.mjs')).href)) as {
  drawChart(chart: Chart, subtitle: string): string;
};
const out = temporaryFolder();
// After the imports above: a suite runs as soon as its file gives way.
const test = suite('benchmarks');

for (const name of names) {
  test(`${name} --quick runs, and its JSON says all that it must`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, name), '--quick', '--no-peers', '--out', out], {
      encoding: 'utf8',
      env: { ...process.env, PMSEG_FORCE_GRANULARITY: '' },
    });
    assert.is(status, 0, `${stdout}${stderr}`);
    const result = JSON.parse(readFileSync(join(out, name.replace(/mjs$/, 'json')), 'utf8')) as Result & Record<string, unknown>;
    assert.equal(Object.keys(result), FIELDS);
    assert.is(result.bench, name.replace(/\.mjs$/, ''));
    assert.is(result.quick, true);
    const rows = Object.values(result.tables);
    assert.ok(rows.length > 0 && rows.every((table) => table.length > 0), 'tables with rows');
    for (const [title, table] of Object.entries(result.tables))
      for (const row of table) for (const [key, value] of Object.entries(row)) assert.ok(value !== null, `${title}: ${key} is a number`);
    for (const { what, value } of result.goals) assert.ok(Number.isFinite(value), what);
    for (const chart of result.charts) {
      const text = drawChart(chart, 'a machine');
      assert.match(text, /^<svg [\s\S]*<\/svg>\n$/);
      assert.not.match(text, /NaN|undefined|Infinity/, chart.file);
      assert.match(chart.file, /^[a-z0-9-]+\.svg$/);
    }
  });
}

console.log(`NOTE benchmarks: ${names.length} ran their quick form`);
