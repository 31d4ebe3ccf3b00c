/**
 * Goal: one flipped bit in a log never shows wrong bytes and never drops in silence what later bytes prove to have been durable.
 * Method: every single bit of every record's header, of the epoch records, and of the payloads and paddings of the small records, in a log
 * over two segments whose records were made durable one by one; the oracle is written from the rules in docs/MEDIA.md, not from the code.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { Pool, checkPool, type MemoryMedium } from '../../src/index.js';
import { codes } from '../kit/flips.js';
import { Rig } from '../kit/images.js';
import { MIB, memoryPool } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const test = suite('single flipped bits in a log');
const DATA_SIZE = MIB - media.DATA_OFF;

/** A record as it lies on the medium, whatever its kind. */
interface Raw {
  readonly kind: number;
  readonly position: number;
  readonly size: number;
  /** Position up to which it says that the log was durable. */
  readonly durablePos: number;
}

interface Written {
  readonly image: Uint8Array;
  readonly raws: Raw[];
  readonly data: { position: number; bytes: Uint8Array }[];
  readonly end: number;
}

/** Where a position of the log (segments 0 and 1 of the pool) lies on the medium. */
const placeOf = (position: number): number =>
  media.SEGMENTS_OFF + Math.floor(position / DATA_SIZE) * MIB + media.DATA_OFF + (position % DATA_SIZE);

/** Records of odd lengths, a new opening (and so an epoch) in between, one roll-over. */
function written(): Written {
  const { pool: first, medium } = memoryPool(3, 'page');
  const data: Written['data'] = [];
  const append = (pool: Pool, bytes: Uint8Array): void => {
    const log = pool.log('log');
    data.push({ position: log.append(bytes), bytes });
    log.persist();
  };
  first.log('log', { create: true });
  for (const len of [0, 1, 13]) append(first, Buffer.alloc(len, 'a'));
  first.close();
  const second = Pool.open(medium);
  for (const len of [7, 8, 1000000, 30000, 21, 3000, 64]) append(second, Buffer.alloc(len, 'b'));
  const { end } = second.log('log');
  second.close();
  return { image: medium.image(), raws: raws(medium, end), data, end };
}

/** All records by their headers: the walk of a reader who believes every one of them. */
function raws(medium: MemoryMedium, end: number): Raw[] {
  const found: Raw[] = [];
  const view = new DataView(medium.image().buffer);
  for (let position = 0; position < end; ) {
    const at = placeOf(position);
    const lenKind = view.getUint32(at + media.LOG_LEN_KIND_OFF, true);
    const kind = lenKind >>> media.LOG_KIND_SHIFT;
    const size = media.LOG_HEADER_SIZE + Math.ceil((lenKind & media.LOG_LEN_MASK) / media.LOG_ALIGN) * media.LOG_ALIGN;
    found.push({ kind, position, size, durablePos: Number(view.getBigUint64(at + media.LOG_DURABLE_POS_OFF, true)) });
    position = kind === media.LOG_KIND_END ? Math.ceil((position + size) / DATA_SIZE) * DATA_SIZE : position + size;
  }
  return found;
}

/** Whether something behind `bad` proves that it had been durable: a successor segment, or a later record of the same one that says so. */
function isProved({ raws }: Written, bad: Raw): boolean {
  const segment = Math.floor(bad.position / DATA_SIZE);
  return raws.some(
    ({ position, durablePos }) =>
      position > bad.position &&
      (Math.floor(position / DATA_SIZE) > segment || (durablePos > bad.position && position >= bad.position + 24)),
  );
}

const log = written();
const rig = new Rig(log.image);
const counts = { damaged: 0, torn: 0 };

function look(bad: Raw, bit: number): void {
  const where = `record at ${bad.position}, bit ${bit}`;
  rig.flip(placeOf(bad.position) * 8 + bit);
  try {
    const pool = Pool.open(rig.reader);
    const reader = pool.log('log');
    const seen: { position: number; data: Uint8Array }[] = [];
    let error: string | undefined;
    try {
      for (const record of reader.recordsSync()) seen.push(record);
    } catch (reason) {
      error = (reason as { code?: string }).code;
    }
    const wanted = log.data.filter(({ position }) => position < bad.position);
    assert.equal(seen.map(({ position }) => position), wanted.map(({ position }) => position), where); // prettier-ignore
    seen.forEach(({ data }, i) => assert.is(Buffer.compare(data, wanted[i]?.bytes as Uint8Array), 0, `${where}: bytes of record ${i}`));
    const proved = isProved(log, bad);
    assert.is(reader.damage?.position, proved ? bad.position : undefined, where);
    assert.is(error, proved ? 'ERR_PMSEG_DAMAGED' : undefined, where);
    assert.is(reader.torn, !proved, where);
    assert.equal(codes(checkPool(pool).findings), [proved ? 'LOG_DAMAGED' : 'TORN_TAIL'], where);
    pool.close();
    counts[proved ? 'damaged' : 'torn']++;
  } finally {
    rig.undo();
  }
}

test('the log has records of all kinds, in two segments', () => {
  assert.equal([...new Set(log.raws.map(({ kind }) => kind))].sort(), [media.LOG_KIND_DATA, media.LOG_KIND_EPOCH, media.LOG_KIND_END]); // prettier-ignore
  assert.is(log.raws.filter(({ kind }) => kind === media.LOG_KIND_EPOCH).length, 3);
  assert.ok(log.end > DATA_SIZE && log.end < 2 * DATA_SIZE);
  assert.equal(log.raws.filter((raw) => !isProved(log, raw)), log.raws.slice(-1), 'only the last record has nothing behind it'); // prettier-ignore
});

test('every bit of every header, and of the small records whole', () => {
  for (const raw of log.raws) {
    const small = raw.size <= 128;
    for (let bit = 0; bit < (small ? raw.size : media.LOG_HEADER_SIZE) * 8; bit++) look(raw, bit);
    if (!small) for (let bit = media.LOG_HEADER_SIZE * 8 + 3; bit < raw.size * 8; bit += Math.ceil(raw.size / 5)) look(raw, bit);
  }
});

test('summary', () => {
  console.log(`NOTE hostile flips in a log: ${counts.damaged} found as damage, ${counts.torn} as a torn tail`);
});
