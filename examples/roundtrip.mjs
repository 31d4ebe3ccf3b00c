/**
 * npm start [-- FILE…]: puts files into a new pool, closes it, opens it again, checks it, gets the files back and compares SHA-256.
 * Without FILE the running node binary is the file. Everything happens in a temporary folder, which is removed.
 */
import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Pool, checkPool, isSound } from 'pmseg';

const MIB = 2 ** 20;
const SEGMENT_SIZE = 16 * MIB;

const files = process.argv.slice(2);
if (files.length === 0) files.push(process.execPath);

/** Size of a regular file; ends the program with status 2 for anything else. */
function sizeOf(file) {
  try {
    const stat = statSync(file);
    if (stat.isFile()) return stat.size;
    console.error(`roundtrip: ${file} is not a regular file`);
  } catch (error) {
    console.error(`roundtrip: ${error.message}`);
  }
  process.exit(2);
}

/** Streams a file into an object; returns SHA-256 and seconds. */
function putFile(pool, name, file, size) {
  const begin = performance.now();
  const hash = createHash('sha256');
  const fd = openSync(file, 'r');
  const chunk = Buffer.allocUnsafe(MIB);
  const writer = pool.createObject(name, { sizeHint: size });
  try {
    for (let count = readSync(fd, chunk); count > 0; count = readSync(fd, chunk)) {
      hash.update(chunk.subarray(0, count));
      writer.write(chunk.subarray(0, count));
    }
    // Visible and durable from here on, or not there at all.
    writer.commit();
  } finally {
    writer.abort();
    closeSync(fd);
  }
  return { sha256: hash.digest('hex'), seconds: (performance.now() - begin) / 1000 };
}

/** Streams an object out; the CRC is checked on the way. */
function getObject(pool, name) {
  const begin = performance.now();
  const hash = createHash('sha256');
  for (const chunk of pool.openObject(name).chunks()) hash.update(chunk);
  return { sha256: hash.digest('hex'), seconds: (performance.now() - begin) / 1000 };
}

const sizes = files.map(sizeOf);
const folder = mkdtempSync(join(tmpdir(), 'pmseg-roundtrip-'));
const path = join(folder, 'example.pmseg');
let sound = true;
try {
  const dataSize = SEGMENT_SIZE - 16384;
  const segmentCount = sizes.reduce((sum, size) => sum + Math.max(1, Math.ceil(size / dataSize)), 0);
  const pool = Pool.create(path, { size: 4 * MIB + segmentCount * SEGMENT_SIZE, segmentSize: SEGMENT_SIZE, label: 'roundtrip' });
  const { mode, granularity, forced, guarantee, nativeUnavailable } = pool.status();
  const names = files.map((file, i) => `${i}/${basename(file)}`);
  const puts = files.map((file, i) => putFile(pool, names[i], file, sizes[i]));
  pool.close();

  const again = Pool.open(path, { readOnly: true });
  const check = checkPool(again);
  const entries = new Map(again.list().map((entry) => [entry.name, entry]));
  const rows = names.map((name, i) => {
    const got = getObject(again, name);
    const equal = got.sha256 === puts[i].sha256;
    sound &&= equal;
    return {
      file: basename(files[i]),
      bytes: sizes[i],
      segments: entries.get(name).segmentIds.length,
      'MB/s in': Math.round(sizes[i] / 1e6 / puts[i].seconds),
      'MB/s out': Math.round(sizes[i] / 1e6 / got.seconds),
      'SHA-256': equal ? `${got.sha256.slice(0, 16)}… equal` : 'DIFFERENT',
    };
  });
  again.close();
  sound &&= isSound(check);
  console.table(rows);
  console.log(`mode         ${mode}${nativeUnavailable ? ` (no native shim: ${nativeUnavailable})` : ''}`);
  console.log(`granularity  ${granularity}${forced ? ' (forced)' : ''}`);
  console.log(`guarantee    ${guarantee}`);
  console.log(`check        ${isSound(check) ? 'sound' : check.findings.map(({ message }) => message).join('; ')}`);
} catch (error) {
  console.error(`roundtrip: ${error.message}`);
  sound = false;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = sound ? 0 : 1;
