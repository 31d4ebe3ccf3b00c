/**
 * CRC-32C and copies with it, against npm's native addons, the processor's own instructions, and memcpy.
 *
 * --quick: three sizes, some milliseconds each.
 *
 * What is always true
 *   - Every candidate has given the right value for every size before it is timed.
 *   - Candidates take turns, round by round; a figure is the best of the rounds' fastest batches, in which the machine did the least else.
 *     What counts are the ratios inside one run.
 *   - What is missing (a peer, a C compiler) is said and left out.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { do_not_optimize, measure } from 'mitata';
import { ARENA_PTR, BVEC_LEN_OFF, BVEC_PTR_OFF } from '../dist/assembly/plan.js';
import { compileCore, hostHasVectors, instantiateCore } from '../dist/src/core.js';
import { ROOT } from './kit/places.mjs';
import { Report, options } from './kit/report.mjs';

const require = createRequire(import.meta.url);

const SIZES = options.quick ? [64, 4096, 65536] : [64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 16777216];
const ROUNDS = options.quick ? 1 : 6;
const MILLISECONDS = options.quick ? 2 : 25;

// --- The data, in linear memory for the core and in a Buffer for addons

const TABLE_PTR = ARENA_PTR;
const SOURCE_PTR = ARENA_PTR + 0x1000;
const TARGET_PTR = SOURCE_PTR + 0x1800000;
const memory = new WebAssembly.Memory({ initial: 2048, maximum: 2048, shared: true });
const source = new Uint8Array(memory.buffer, SOURCE_PTR, Math.max(...SIZES));
for (let i = 0; i < source.length; i++) source[i] = Math.imul(i, 2654435761) >>> 13;
const table = new DataView(memory.buffer, TABLE_PTR);
table.setUint32(BVEC_PTR_OFF, TARGET_PTR, true);
table.setUint32(BVEC_LEN_OFF, source.length, true);
const buffers = new Map(SIZES.map((size) => [size, Buffer.from(source.slice(0, size))]));

// --- Who takes part: a name, and for a size a function without arguments that returns the standard CRC

const scalar = instantiateCore(memory, compileCore(false));
const core = hostHasVectors() ? instantiateCore(memory, compileCore(true)) : scalar;

const checksums = new Map([
  ['pmseg', (size) => () => core.crc32cStandard(0, SOURCE_PTR, size)],
  ['pmseg, scalar build', (size) => () => scalar.crc32cStandard(0, SOURCE_PTR, size)],
]);
/** Raw registers from a seed of ones, inverted, are standard CRCs. */
const copies = new Map([
  ['pmseg: fused copy + CRC', (size) => () => ~core.crc32cCopy(0xffffffff, TARGET_PTR, SOURCE_PTR, size) >>> 0],
  [
    'pmseg: copy, then CRC',
    (size) => () => {
      core.copyToBio(SOURCE_PTR, source.length, 0, size, TABLE_PTR, 1, 0);
      return core.crc32cStandard(0, TARGET_PTR, size);
    },
  ],
]);
const peers = [
  ['sse4_crc32', (addon, buffer) => () => addon.calculate(buffer)],
  ['fast-crc32c', (addon, buffer) => () => addon.calculate(buffer)],
  ['@node-rs/crc32', (addon, buffer) => () => addon.crc32c(buffer)],
];
const versions = {};
const missing = [];
for (const [name, use] of options.peers ? peers : []) {
  try {
    const addon = require(name);
    versions[name] = require(`${name}/package.json`).version;
    checksums.set(name, (size) => use(addon, buffers.get(size)));
  } catch (error) {
    missing.push(`${name}: ${String(error.message).split('\n')[0]}`);
  }
}

// --- A fresh process: V8 begins with quickly made code

/** Speed of the first 256 KiB, and when three batches in a row came at nine tenths of the best speed. */
function beginFresh() {
  const batches = [];
  const begin = performance.now();
  for (let at = begin; at < begin + 150; ) {
    for (let call = 0; call < 16; call++) do_not_optimize(core.crc32cStandard(0, SOURCE_PTR, 4096));
    const now = performance.now();
    batches.push({ end: now - begin, speed: 65.536 / ((now - at) * 1000) });
    at = now;
  }
  const full = 0.9 * batches.map(({ speed }) => speed).sort((a, b) => b - a)[batches.length >> 4];
  const first = batches.findIndex((_, i) => batches.slice(i, i + 3).every(({ speed }) => speed >= full));
  return { firstSpeed: 262.144 / (batches[3].end * 1000), milliseconds: batches[first].end, mebibytes: (first + 1) / 16 };
}
if (process.env['PMSEG_BENCH_FRESH']) {
  console.log(JSON.stringify(beginFresh()));
  process.exit(0);
}
const fresh = Array.from({ length: options.quick ? 1 : 7 }, () =>
  JSON.parse(
    execFileSync(process.execPath, [fileURLToPath(import.meta.url), '--quick', '--no-peers'], {
      encoding: 'utf8',
      env: { ...process.env, PMSEG_BENCH_FRESH: '1' },
    }),
  ),
).sort((a, b) => a.milliseconds - b.milliseconds);

// --- Measuring

/** Best nanoseconds per call by name and size. */
const best = new Map();

function note(name, size, nanoseconds) {
  const row = best.get(name) ?? new Map();
  row.set(size, Math.min(row.get(size) ?? Infinity, nanoseconds));
  best.set(name, row);
}

async function measureOurs(candidates) {
  for (const size of SIZES) {
    const batch = Math.max(4, Math.min(4096, Math.floor(100_000 / (20 + size / 10)) & ~3));
    for (const [name, make] of candidates) {
      const call = make(size);
      const { min } = await measure(() => do_not_optimize(call()), {
        min_cpu_time: MILLISECONDS * 1e6,
        min_samples: 3,
        batch_samples: batch,
      });
      note(name, size, min);
    }
  }
}

