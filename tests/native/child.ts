/**
 * Scenarios for processes that may die: run as `node child.js SCENARIO ARG…`, each prints one JSON object if it survives.
 */
import { constants, ftruncateSync, openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { native, type Native } from '../../src/native.js';

const shim = native as Native;
const MIB = 2 ** 20;
const PTR = 4 * MIB;
const FAULTS_PTR = 0x10040;
const PAGE = native?.cpu().pageSize ?? 4096;

/** The stranger of foreign.c. */
interface Foreign {
  install(kind: number): number;
  fault(): number;
  /** [calls, with the right address, SIGUSR1 blocked, SIGUSR2 blocked, SIGBUS blocked, si_code] */
  counts(): number[];
  watch(address: number, len: number): number;
  poison(address: number): number;
  unwatch(): number;
}

const foreign = (path: string): Foreign => createRequire(import.meta.url)(path) as Foreign;

function makeMemory(size: number): Uint8Array {
  return new Uint8Array(new WebAssembly.Memory({ initial: size / 65536, maximum: size / 65536, shared: true }).buffer);
}

function map(path: string, size: number) {
  const fd = shim.open(path, constants.O_RDWR, 0);
  const bytes = makeMemory(PTR + size + MIB);
  const id = shim.map(bytes, PTR, size, fd, 0, 0, FAULTS_PTR);
  if (id < 0) throw new Error(`map: ${id}`);
  const word = new Int32Array(bytes.buffer, FAULTS_PTR, 1);
  return { fd, bytes, id, faults: () => Atomics.load(word, 0) };
}

/** All bad ranges, as pairs. */
function badRanges(id: number): number[][] {
  const out = new Float64Array(2 * shim.badRanges(id, new Float64Array(0)));
  shim.badRanges(id, out);
  return Array.from({ length: out.length / 2 }, (_, i) => [...out.subarray(2 * i, 2 * i + 2)]);
}

const scenarios: Record<string, (...args: string[]) => unknown> = {
  /** A file shrinks under its mapping. */
  truncated(path) {
    const { fd, bytes, id, faults } = map(path as string, MIB);
    const before = { faults: faults(), bad: shim.badTest(id, 0, MIB) };
    shim.truncate(fd, 10 * PAGE + 100);
    const tailByte = bytes[PTR + 20 * PAGE];
    const after = { faults: faults(), bad: shim.badTest(id, 0, MIB), good: shim.badTest(id, 0, 11 * PAGE), ranges: badRanges(id) };
    bytes.fill(9, PTR + 11 * PAGE, PTR + MIB);
    const stored = { faults: faults(), byte: bytes[PTR + 30 * PAGE] };
    // Flushing lies on such pages, which is why the host asks the table.
    const flushed = [shim.flush(id, 1, 0, MIB), shim.flush(id, 2, 0, MIB)];
    const early = { remap: shim.remap(id, 11 * PAGE, PAGE), epoch: shim.badEpoch() };
    shim.truncate(fd, MIB);
    const part = {
      remap: shim.remap(id, 11 * PAGE, PAGE),
      epoch: shim.badEpoch(),
      bad: shim.badTest(id, 0, MIB),
      byte: bytes[PTR + 11 * PAGE],
      next: bytes[PTR + 12 * PAGE],
    };
    const rest = { remap: shim.remap(id, 12 * PAGE, MIB - 12 * PAGE), bad: shim.badTest(id, 0, MIB) };
    bytes[PTR + 12 * PAGE] = 77;
    const reached = new Uint8Array(1);
    shim.pread(fd, reached, 0, 1, 12 * PAGE);
    // Once repaired, the same page faults anew.
    shim.truncate(fd, 0);
    const again = { byte: bytes[PTR + 12 * PAGE], faults: faults(), bad: shim.badTest(id, 0, MIB) };
    return {
      before,
      tailByte,
      after,
      stored,
      flushed,
      early,
      part,
      rest,
      reached: reached[0],
      again,
      unmap: shim.unmap(id),
      zero: bytes[PTR + 12 * PAGE],
    };
  },

  /** Kernel copies from and to lost pages fail without any signal. */
  kernelCopy(path) {
    const { fd, bytes, id, faults } = map(path as string, MIB);
    const other = shim.open(`${path}-copy`, constants.O_RDWR | constants.O_CREAT, 0o600);
    shim.truncate(fd, PAGE);
    const answers = [shim.pwrite(other, bytes, PTR + 4 * PAGE, PAGE, 0, false), shim.pread(other, bytes, PTR + 4 * PAGE, 1, 0)];
    const silent = { faults: faults(), bad: shim.badTest(id, 0, MIB) };
    const marked = [shim.badMark(id, 4 * PAGE + 10, PAGE), shim.badMark(id, 0, 0), shim.badMark(id, MIB - 1, 2)];
    const ranges = badRanges(id);
    // A marked page that is then touched faults for real and must still be mended.
    return { answers, silent, marked, ranges, faults: faults(), byte: bytes[PTR + 4 * PAGE], ranges2: badRanges(id), faults2: faults() };
  },

  /** Loads by a shim copy, by JavaScript and through a private mapping survive alike. */
  everyway(path) {
    const { fd, bytes, id, faults } = map(path as string, MIB);
    shim.truncate(fd, 0);
    const out = new Uint8Array(100).fill(1);
    const seen = [
      faults(),
      shim.copyOut(id, 0, out, 0, 100),
      faults(),
      shim.copyIn(id, 0, out, 0, 100),
      shim.copyPlain(id, 0, out, 0, 100),
      faults(),
    ];
    shim.truncate(fd, MIB);
    const readOnly = shim.open(path as string, constants.O_RDONLY, 0);
    const other = shim.map(bytes, PTR + MIB, MIB, readOnly, 0, 1, FAULTS_PTR);
    shim.truncate(fd, 0);
    const byte = bytes[PTR + MIB];
    return { seen, zeros: out.every((value) => value === 0), other, byte, faults: faults(), bad: shim.badTest(other, 0, MIB) };
  },

  /**
   * Threads read a file full of ones while it shrinks page by page: who reads a zero must find the counter and the table saying so.
   * Returns how often somebody read zeros, and how often nothing told him.
   */
  async race(path, seconds) {
    const size = 4 * MIB;
    const { fd, bytes, id, faults } = map(path as string, size);
    const source = `
      const { workerData: { door, id, bytes, ptr, size, page, faultsPtr }, parentPort } = require('node:worker_threads');
      import(door).then(({ native }) => {
        native.attach(bytes, id);
        const words = new Int32Array(bytes.buffer);
        let zeros = 0, silent = 0;
        const stop = faultsPtr / 4 + 16;
        parentPort.postMessage('ready');
        while (!Atomics.load(words, stop)) {
          for (let off = size - page; off >= 0; off -= page) {
            const epoch = native.badEpoch();
            const bad = native.badTest(id, off, page) >= 0;
            if (Atomics.load(words, (ptr + off) / 4) !== 0 || bad) continue;
            zeros++;
            const told = Atomics.load(words, faultsPtr / 4) !== 0 && native.badTest(id, off, page) >= 0;
            // A repair in between has made the page good again, and says so.
            if (!told && native.badEpoch() === epoch) silent++;
          }
        }
        native.unmap(id);
        parentPort.postMessage({ zeros, silent });
      });`;
    const workerData = {
      door: new URL('../../src/native.js', import.meta.url).href,
      id,
      bytes,
      ptr: PTR,
      size,
      page: PAGE,
      faultsPtr: FAULTS_PTR,
    };
    const workers = Array.from({ length: 4 }, () => new Worker(source, { eval: true, workerData }));
    const heard = (worker: Worker): Promise<unknown> =>
      new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await Promise.all(workers.map(heard));
    const ends = workers.map(heard);
    const ones = new Uint8Array(size).fill(1);
    const until = performance.now() + 1000 * Number(seconds);
    let rounds = 0;
    while (performance.now() < until) {
      for (let left = size - PAGE; left >= 0; left -= 16 * PAGE) shim.truncate(fd, left);
      shim.truncate(fd, 0);
      await new Promise((resolve) => setTimeout(resolve, 1));
      shim.pwrite(fd, ones, 0, size, 0, false);
      shim.remap(id, 0, size);
      rounds++;
    }
    Atomics.store(new Int32Array(bytes.buffer), FAULTS_PTR / 4 + 16, 1);
    const said = (await Promise.all(ends)) as { zeros: number; silent: number }[];
    return {
      rounds,
      faults: faults(),
      zeros: said.reduce((sum, one) => sum + one.zeros, 0),
      silent: said.reduce((sum, one) => sum + one.silent, 0),
    };
  },

  /** Without anybody before us a foreign fault ends the process, as it would have. */
  foreignDefault(path, addon) {
    map(path as string, MIB);
    return { read: foreign(addon as string).fault() };
  },

  /** A handler from before gets foreign faults, with its mask and its arguments, and never ours. */
  foreignHandled(path, addon, kind) {
    const stranger = foreign(addon as string);
    stranger.install(Number(kind));
    const { fd, bytes, faults } = map(path as string, MIB);
    shim.truncate(fd, 0);
    const ours = { byte: bytes[PTR], faults: faults(), counts: stranger.counts() };
    return { ours, read: stranger.fault(), counts: stranger.counts(), faults: faults(), guard: shim.guard() };
  },

  /** SIGBUS sent by `kill`, not by a fault. */
  killed(path, addon, kind) {
    if (kind !== 'default') foreign(addon as string).install(Number(kind));
    map(path as string, MIB);
    process.kill(process.pid, 'SIGBUS');
    return { alive: true };
  },

  /** A library that came after us and hands on to us: we take our faults through it; re-asserted, nobody loops. */
  polite(path, addon) {
    const stranger = foreign(addon as string);
    stranger.install(1);
    const { fd, bytes, id, faults } = map(path as string, MIB);
    const late = foreign(addon as string);
    late.install(4);
    const replaced = shim.guard();
    shim.truncate(fd, 4 * PAGE);
    const through = { byte: bytes[PTR + 5 * PAGE], faults: faults(), seen: stranger.counts()[0] };
    const installed = [shim.guardInstall(), shim.guardInstall(), shim.guard()];
    shim.truncate(fd, 0);
    return {
      replaced,
      through,
      installed,
      byte: bytes[PTR],
      faults: faults(),
      bad: shim.badTest(id, 0, PAGE),
      read: stranger.fault(),
      seen: stranger.counts()[0],
    };
  },

  /** `process.on('SIGBUS')` takes the signal; it is noticed and taken back, again and again, and JavaScript still gets what is not ours. */
  async listener(path) {
    const { fd, bytes, id, faults } = map(path as string, MIB);
    const guards = [shim.guard()];
    let heard = 0;
    for (let round = 0; round < 20; round++) {
      const listener = (): void => void heard++;
      process.on('SIGBUS', listener);
      guards.push(shim.guard());
      shim.guardInstall();
      guards.push(shim.guard());
      process.kill(process.pid, 'SIGBUS');
      await new Promise((resolve) => setTimeout(resolve, 10));
      process.off('SIGBUS', listener);
      shim.guardInstall();
    }
    shim.truncate(fd, 0);
    return {
      guards: [...new Set(guards.slice(1, 3))],
      before: guards[0],
      heard,
      byte: bytes[PTR],
      faults: faults(),
      bad: shim.badTest(id, 0, 1),
    };
  },

  /** Poisoned pages, as memory that has failed: `count` of them, every other page. */
  poison(path, addon, count) {
    const size = 2 * Number(count) * PAGE;
    ftruncateSync(openSync(path as string, 'r+'), size);
    const { bytes, id, faults } = map(path as string, size);
    const stranger = foreign(addon as string);
    const watched = stranger.watch(shim.address(bytes) + PTR, size);
    if (watched !== 0) return { refused: watched };
    for (let page = 0; page < 2 * Number(count); page += 2) stranger.poison(shim.address(bytes) + PTR + page * PAGE);
    stranger.unwatch();
    let read = 0;
    let missing = 0;
    for (let page = 0; page < 2 * Number(count); page += 2) {
      read += bytes[PTR + page * PAGE] as number;
      if (shim.badTest(id, page * PAGE, PAGE) < 0) missing++;
    }
    const good = shim.badTest(id, PAGE, PAGE);
    return { read, missing, good, faults: faults(), ranges: shim.badRanges(id, new Float64Array(0)), unmap: shim.unmap(id) };
  },

  /** A memory is mapped and forgotten; the file must still be there, and faults still be ours. */
  collected(path) {
    const gc = (globalThis as { gc?: () => void }).gc as () => void;
    const place = (): { address: number; id: number } => {
      const { bytes, id } = map(path as string, MIB);
      return { address: shim.address(bytes) + PTR, id };
    };
    const { id } = place();
    for (let i = 0; i < 5; i++) {
      gc();
      makeMemory(64 * MIB);
    }
    const out = new Uint8Array(16);
    shim.copyOut(id, 0, out, 0, 16);
    return { stillThere: out.every((byte) => byte !== 0) && shim.unmap(id) === 0 };
  },

  /** The process ends while work on a mapping is under way. */
  exits(path): never {
    const { id, bytes } = map(path as string, MIB);
    bytes.fill(1, PTR, PTR + MIB);
    for (let i = 0; i < 32; i++) void shim.flushAsync(id, 2, 0, MIB);
    writeSync(1, '{"alive":true}');
    process.exit(0);
  },

  /** Run with PMSEG_NATIVE=off: a thread that alone loads the shim maps, faults and ends; then a signal comes. */
  async workerOnly(path) {
    const source = `
      const { workerData, parentPort } = require('node:worker_threads');
      import(workerData.script).then(({ mapAndFault }) => parentPort.postMessage(mapAndFault(workerData.path)));`;
    const env = { ...process.env, PMSEG_NATIVE: process.env['PMSEG_NATIVE_IN_WORKER'] ?? '' };
    const worker = new Worker(source, { eval: true, env, workerData: { script: import.meta.url, path } });
    const said = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
    await new Promise((resolve) => worker.on('exit', resolve));
    writeSync(2, JSON.stringify(said));
    process.kill(process.pid, 'SIGBUS');
    return {};
  },
};

/** For `workerOnly`, inside its Worker. */
export function mapAndFault(path: string): unknown {
  const { fd, bytes, faults } = map(path, MIB);
  shim.truncate(fd, 0);
  return { byte: bytes[PTR], faults: faults() };
}

const [name, ...args] = process.argv.slice(2);
const run = name === undefined ? undefined : scenarios[name];
if (run && process.argv[1]?.endsWith('child.js')) {
  const said = await run(...args);
  // The listeners of the scenario are over; whatever it left open must not keep the process.
  writeSync(1, JSON.stringify(said));
  process.exit(0);
}
