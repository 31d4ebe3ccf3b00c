/**
 * Goal: copy mode's frames are a cache that nobody can tell from the file.
 * Method: more segments than frames, random writes, stores through views and reads against a model; views pin their frame.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Pool, type View } from '../../src/index.js';
import { MIB, temporaryFolder, throwsCode } from '../kit/pools.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';

const test = suite('copy');
const folder = temporaryFolder();
const SEGMENT_SIZE = 32 * MIB;
/** Of this size two fit into the frames. */
const FRAMES = 2;
const COUNT = 5;
let number = 0;

function newPool(): { pool: Pool; path: string } {
  const path = join(folder, `pool-${number++}`);
  const pool = Pool.create(path, { size: (2 + COUNT * 32) * MIB + 4096, segmentSize: SEGMENT_SIZE, sparse: true, mode: 'copy' });
  for (let i = 0; i < COUNT; i++) pool.allocate();
  return { pool, path };
}

test('segments that share frames keep their bytes apart, through writes, views and evictions', () => {
  const prng = new Prng();
  const { pool, path } = newPool();
  const SPAN = 200000;
  const model = Array.from({ length: COUNT }, () => new Uint8Array(SPAN));
  for (let round = 0; round < 600; round++) {
    const id = prng.below(COUNT);
    const segment = pool.segment(id);
    const bytes = model[id] as Uint8Array;
    const off = prng.below(SPAN - 1);
    const len = Math.min(SPAN - off, 1 + prng.below(prng.below(3) === 0 ? 70000 : 300));
    const kind = prng.below(4);
    if (kind === 0) {
      const data = prng.bytes(len);
      segment.write(data, off);
      bytes.set(data, off);
    } else if (kind === 1) {
      const view = segment.view(off, len, { write: true });
      assert.is(Buffer.compare(view.bytes, bytes.subarray(off, off + len)), 0, `round ${round}: view`);
      view.bytes.fill(round);
      bytes.fill(round, off, off + len);
      if (prng.below(2) === 0) segment.flush(off, len);
      view.release();
    } else {
      const read = Buffer.alloc(len);
      segment.read(read, off);
      assert.is(Buffer.compare(read, bytes.subarray(off, off + len)), 0, `round ${round}: read`);
    }
  }
  for (let id = 0; id < COUNT; id++) pool.segment(id).persist();
  const { dataOff, segmentsOff } = pool.engine.superblock;
  pool.close();
  const file = readFileSync(path);
  model.forEach((bytes, id) =>
    assert.is(file.compare(bytes, 0, SPAN, segmentsOff + id * SEGMENT_SIZE + dataOff, segmentsOff + id * SEGMENT_SIZE + dataOff + SPAN), 0),
  );
});

test('lent views pin their frames; when all are lent the next segment is busy, and free again after', () => {
  const { pool } = newPool();
  const views: View[] = [];
  for (let id = 0; id < FRAMES; id++) views.push(pool.segment(id).view(0, 10));
  throwsCode('ERR_PMSEG_BUSY', () => pool.segment(3).view(0, 10));
  throwsCode('ERR_PMSEG_BUSY', () => pool.segment(3).read(Buffer.alloc(1), 0));
  pool.segment(3).write(Buffer.from('x'), 0);
  views.pop()?.release();
  const read = Buffer.alloc(1);
  pool.segment(3).read(read, 0);
  assert.is(read.toString(), 'x');
  views.pop()?.release();
  pool.close();
});

/** System calls that wrote, of this process. */
const writesSoFar = (): number => Number(/^syscw: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);

test('a range that is lent and flushed again and again is written once each time', () => {
  const { pool } = newPool();
  const segment = pool.segment(0);
  for (let i = 0; i < 200; i++) {
    const view = segment.view(100, 50, { write: true });
    view.bytes.fill(i);
    const before = writesSoFar();
    segment.flush(100, 50);
    assert.is(writesSoFar() - before, 1, `round ${i}`);
    view.release();
  }
  pool.close();
});

test('stores through a view that were never flushed do not come back when the pool is read again', () => {
  const { pool, path } = newPool();
  const view = pool.segment(0).view(0, 4, { write: true });
  view.bytes.set([1, 2, 3, 4]);
  view.release();
  pool.close();
  const again = Pool.open(path, { mode: 'copy', readOnly: true });
  const read = Buffer.alloc(4);
  again.segment(0).read(read, 0);
  assert.ok([0, 1].includes(read[0] as number), 'they may be there or not; close persists nothing');
  again.close();
});
