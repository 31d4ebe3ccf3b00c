/** Temporary folders and files in a known state. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from '../../dist/src/index.js';

export const MIB = 2 ** 20;

/** A folder that goes away with the process. */
export function temporaryFolder(parent) {
  const folder = mkdtempSync(join(parent, 'pmseg-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  process.once('SIGINT', () => process.exit(130));
  return folder;
}

/** A file whose blocks are allocated, written and durable: descriptor. */
export function writtenFile(path, size) {
  const fd = openSync(path, 'w+');
  const zeros = Buffer.alloc(MIB, 1);
  for (let off = 0; off < size; off += MIB) writeSync(fd, zeros, 0, Math.min(MIB, size - off), off);
  fdatasyncSync(fd);
  return fd;
}

/** A pool whose segments have been written once and given back: allocated and written blocks under everything that comes. */
export function writtenPool(path, size, segmentSize = 16 * MIB) {
  const pool = Pool.create(path, { size, segmentSize });
  const bytes = Buffer.alloc(MIB, 1);
  const segments = [];
  for (let left = pool.status().segments.free; left > 0; left--) {
    const segment = pool.allocate();
    for (let off = 0; off < segment.dataSize; off += MIB) segment.write(bytes.subarray(0, Math.min(MIB, segment.dataSize - off)), off);
    segments.push(segment);
  }
  pool.drain();
  for (const segment of segments) pool.free(segment);
  return pool;
}

export function close(fd) {
  closeSync(fd);
}
