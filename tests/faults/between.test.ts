/**
 * Goal: a page that is lost, or repaired, in the middle of a store or a barrier spoils it.
 * Method: the real shim, of which one call does more than it should: it enters its range among the bad ones, or has it repaired.
 */
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Bio, Pool, type Segment } from '../../src/index.js';
import { DaxMedium } from '../../src/medium/dax.js';
import { FileMedium } from '../../src/medium/file.js';
import { NativeFile } from '../../src/medium/poolfile.js';
import { native, nativeUnavailable, type Native } from '../../src/native.js';
import { MIB, rejectsCode, sizeFor, temporaryFolder, throwsCode } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const test = suite('faults in between');
const folder = temporaryFolder();
let number = 0;

/** What happens beside the next call of the shim that stores or waits. */
interface Between {
  pool: Pool;
  segment: Segment;
  next: (() => void) | undefined;
}

function open(real: Native, kind: 'file' | 'dax'): Between {
  const path = join(folder, `pool-${number++}`);
  Pool.create(path, { size: sizeFor(2), segmentSize: MIB, sparse: true }).close();
  let between: Between | undefined;
  const run = (): void => {
    const next = between?.next;
    if (between) between.next = undefined;
    next?.();
  };
  const beside = <T extends unknown[], R>(call: (...args: T) => R) => {
    return (...args: T): R => {
      const result = call(...args);
      run();
      return result;
    };
  };
  const fake = {
    ...Object.fromEntries(Object.getOwnPropertyNames(real).map((name) => [name, real[name as keyof Native]])),
    pwrite: beside(real.pwrite),
    pwritev: beside(real.pwritev),
    copyIn: beside(real.copyIn),
    flush: beside(real.flush),
    datasync: beside(real.datasync),
    datasyncAsync: beside(real.datasyncAsync),
    fence: beside(real.fence),
  } as Native;
  const file = new NativeFile(fake, path, true);
  const pool = Pool.open(kind === 'file' ? new FileMedium(fake, file, false) : new DaxMedium(fake, file, 'cache-line', true));
  const segment = pool.allocate();
  pool.drain();
  return (between = { pool, segment, next: undefined });
}

if (native) {
  const real = native;
  for (const kind of ['file', 'dax'] as const) {
    const calls: [string, (segment: Segment) => unknown][] = [
      ['write', (segment) => segment.write(new Uint8Array(100), 0)],
      ['write of a bio in the bank', (segment) => segment.copyFromBio(0, 100, segment.bio(100))],
      ['durable write', (segment) => segment.copyFromBio(0, 100, Bio.from(new Uint8Array(100)), 0, { persist: true })],
      ['persist', (segment) => segment.persist(0, 100)],
    ];
    for (const [what, call] of calls) {
      test(`${kind}: a ${what} whose page is lost meanwhile is an error`, () => {
        const between = open(real, kind);
        const { pool, segment } = between;
        segment.view(0, 1).release();
        const inside = pool.engine.medium as unknown as { place(off: number): { id: number; mapOff: number } };
        const { id, mapOff } = inside.place(pool.engine.poolOff(segment.id, 0));
        segment.write(new Uint8Array(1), 0);
        between.next = () => assert.is(real.badMark(id, mapOff, 1), 0);
        throwsCode('ERR_PMSEG_MEDIA', () => call(segment));
        throwsCode('ERR_PMSEG_MEDIA', () => call(segment), 'and stays one');
        assert.is(between.next, undefined);
        segment.repair(0, 1);
        call(segment);
        pool.close();
      });

      test(`${kind}: a ${what} whose page is repaired meanwhile is an error, once`, () => {
        const between = open(real, kind);
        const { pool, segment } = between;
        segment.write(new Uint8Array(1), 0);
        between.next = () => assert.equal(segment.repair(0, 1), { zeroed: [], completed: [] });
        throwsCode('ERR_PMSEG_MEDIA', () => call(segment));
        assert.not(pool.status().halted);
        call(segment);
        pool.close();
      });
    }

    test(`${kind}: an asynchronous persist whose page is lost meanwhile is an error`, async () => {
      const { pool, segment } = open(real, kind);
      segment.write(new Uint8Array(1), 0);
      segment.view(0, 1).release();
      const inside = pool.engine.medium as unknown as { place(off: number): { id: number; mapOff: number } };
      const { id, mapOff } = inside.place(pool.engine.poolOff(segment.id, 0));
      const persist = segment.persistAsync(0, 1);
      real.badMark(id, mapOff, 1);
      await rejectsCode('ERR_PMSEG_MEDIA', persist);
      segment.repair(0, 1);
      await segment.persistAsync(0, 1);
      pool.close();
    });
  }
} else test.skip('faults in between', `no native shim: ${nativeUnavailable}`);
