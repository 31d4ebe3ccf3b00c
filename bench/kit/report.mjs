/**
 * What a benchmark says: tables for people on stdout, and bench/out/NAME.json with everything that is needed to read the numbers later.
 *
 * What is always true
 *   - The JSON has the fields of `FIELDS`; tests/bench holds every benchmark to that.
 *   - Numbers carry their unit in the name of their column: p50Us, perSecond, ratio, bytes.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { OUT, ROOT } from './places.mjs';

export const FIELDS = ['bench', 'date', 'command', 'quick', 'machine', 'folders', 'versions', 'tables', 'goals', 'charts', 'skipped'];

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    'no-peers': { type: 'boolean', default: false },
    dir: { type: 'string', multiple: true },
    out: { type: 'string' },
  },
});

/** Options that every benchmark has. `folders`: where files are made. */
export const options = {
  quick: values.quick,
  peers: !values['no-peers'],
  folders: values.dir ?? (values.quick ? ['/tmp'] : ['/tmp', '/dev/shm']),
  out: values.out ?? OUT,
};

/** File system under a folder, by the name that stat(1) has for it. */
function fileSystem(folder) {
  const { stdout } = spawnSync('stat', ['-f', '-c', '%T', folder], { encoding: 'utf8' });
  const name = (stdout ?? '').trim();
  return name === 'ext2/ext3' ? 'ext4' : name;
}

/** Name of a folder's file system, for titles. */
const names = new Map();
export function placeOf(folder) {
  if (!names.has(folder)) names.set(folder, fileSystem(folder));
  return names.get(folder);
}

function machine() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    arch: arch(),
    kernel: `${type()} ${release()}`,
    node: process.version,
    loadavg: loadavg().map((load) => Number(load.toFixed(2))),
  };
}

function versionOf(path) {
  return JSON.parse(readFileSync(path, 'utf8')).version;
}

/** Seven digits are more than any of these numbers is worth. */
function shown(value) {
  if (typeof value !== 'number') return String(value ?? '');
  if (Number.isInteger(value)) return value.toLocaleString('en-US');
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export class Report {
  #json;

  constructor(bench) {
    this.#json = {
      bench,
      date: new Date().toISOString(),
      command: ['node', `bench/${basename(process.argv[1])}`, ...process.argv.slice(2)].join(' '),
      quick: options.quick,
      machine: machine(),
      folders: Object.fromEntries(options.folders.map((folder) => [folder, { fileSystem: placeOf(folder) }])),
      versions: { pmseg: versionOf(join(ROOT, 'package.json')) },
      tables: {},
      goals: [],
      charts: [],
      skipped: [],
    };
    console.log(`# ${bench}: ${this.#json.date}, ${this.#json.machine.kernel}, node ${process.version}, ${this.#json.machine.cpu}`);
  }

  /** Prints and keeps a table: rows are objects with the same keys, numbers as numbers. */
  table(title, rows) {
    this.#json.tables[title] = rows;
    const columns = Object.keys(rows[0] ?? {});
    const cells = [columns, ...rows.map((row) => columns.map((column) => shown(row[column])))];
    const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
    const isNumber = columns.map((column) => rows.every((row) => typeof row[column] !== 'string'));
    console.log(`\n## ${title}`);
    for (const line of cells)
      console.log(
        line
          .map((cell, i) => (isNumber[i] ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
          .join('  ')
          .trimEnd(),
      );
  }

  /** A figure held against what it should be; `least` or `most`. */
  goal(what, value, { least, most }) {
    const met = least === undefined ? value <= most : value >= least;
    this.#json.goals.push({ what, value, ...(least === undefined ? { most } : { least }), met });
    console.log(`${met ? 'met   ' : 'MISSED'} ${what}: ${shown(value)} (${least === undefined ? `at most ${most}` : `at least ${least}`})`);
  }

  /** A chart for docs/bench: { file, title, x, y, logX?, logY?, series: [{ name, points: [[x, y]] }] } or { …, bars: [{ name, value }] }. */
  chart(chart) {
    this.#json.charts.push(chart);
  }

  /** What could not be measured, and why: loudly. */
  skip(what, reason) {
    this.#json.skipped.push({ what, reason });
    console.log(`SKIP ${what}: ${reason}`);
  }

  /** Version of something that was measured. */
  version(name, version) {
    this.#json.versions[name] = version;
  }

  write() {
    mkdirSync(options.out, { recursive: true });
    const path = join(options.out, `${this.#json.bench}.json`);
    writeFileSync(path, `${JSON.stringify(this.#json, null, 2)}\n`);
    console.log(`\n${path}`);
  }
}
