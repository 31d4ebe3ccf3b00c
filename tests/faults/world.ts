/**
 * Ways to lose a page under an open pool, each on real memory or a real file system, behind one shape. For processes that may die of it.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, statfsSync, truncateSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Pool, type OpenOptions, type Segment } from '../../src/index.js';
import { native, type Native } from '../../src/native.js';
import { placeOnDisk, tool } from '../kit/mounts.js';
import { MIB, sizeFor } from '../kit/pools.js';

export const shim = native as Native;
export const PAGE = 4096;

/** The stranger of tests/native/foreign.c. */
export interface Foreign {
  install(kind: number): number;
  fault(): number;
  counts(): number[];
  watch(address: number, len: number): number;
  poison(address: number): number;
  hwpoison(address: number): number;
  unwatch(): number;
}

export const foreignAt = (path: string): Foreign => createRequire(import.meta.url)(path) as Foreign;

/** What of a medium the product shows to nobody. */
interface Inside {
  place(off: number): { id: number; mapOff: number } | undefined;
  acquire(segmentId: number): number;
}
const insideOf = (pool: Pool): Inside => pool.engine.medium as unknown as Inside;

/** Native address of a place in a segment's data; maps it if it is not mapped yet, without touching it. */
export function addressOf(pool: Pool, segment: Segment, off: number): number {
  const ptr = insideOf(pool).acquire(segment.id) + pool.engine.superblock.dataOff + off;
  return shim.address(pool.engine.medium.bankOf(segment.id).bytes) + ptr;
}

export interface World {
  readonly pool: Pool;
  /** Makes whole pages of a segment's data fail from now on; pages behind them may fail as well. */
  lose(segment: Segment, off: number, len: number): void;
  /** Makes the medium deliver again. */
  restore(): void;
  /** What a repair says before that. */
  readonly early?: string;
  /** What is there after a repair: what was there, or zeros. */
  readonly after: 'kept' | 'zeros';
  /** Whether barriers of other ranges succeed while pages are lost. */
  readonly drains: boolean;
  /** Where in a segment's data pages are best lost; those before them stay good. */
  readonly lostOff: number;
}

export type Make = (path: string, addon: string) => World;

const create = (path: string, options: OpenOptions & { sparse?: boolean } = {}): Pool =>
  Pool.create(path, { size: sizeFor(3), segmentSize: MIB, ...options });

const truncated: Make = (path) => cutWorld(create(path), path, 64 * PAGE);

/**
 * In pages of 2 MiB. Within the page in which a file now ends the kernel maps what is past the end as well, as zeros, without any signal; so
 * this file is cut at the end of one.
 */
const truncatedHuge: Make = (path) => {
  const segmentSize = 4 * MIB;
  const pool = Pool.create(path, { size: 2 * MIB + 2 * segmentSize + PAGE, segmentSize });
  const { dataOff } = pool.engine.superblock;
  return cutWorld(pool, path, 2 * MIB - dataOff);
};

function cutWorld(pool: Pool, path: string, lostOff: number): World {
  const fd = openSync(path, 'r+');
  const { size } = pool.status();
  return {
    pool,
    lose: (segment, off) => {
      // Under the mapping: what is mapped later is held against the file's size.
      addressOf(pool, segment, off);
      ftruncateSync(fd, pool.engine.poolOff(segment.id, off));
    },
    restore: () => ftruncateSync(fd, size),
    early: 'ERR_PMSEG_REPLACED',
    after: 'zeros',
    drains: false,
    lostOff,
  };
}

const poisoned: Make = (path, addon) => {
  const pool = create(path);
  const foreign = foreignAt(addon);
  return {
    pool,
    lose: (segment, off, len) => {
      const address = addressOf(pool, segment, off);
      // Poison goes where no page is present: laid anew, the range has none.
      const place = insideOf(pool).place(pool.engine.poolOff(segment.id, off));
      if (!place) throw new Error('not mapped');
      shim.remap(place.id, place.mapOff, len);
      const refused = foreign.watch(address, len);
      if (refused !== 0) throw new Error(`no poison here (step ${refused})`);
      for (let at = 0; at < len; at += PAGE) if (foreign.poison(address + at) !== 0) throw new Error('no poison there');
      foreign.unwatch();
    },
    restore: () => undefined,
    after: 'kept',
    drains: true,
    lostOff: 64 * PAGE,
  };
};

/** Memory that has really failed, as far as the kernel knows. The page of RAM is gone until the next boot. */
const hwpoisoned: Make = (path, addon) => {
  const pool = create(path);
  const foreign = foreignAt(addon);
  return {
    pool,
    lose: (segment, off, len) => {
      for (let at = 0; at < len; at += PAGE)
        if (foreign.hwpoison(addressOf(pool, segment, off + at)) !== 0) throw new Error('no poison there');
    },
    restore: () => undefined,
    after: 'zeros',
    drains: true,
    lostOff: 64 * PAGE,
  };
};

/** A sparse pool on a tmpfs of 64 KiB: the holes cannot be filled. `path` is on it. */
const full: Make = (path) => {
  const pool = create(path, { sparse: true });
  const fd = openSync(path, 'r+');
  const folder = dirname(path);
  const resize = (size: string): void => {
    const { status, stderr } = spawnSync('mount', ['-o', `remount,size=${size}`, folder], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`remount,size=${size}: ${stderr}`);
  };
  return {
    pool,
    lose: (segment, off, len) => {
      shim.punch(fd, pool.engine.poolOff(segment.id, off), len);
      const { blocks, bfree, bsize } = statfsSync(folder);
      resize(String((blocks - bfree) * bsize));
    },
    restore: () => resize('8m'),
    early: 'ERR_PMSEG_NO_SPACE',
    after: 'zeros',
    drains: true,
    lostOff: 64 * PAGE,
  };
};

/** A disk that cannot read some blocks: `path` is on it, and PMSEG_TEST_BACKING is the file that stands for it. */
const broken: Make = (path) => {
  const pool = create(path);
  const backing = process.env['PMSEG_TEST_BACKING'] as string;
  // Written through the page cache, pages are held in large pieces, which can only be dropped whole.
  const whole = pool.status().granularity === 'page';
  return {
    pool,
    lose: (segment, off, len) => {
      addressOf(pool, segment, off);
      const poolOff = pool.engine.poolOff(segment.id, off);
      tool('sync', '-f', path);
      const [begin, size] = whole ? [pool.engine.poolOff(segment.id, 0), segment.dataSize] : [poolOff, len];
      const place = insideOf(pool).place(begin);
      if (!place) throw new Error('not mapped');
      // Unmapped and clean, pages can be dropped; then only the disk has them, and it ends.
      shim.remap(place.id, place.mapOff, size);
      const fd = openSync(path, 'r');
      shim.dropCache(fd, begin, size);
      if (shim.resident(fd, poolOff, len) !== 0) throw new Error('still in the cache');
      closeSync(fd);
      // Whatever else is written back meanwhile makes the disk longer again.
      for (let tries = 0; ; tries++) {
        truncateSync(backing, placeOnDisk(path, poolOff));
        if (shim.pread(fd, new Uint8Array(1), 0, 1, poolOff) < 0) break;
        if (tries > 3) throw new Error('the disk does not fail');
        shim.dropCache(fd, begin, size);
      }
    },
    restore: () => undefined,
    after: 'zeros',
    drains: true,
    lostOff: 64 * PAGE,
  };
};

export const worlds: Record<string, Make> = { truncated, truncatedHuge, poisoned, hwpoisoned, full, broken };
