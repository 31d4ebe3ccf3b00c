/**
 * A file that is cut under the map, in whatever runtime this is run by: `RUNTIME runtime.js FOLDER`. Prints what it saw as JSON.
 */
import { ftruncateSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from '../../src/index.js';

const folder = process.argv[2] as string;
const path = join(folder, 'pool');
const pool = Pool.create(path, { size: 4 * 2 ** 20, segmentSize: 2 ** 20 });
const { mode, size, nativeUnavailable } = pool.status();
const segment = pool.allocate();
segment.write(new Uint8Array(8 * 4096).fill(7), 0);
segment.persist();

const codeOf = (call: () => unknown): string | undefined => {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
};

const view = segment.view(0, 8 * 4096);
const before = view.bytes[5 * 4096];
const fd = openSync(path, 'r+');
ftruncateSync(fd, pool.engine.poolOff(segment.id, 4 * 4096));
const after = { lost: view.bytes[5 * 4096], kept: view.bytes[0] };
using bio = segment.bio(4096);
const codes = [
  codeOf(() => segment.copyToBio(4 * 4096, 4096, bio)),
  codeOf(() => segment.read(new Uint8Array(10), 6 * 4096)),
  codeOf(() => segment.crc32c(0, 8 * 4096)),
  codeOf(() => segment.persist(5 * 4096, 10)),
  codeOf(() => segment.read(new Uint8Array(10), 3 * 4096)),
];
ftruncateSync(fd, size);
for (const range of pool.status().badRanges) pool.repair(range);
const repaired = codeOf(() => segment.read(new Uint8Array(10), 6 * 4096));
view.release();
pool.close();
console.log(JSON.stringify({ mode, nativeUnavailable, before, after, codes, repaired }));
