/**
 * Goal: no argument, whatever it is, makes a call end with anything but a typed error, or change anything.
 * Method: every public method of pools, segments, bios, positions, objects and logs, each argument in turn replaced by every hostile value;
 * errors have a code of ours; the medium, the arena and what the pool holds are as before. Values that are good arguments by chance may
 * succeed, and still nothing of the pool changes.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { Bio, CODES, Pool, SegmentPos, checkPool, type Segment } from '../../src/index.js';
import { WatchedMedium } from '../kit/images.js';
import { MIB, sizeFor } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const test = suite('hostile arguments');
const DATA_SIZE = MIB - media.DATA_OFF;

const medium = new WatchedMedium(sizeFor(6), true);
Pool.format(medium, { segmentSize: MIB });
const pool = Pool.open(medium);
const segment = pool.allocate();
const next = pool.allocate();
segment.write(Buffer.from('raw'), 0);
pool.put('object', Buffer.from('bytes'));
const log = pool.log('log', { create: true });
log.append(Buffer.from('record'));
log.persist();
const foreign = Pool.open(new WatchedMedium(medium.image(), true)).segment(segment.id);
const freed = pool.allocate();
pool.free(freed);
const bio = segment.bio(100, 50);
const closedBio = segment.bio(10);
closedBio.release();
pool.drain();

/** A view whose buffer was given away. */
function detached<T>(make: (buffer: ArrayBuffer) => T): T {
  const buffer = new ArrayBuffer(64);
  const view = make(buffer);
  structuredClone(buffer, { transfer: [buffer] });
  return view;
}

const numbers = [NaN, Infinity, -Infinity, -1, 0.5, -0.5, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), DATA_SIZE + 1, 2 ** 53 - 1, -0];
const others = [
  null,
  true,
  '0',
  'x',
  '',
  'a\0b',
  '\ud800',
  'n'.repeat(1025),
  'constructor',
  '__proto__',
  1n,
  Symbol('s'),
  {},
  [],
  [null],
  [1],
  () => 0,
  new Date(0),
  new ArrayBuffer(8),
  Object.create(null),
  detached((buffer) => new Uint8Array(buffer)),
  detached((buffer) => new DataView(buffer)),
  [detached((buffer) => new Uint8Array(buffer))],
  foreign,
  freed,
  closedBio,
];
const HOSTILE: unknown[] = [undefined, ...numbers, ...others];

/** [what, call, arguments that are good or refused for the pool's state, values with which the call would rightly change something] */
type Row = readonly [string, (...args: never[]) => unknown, readonly unknown[], (readonly unknown[])?];