function verify(candidates) {
  for (const size of SIZES) {
    const expected = scalar.crc32cStandard(0, SOURCE_PTR, size);
    for (const [name, make] of candidates) if (make(size)() !== expected) throw new Error(`${name} is wrong for ${size} bytes`);
  }
}

/** The C program, built beside the core; `undefined` without a compiler or on another processor. */
function buildNative() {
  const program = join(ROOT, 'out', 'bench-crc32c');
  const compiler = process.env['CC'] ?? 'cc';
  if (process.arch !== 'x64') return void missing.push(`native: it is for x64, this is ${process.arch}`);
  const flags = ['-std=c11', '-O3', '-Wall', '-Wextra', '-Wconversion', '-Werror', '-D_GNU_SOURCE'];
  const { status, error, stderr } = spawnSync(compiler, [...flags, join(ROOT, 'bench/native/crc32c.c'), '-o', program], {
    encoding: 'utf8',
  });
  if (error) return void missing.push(`native: ${compiler} does not run`);
  if (status !== 0) throw new Error(`${compiler} failed: ${stderr}`);
  return program;
}

function measureNative(program) {
  const text = execFileSync(program, [String(MILLISECONDS), ...SIZES.map(String)], { encoding: 'utf8' });
  for (const line of text.trim().split('\n')) {
    const [name, size, nanoseconds] = line.split(' ');
    note(`native ${name}`, Number(size), Number(nanoseconds));
  }
}

/** V8 replaces quickly made code by fast code on a background thread; the figures are about the latter. */
async function warmUp() {
  for (const candidates of [checksums, copies])
    for (const make of candidates.values())
      for (const size of SIZES) {
        const call = make(size);
        for (let left = 10_000_000; left > 0; left -= size + 1000) do_not_optimize(call());
      }
  await new Promise((resolve) => setTimeout(resolve, 200));
}

mkdirSync(join(ROOT, 'out'), { recursive: true });
const program = buildNative();
verify(checksums);
verify(copies);
await warmUp();
for (let round = 0; round < ROUNDS; round++) {
  await measureOurs(checksums);
  await measureOurs(copies);
  if (program) measureNative(program);
}

// --- What came of it

const gigabytes = (name, size) => size / (best.get(name)?.get(size) ?? NaN);
/** NaN when nobody is there. */
const fastest = (names) => (size) => {
  const speeds = names.filter((name) => best.has(name)).map((name) => gigabytes(name, size));
  return speeds.length > 0 ? Math.max(...speeds) : NaN;
};
const addons = peers.map(([name]) => name);
const kernels = ['native three-streams', 'native vpclmul'];
const ratios = new Map([
  ['pmseg / fastest addon', (size) => gigabytes('pmseg', size) / fastest(addons)(size)],
  ['pmseg / fastest native loop', (size) => gigabytes('pmseg', size) / fastest(kernels)(size)],
  ['pmseg / scalar build', (size) => gigabytes('pmseg', size) / gigabytes('pmseg, scalar build', size)],
  ['fused / copy, then CRC', (size) => gigabytes('pmseg: fused copy + CRC', size) / gigabytes('pmseg: copy, then CRC', size)],
  ['fused / memcpy', (size) => gigabytes('pmseg: fused copy + CRC', size) / gigabytes('native memcpy', size)],
]);

const label = (size) => (size < 1024 ? `${size} B` : size < 1048576 ? `${size / 1024} KiB` : `${size / 1048576} MiB`);
const report = new Report('crc');
for (const [name, version] of Object.entries(versions)) report.version(name, version);
for (const what of missing) report.skip(...what.split(/: (.*)/, 2));

/** One row a name, one column a size; what could not be had is left out. */
const tableOf = (title, names, valueOf) =>
  report.table(
    title,
    names
      .map((name) => ({ name, ...Object.fromEntries(SIZES.map((size) => [label(size), valueOf(name, size)])) }))
      .filter((row) => Object.values(row).every((value) => typeof value === 'string' || Number.isFinite(value))),
  );
tableOf('GB/s, called with data in place', [...best.keys()], gigabytes);
tableOf('ns', [...best.keys()], (name, size) => best.get(name).get(size) ?? NaN);
tableOf('ratio', [...ratios.keys()], (name, size) => ratios.get(name)(size));
const usual = fresh[fresh.length >> 1];
report.table('a fresh process, median', [
  { gigabytesPerSecondOfFirst256KiB: usual.firstSpeed, fullSpeedAfterMs: usual.milliseconds, fullSpeedAfterMiB: usual.mebibytes },
]);

const least = (name, from) => Math.min(...SIZES.filter((size) => size >= from).map((size) => ratios.get(name)(size)));
report.goal('64 B, ns', best.get('pmseg').get(64), { most: 40 });
for (const [name, from, limit] of [
  ['pmseg / fastest addon', 1024, 2],
  ['pmseg / fastest native loop', 16384, 0.8],
  ['fused / copy, then CRC', 65536, 1.25],
])
  if (Number.isFinite(least(name, from))) report.goal(`${name}, least from ${label(from)} up`, least(name, from), { least: limit });
report.chart({
  file: 'crc.svg',
  title: 'CRC-32C, GB/s by size',
  x: 'bytes',
  y: 'GB/s',
  logX: true,
  series: [...best.keys()]
    .filter((name) => SIZES.every((size) => Number.isFinite(gigabytes(name, size))))
    .map((name) => ({ name, points: SIZES.map((size) => [size, gigabytes(name, size)]) })),
});
report.write();
