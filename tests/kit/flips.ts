/**
 * Single flipped bits: one small pool with a segment of every sort, and what must hold when one bit of one copy of one record is wrong.
 *
 * The light look opens the pool and compares what its metadata says; the full look also reads every object and every log, opens for
 * writing, repairs, and compares the image.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { Pool, checkPool, isSound, type Finding } from '../../src/index.js';
import { assertSame, contents, homeOff, Rig, type Content } from './images.js';
import { MIB, memoryPool, sizeFor } from './pools.js';

const COUNT = 9;
const DATA_SIZE = MIB - media.DATA_OFF;

/** Which segment is what in the pool that is flipped. */
export const SORTS = { free: 0, raw: 1, 'raw, next': 2, 'object head': 3, 'object follower': 4, 'log head': 5, 'log follower': 6 };

/** A pool with a segment of every sort, closed or left by a process that died. */
export function everySort(options: { clean?: boolean } = {}): Uint8Array {
  const { pool, medium } = memoryPool(COUNT, 'page');
  const [, raw, next] = [pool.allocate(), pool.allocate(), pool.allocate()];
  raw?.setNext(next);
  raw?.write(Buffer.from('raw bytes'), 77);
  pool.put('object', Buffer.alloc(DATA_SIZE + 100, 'object'));
  const log = pool.log('log', { create: true });
  for (const bytes of ['first', Buffer.alloc(600000, 'l'), Buffer.alloc(600000, 'm'), 'last']) {
    log.append(Buffer.from(bytes));
    log.persist();
  }
  pool.put('small', Buffer.from('small'));
  pool.free(pool.segment(0));
  pool.drain();
  if (options.clean ?? true) pool.close();
  return medium.image();
}

/** A record with two copies. */
export interface Home {
  readonly title: string;
  readonly kind: 'superblock' | 'info' | 'owner';
  readonly segmentId: number | undefined;
  readonly offs: readonly [number, number];
  readonly size: number;
}

export function homes(size: number): Home[] {
  const superblock: Home = {
    title: 'superblock',
    kind: 'superblock',
    segmentId: undefined,
    offs: [0, size - media.COPY_SIZE],
    size: media.SUPERBLOCK_SIZE,
  };
  const ofSegments = Object.entries(SORTS).flatMap(([title, segmentId]) =>
    (['info', 'owner'] as const).map((kind): Home => {
      const off = homeOff(segmentId, kind, MIB);
      const recordSize = kind === 'info' ? media.INFO_SIZE : media.OWNER_SIZE;
      return { title: `${kind} of ${title}`, kind, segmentId, offs: [off, off + media.COPY_SIZE], size: recordSize };
    }),
  );
  return [superblock, ...ofSegments];
}

/** What metadata says: everything of it that a user can see. */
function metadata(pool: Pool): unknown {
  const { segments, uuid, label, epoch, clean } = pool.status();
  return [segments, uuid, label, epoch, clean, pool.list(), [...pool].map(({ id, type }) => [id, type])];
}

export class Flips {
  readonly rig: Rig;
  readonly #metadata: string;
  readonly contents: Map<string, Content>;
  lightCount = 0;
  fullCount = 0;

  constructor(image: Uint8Array) {
    this.rig = new Rig(image);
    const pool = Pool.open(this.rig.reader);
    this.#metadata = text(metadata(pool));
    this.contents = contents(pool);
    pool.close();
  }

  /** The pool with one flipped bit, opened for reading: it says what it said before, and which copy is bad. */
  light(home: Home, copy: number, bit: number): void {
    this.#flip(home, copy, bit, (where) => {
      const pool = Pool.open(this.rig.reader);
      assert.is(text(metadata(pool)), this.#metadata, where);
      assert.equal(pool.status().degraded, [{ kind: home.kind, segmentId: home.segmentId }], where);
      assert.equal(pool.findings, [], where);
      pool.close();
    });
    this.lightCount++;
  }

  /** As `light`, and all data, a check, a repair, and what is on the medium after it. */
  full(home: Home, copy: number, bit: number): void {
    this.light(home, copy, bit);
    this.#flip(home, copy, bit, (where) => {
      this.#read(this.rig.reader, where, [`${home.kind.toUpperCase()}_DEGRADED`], false);
      const repaired = this.#read(this.rig.writer, where, [], true);
      assert.equal(repaired, [`${home.kind.toUpperCase()}_DEGRADED`], where);
      for (const { title, offs, size } of homes(this.rig.base.byteLength)) {
        const [first, second] = offs.map((off) => Rig.live(this.rig.writer, off, size)) as [Uint8Array, Uint8Array];
        assert.is(Buffer.compare(first, second), 0, `${where}: copies of ${title} are equal`);
        // Nothing but the superblock's state and epoch has changed.
        if (title !== 'superblock')
          assert.is(Buffer.compare(first, this.rig.base.subarray(offs[0], offs[0] + size)), 0, `${where}: ${title}`);
      }
      const stores = this.rig.writer.counts.stores;
      assert.equal(this.#read(this.rig.writer, where, [], true), [], `${where}: a second repair finds nothing to do`);
      // Two superblock updates of two copies: opened, closed.
      assert.is(this.rig.writer.counts.stores - stores, 4, `${where}: a second repair writes nothing`);
    });
    this.fullCount++;
  }

  /** Codes that were repaired. */
  #read(medium: Rig['reader'], where: string, wanted: string[], repair: boolean): string[] {
    const pool = Pool.open(medium);
    assertSame(this.contents, contents(pool), where);
    const result = checkPool(pool, { repair });
    assert.equal(codes(result.findings), wanted, where);
    assert.is(isSound(result), wanted.length === 0, where);
    if (repair) assertSame(this.contents, contents(pool), `${where}, repaired`);
    pool.close();
    return codes(result.repaired);
  }

  #flip(home: Home, copy: number, bit: number, look: (where: string) => void): void {
    this.rig.flip((home.offs[copy] as number) * 8 + bit);
    try {
      look(`${home.title}, copy ${copy}, bit ${bit}`);
    } finally {
      this.rig.undo();
    }
  }
}

export function codes(findings: readonly Finding[]): string[] {
  return findings.map(({ code }) => code);
}

function text(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item));
}

/** Bytes of the pool that `everySort` makes. */
export const FLIP_SIZE = sizeFor(COUNT);