const view = new Uint8Array(16);
const ROWS: Row[] = [
  ['pool.segment', pool.segment.bind(pool), [0]],
  ['pool.free', pool.free.bind(pool), [freed]],
  ['pool.bio', (...lens: number[]) => pool.bio(...lens).release(), [1]],
  ['pool.put', pool.put.bind(pool), ['object', view, {}]],
  ['pool.get', pool.get.bind(pool), ['object']],
  ['pool.remove', pool.remove.bind(pool), ['nothing']],
  ['pool.openObject', pool.openObject.bind(pool), ['object']],
  ['pool.createObject', (name: string, bag: object) => pool.createObject(name, bag).abort(), ['new', {}]],
  ['createObject.sizeHint', (sizeHint: number) => pool.createObject('new', { sizeHint }).abort(), [1]],
  ['writer.write', (bytes: Uint8Array) => { using writer = pool.createObject('new'); writer.write(bytes); }, [view]],
  ['pool.log', (name: string, bag: object) => pool.log(name, bag), ['log', {}]],
  ['pool.allocate', (bag: object) => pool.free(pool.allocate(bag)), [{}]],
  ['pool.allocate.type', (type: 'cache-data') => pool.free(pool.allocate({ type })), ['cache-data']],
  ['reader.read', (bytes: Uint8Array, at: number) => pool.openObject('object').read(bytes, at), [view, 0]],
  ['reader.copyToBio', (at: number, len: number, to: Bio, off: number) => pool.openObject('object').copyToBio(at, len, to, off), [0, 5, bio, 0]],
  ['segment.copyToBio', segment.copyToBio.bind(segment), [0, 10, bio, 0]],
  ['segment.copyFromBio', segment.copyFromBio.bind(segment), [0, 10, closedBio, 0, {}]],
  ['segment.read', segment.read.bind(segment), [view, 0]],
  ['segment.readv', segment.readv.bind(segment), [[view], 0]],
  ['segment.write', segment.write.bind(segment), [detached((buffer) => new Uint8Array(buffer)), 0]],
  ['segment.writev', segment.writev.bind(segment), [[1], 0]],
  ['segment.view', (off: number, len: number, bag: object) => segment.view(off, len, bag).release(), [0, 10, {}]],
  ['segment.flush', segment.flush.bind(segment), [0, 0]],
  ['segment.persist', segment.persist.bind(segment), [0, 0]],
  ['segment.persistAsync', segment.persistAsync.bind(segment), [0, 0]],
  ['segment.crc32c', segment.crc32c.bind(segment), [0, 10]],
  ['segment.prefetch', segment.prefetch.bind(segment), [0, 10]],
  ['segment.setNext', segment.setNext.bind(segment), [freed]],
  ['segment.bio', (...lens: number[]) => segment.bio(...lens).release(), [1, 2]],
  ['new SegmentPos', (of: Segment, off: number) => new SegmentPos(of, off), [segment, 0]],
  ['pos.advance', (len: number) => new SegmentPos(segment).advance(len), [1]],
  ['Bio.from', Bio.from, [[view]]],
  ['bio.advance', (len: number) => bio.advance(len).rewind(), [1]],
  ['log.append', log.append.bind(log), [[1]], [[]]],
  ['log.appendDurable', log.appendDurable.bind(log), [[1]], [[]]],
  ['log.trim', log.trim.bind(log), [0]],
  ['log.cut', log.cut.bind(log), [1], [-0]],
  ['log.recordsSync', (bag: object) => [...log.recordsSync(bag)], [{}]],
  ['log.recordsSync.from', (from: number) => [...log.recordsSync({ from })], [0]],
  ['checkPool', (of: Pool, bag: object) => checkPool(of, bag), [pool, {}]],
  ['pool.close', (bag: object) => { using lent = segment.view(0, 1); void lent; pool.close(bag); }, [{}], [{ force: true }]],
  ['Pool.open', (target: string, bag: object) => Pool.open(target, bag), ['', {}]],
]; // prettier-ignore

/** What a caller could see of the pool. */
function state(): string {
  const { segments, viewCount, degraded } = pool.status();
  return JSON.stringify([
    segments,
    viewCount,
    degraded,
    pool.list().map(({ name, segmentIds }) => [name, segmentIds]),
    Buffer.from(pool.get('object')).toString('hex'),
    [...log.recordsSync()].map(({ data }) => Buffer.from(data).toString('hex')),
    [log.begin, log.end, bio.pos, segment.next?.id, next.next?.id, medium.banks[0]?.arena.used],
    segment.crc32c(),
  ]);
}

function show(value: unknown): string {
  if (typeof value === 'symbol' || typeof value === 'bigint') return `${String(value)} (${typeof value})`;
  if (Object.is(value, -0)) return '-0';
  if (value && typeof value === 'object') return Object.prototype.toString.call(value);
  return JSON.stringify(value) ?? typeof value;
}

/** Names that hostile text may have made: good names by chance. */
function tidyUp(): void {
  for (const { name } of pool.list()) if (name !== 'object' && name !== 'log') pool.remove(name);
}

const counts = { calls: 0, refused: 0 };

for (const [what, call, good, changing = []] of ROWS) {
  test(`${what}: only typed errors, and nothing changes`, async () => {
    const before = state();
    for (let place = 0; place < good.length; place++) {
      for (const hostile of HOSTILE) {
        if (changing.some((value) => show(value) === show(hostile))) continue;
        const args = [...good];
        args[place] = hostile;
        const where = `${what}(${args.map(show).join(', ')})`;
        medium.forget();
        counts.calls++;
        try {
          await (call as (...all: unknown[]) => unknown)(...args);
          tidyUp();
        } catch (error) {
          counts.refused++;
          const { code } = error as { code?: unknown };
          assert.ok(typeof code === 'string' && code in CODES, `${where}: ${(error as Error).stack}`);
          assert.is(medium.stored.length, 0, `${where}: refused, and nothing is stored`);
        }
        assert.is(state(), before, where);
      }
    }
  });
}

test('summary', () => {
  console.log(`NOTE hostile arguments: ${counts.calls} calls, ${counts.refused} refused`);
});
