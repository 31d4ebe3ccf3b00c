/**
 * Goal: durable appends find their blocks written, and nothing else changes for it.
 * Method: look at blocks and bytes behind the end of logs in new pools, of small and of large appends; take the room away.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Pool, type Log } from '../../src/index.js';
import { PmsegError } from '../../src/errors.js';
import { native, nativeUnavailable } from '../../src/native.js';
import { MIB, sizeFor, temporaryFolder } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const test = suite('blocks ahead of a log');
const folder = temporaryFolder('/tmp');
const PAGE = 4096;
const STRETCH = 65536;
let count = 0;

interface Made {
  path: string;
  pool: Pool;
  log: Log;
  /** Bytes at and behind the end that no write has reached, within a stretch. */
  bare(): number;
}

function newLog(): Made {
  const path = join(folder, `${count++}.pmseg`);
  const pool = Pool.create(path, { size: sizeFor(6), segmentSize: MIB });
  const log = pool.log('log', { create: true });
  const bare = (): number => {
    const id = pool.catalog.entries.get('log')?.segmentIds.at(-1) as number;
    const off = pool.engine.poolOff(id, Math.ceil((log.end % pool.dataSize) / PAGE) * PAGE);
    return pool.engine.medium.unwritten(off, STRETCH / 2);
  };
  return { path, pool, log, bare };
}

const titles = {
  small: 'after a small durable append the next blocks are written, hold zeros, and are not the log’s',
  shared: 'the same when callers share a barrier, and behind a roll-over',
  large: 'large appends are not followed by zeros',
  room: 'want of room ahead is nobody’s error',
};
const probe = newLog();
const told = native && probe.bare() > 0;
probe.pool.close();
if (!told)
  for (const title of Object.values(titles))
    test.skip(title, nativeUnavailable ?? 'this file system does not tell which blocks were written');
else {
  test(titles.small, () => {
    const { path, pool, log, bare } = newLog();
    log.append(Buffer.from('one'));
    log.persist();
    assert.is(bare(), 0);
    const { segmentIds } = pool.catalog.entries.get('log') as { segmentIds: readonly number[] };
    const off = pool.engine.poolOff(segmentIds[0] as number, log.end);
    assert.ok(
      readFileSync(path)
        .subarray(off, off + STRETCH)
        .every((byte) => byte === 0),
    );
    const { end } = log;
    pool.close();
    const again = Pool.open(path);
    const reopened = again.log('log');
    assert.is(reopened.end, end);
    assert.not(reopened.torn);
    again.close();
  });

  test(titles.shared, async () => {
    const { pool, log, bare } = newLog();
    while (log.end < pool.dataSize + 8 * PAGE) {
      await Promise.all(Array.from({ length: 4 }, () => log.appendDurable(Buffer.alloc(PAGE, 1))));
      if (log.end % pool.dataSize < pool.dataSize - STRETCH) assert.is(bare(), 0, `end ${log.end}`);
    }
    assert.is(pool.status().segments.used, 2);
    pool.close();
  });

  test(titles.large, () => {
    const { pool, log, bare } = newLog();
    log.append(Buffer.alloc(2 * STRETCH, 1));
    log.persist();
    assert.is(bare(), STRETCH / 2);
    pool.close();
  });

  test(titles.room, () => {
    const { pool, log } = newLog();
    const { medium } = pool.engine;
    const store = medium.writeDurable.bind(medium);
    let refused = 0;
    medium.writeDurable = (off, bio, bioOff, len) => {
      if (len !== STRETCH) return store(off, bio, bioOff, len);
      refused++;
      throw new PmsegError('ERR_PMSEG_NO_SPACE', 'full');
    };
    for (let i = 0; i < 40; i++) {
      log.append(Buffer.alloc(PAGE, i));
      log.persist();
    }
    assert.is(refused, 1, 'asked once for this segment');
    assert.is([...log.recordsSync()].length, 40);
    assert.not(pool.status().halted);
    pool.close();
  });
}
