/**
 * Stories of lost pages: what is acknowledged, what recovery says, who has the signal. Run by child.ts, each in a process that may die of it.
 */
import { spawnSync } from 'node:child_process';
import { truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import { Bio, Pool, checkPool, isSound, type Log, type Segment } from '../../src/index.js';
import { placeOnDisk, tool } from '../kit/mounts.js';
import { MIB, rejectsCode, throwsCode } from '../kit/pools.js';
import { lost, pattern } from './claims.js';
import { PAGE, addressOf, foreignAt, shim, type World } from './world.js';

export type Scenario = (world: World) => Promise<Record<string, unknown> | void>;

const [, , , , path = '', addon = ''] = process.argv.slice(0, 6);

/** Loads a byte of a page, so that its loss is noticed. */
function meet({ pool }: World, segmentId: number, off: number): void {
  const ptr = pool.engine.medium.acquire(segmentId, 0, MIB, false) + pool.engine.superblock.dataOff + off;
  assert.is(Atomics.load(pool.engine.medium.bankOf(segmentId).bytes, ptr), 0);
}

/** Repairs everything that is listed. */
function repairAll(world: World): void {
  world.restore();
  for (const range of world.pool.status().badRanges) world.pool.repair(range);
  assert.equal(world.pool.status().badRanges, []);
}

/** What a log holds up to where it can be read, and the code of the error that ends it. */
function readLog(log: Log): { texts: string[]; code: string | undefined } {
  const texts: string[] = [];
  try {
    for (const { data } of log.recordsSync()) texts.push(Buffer.from(data).toString('latin1', 0, 8));
  } catch (error) {
    return { texts, code: (error as { code: string }).code };
  }
  return { texts, code: undefined };
}

function canRead(segment: Segment, off: number): boolean {
  try {
    segment.read(new Uint8Array(PAGE), off);
    return true;
  } catch (error) {
    assert.is((error as { code: string }).code, 'ERR_PMSEG_MEDIA');
    return false;
  }
}

const record = (i: number): Buffer => Buffer.from(String(i).padStart(8, '0').padEnd(1000, '.'));

export const stories: Record<string, Scenario> = {
  /** Stores on their way when their page is lost: no barrier speaks for them. */
  async barriers(world) {
    const { pool } = world;
    const page = pool.status().granularity === 'page';
    const [segment, other] = [pool.allocate(), pool.allocate()];
    segment.write(pattern(segment.dataSize, 1), 0);
    pool.drain();
    const [off, len] = [8 * PAGE, PAGE];
    using view = segment.view(off, len, { write: true });
    view.bytes.fill(3);
    segment.flush(off, len);
    world.lose(segment, off, len);
    meet(world, segment.id, off);
    for (let round = 0; round < 2 && page; round++) {
      lost(segment, off, () => segment.drain());
      lost(segment, off, () => pool.drain());
      await rejectsCode('ERR_PMSEG_MEDIA', pool.drainAsync());
    }
    other.write(pattern(PAGE, 2), 0);
    other.persist(0, PAGE);
    assert.not(pool.status().halted, 'what is lost in one range costs no other its barrier');
    repairAll(world);
    pool.drain();
    // A persist that is under way while its range is repaired proves nothing; one elsewhere is not concerned.
    const [spanned, apart] = [segment.persistAsync(off, len), other.persistAsync(0, PAGE)];
    segment.repair(off, len);
    await rejectsCode('ERR_PMSEG_MEDIA', spanned);
    await apart;
    await segment.persistAsync(off, len);
  },

  /** Objects and logs whose pages are lost before they are durable. */
  async upper(world) {
    const { pool } = world;
    const writer = pool.createObject('object');
    writer.write(pattern(3 * MIB, 1).subarray(0, 1.5 * MIB));
    const first = pool.segment(0);
    world.lose(first, 32 * PAGE, PAGE);
    meet(world, 0, 32 * PAGE);
    throwsCode('ERR_PMSEG_MEDIA', () => writer.commit());
    throwsCode('ERR_PMSEG_MEDIA', () => writer.commit(), 'as often as it is tried');
    repairAll(world);
    throwsCode('ERR_PMSEG_MEDIA', () => writer.commit(), 'after a repair it is not what was written');
    assert.equal(pool.list(), []);
    writer.abort();
    assert.is(pool.status().segments.used, 0);

    const log = pool.log('log', { create: true });
    for (let i = 0; i < 20; i++) log.append(record(i));
    log.persist();
    const durable = log.durable;
    for (let i = 20; i < 40; i++) log.append(record(i));
    log.flush();
    const end = log.end;
    const lostPage = Math.floor(end / PAGE) * PAGE;
    world.lose(pool.segment(0), lostPage, PAGE);
    meet(world, 0, lostPage);
    const page = pool.status().granularity === 'page';
    if (page) {
      for (let round = 0; round < 2; round++) {
        throwsCode('ERR_PMSEG_MEDIA', () => log.persist());
        await rejectsCode('ERR_PMSEG_MEDIA', log.persistAsync());
        assert.is(log.durable, durable, 'what was lost on the way is not durable');
      }
    }
    log.append(record(40));
    throwsCode('ERR_PMSEG_MEDIA', () => log.flush());
    await rejectsCode('ERR_PMSEG_MEDIA', log.appendDurable(record(41)));
    assert.is(readLog(log).code, 'ERR_PMSEG_MEDIA');
    repairAll(world);
    if (page) throwsCode('ERR_PMSEG_MEDIA', () => log.persist(), 'nor is it after a repair, as far as this log knows');
    log.close();
    const again = pool.log('log');
    const { texts, code } = readLog(again);
    assert.is(code, undefined);
    // The persist after the repair stored what was still waiting, though it vouched for nothing.
    assert.is(texts.length, page ? 42 : 40, 'the medium delivers again what had been stored');
    again.append(record(50));
    again.persist();
    assert.is(readLog(again).texts.length, texts.length + 1);
  },

  /** A log is recovered over a lost page: in the middle, at its end, behind its end. Never a torn tail. */
  async recovery(world) {
    const { pool } = world;
    const cases: [string, (end: number) => number][] = [
      ['middle', () => 8 * PAGE],
      ['first', () => 0],
      ['tail', (end) => Math.floor((end - 8) / PAGE) * PAGE],
      ['behind', (end) => Math.ceil(end / PAGE) * PAGE + 4 * PAGE],
    ];
    for (const [name, where] of cases) {
      // Blocks that were never written are zeros to any disk.
      if (name === 'behind' && world.after === 'zeros') continue;
      process.stderr.write(`${name}\n`);
      const log = pool.log(name, { create: true });
      for (let i = 0; i < 100; i++) log.append(record(i));
      log.persist();
      const { end } = log;
      log.close();
      const segment = pool.segment(pool.catalog.entries.get(name)?.headId as number);
      const page = where(end);
      const good = name === 'behind' ? 100 : Math.max(0, Math.floor((page - 32) / 1032));
      world.lose(segment, page, PAGE);
      for (let round = 0; round < 2; round++) {
        using found = pool.log(name);
        assert.not(found.torn, `${name}: lost is not torn`);
        assert.is(found.damage?.lost?.code, 'ERR_PMSEG_MEDIA', name);
        assert.is(found.damage?.lost?.segmentId, segment.id);
        throwsCode('ERR_PMSEG_DAMAGED', () => found.append(record(0)), `${name}: appends wait for somebody to decide`);
        const { texts, code } = readLog(found);
        assert.is(texts.length, good, `${name}: what is before the lost page can be read`);
        assert.is(code, 'ERR_PMSEG_MEDIA', name);
        const { findings } = checkPool(pool);
        assert.ok(
          findings.some((one) => one.code === 'DATA_LOST' && one.segmentId === segment.id),
          name,
        );
        assert.ok(
          findings.some((one) => one.code === 'BAD_RANGE'),
          name,
        );
      }
      let kept = 100;
      if (world.after === 'zeros') {
        // All that is lost, not only what was met.
        for (let off = 0; off < segment.dataSize; off += PAGE) if (!canRead(segment, off)) assert.ok(off >= page);
        for (const range of pool.status().badRanges)
          throwsCode('ERR_PMSEG_DAMAGED', () => pool.repair(range), `${name}: zeros would hide that there were records`);
        using cut = pool.log(name);
        assert.is(cut.damage?.lost?.code, 'ERR_PMSEG_MEDIA', 'a repair that was refused changed nothing');
        cut.cut();
        kept = good;
        repairAll(world);
        cut.append(record(kept++));
        cut.persist();
        assert.is(readLog(cut).texts.length, kept, 'a cut log takes records again');
      } else if (name === 'behind') {
        using cut = pool.log(name);
        cut.cut();
        cut.append(record(kept++));
        cut.persist();
        assert.is(readLog(cut).texts.length, kept, 'a cut log takes records up to the lost page');
      }
      repairAll(world);
      const healed = pool.log(name);
      assert.equal([healed.damage, readLog(healed).texts.length], [undefined, kept], name);
      healed.close();
      pool.remove(name);
    }
    assert.ok(isSound(checkPool(pool)));
  },

  /** A file that was cut under an open pool: the next barrier notices and halts; reads go on, those of a log opened anew too. */
  async cutShort(world) {
    const { pool } = world;
    const log = pool.log('log', { create: true });
    for (let i = 0; i < 100; i++) log.append(record(i));
    log.persist();
    world.lose(pool.segment(0), 8 * PAGE, PAGE);
    assert.equal([readLog(log).texts.length, readLog(log).code], [31, 'ERR_PMSEG_MEDIA']);
    throwsCode('ERR_PMSEG_REPLACED', () => pool.drain());
    log.close();
    const again = pool.log('log');
    assert.equal([readLog(again).texts.length, readLog(again).code], [31, 'ERR_PMSEG_MEDIA']);
    throwsCode('ERR_PMSEG_HALTED', () => again.append(record(0)));
    assert.ok(pool.status().halted);
    world.restore();
    for (const range of pool.status().badRanges) assert.equal(pool.repair(range), { zeroed: [], completed: [] });
    pool.close();
    // Zeros from there on, and nothing after them: all that a cut file can still tell.
    throwsCode('ERR_PMSEG_CLOSED', () => pool.status());
  },

  /** A copy of a record on a lost page: updates are refused or leave the slot degraded, and repair completes it from the good copy. */
  async records(world) {
    const { pool } = world;
    const [segment, next] = [pool.allocate(), pool.allocate()];
    const home = -pool.status().dataOff;
    pool.drain();
    assert.equal(pool.status().degraded, []);
    // Copy A, which is written first.
    world.lose(segment, home, PAGE);
    meet(world, segment.id, home);
    throwsCode('ERR_PMSEG_MEDIA', () => segment.setNext(next));
    throwsCode('ERR_PMSEG_MEDIA', () => segment.setNext(next), 'every time');
    assert.is(segment.next, undefined);
    repairAll(world);
    segment.setNext(next);
    pool.drain();
    // Copy B, whose loss leaves the update in force.
    world.lose(segment, home + PAGE, PAGE);
    meet(world, segment.id, home + PAGE);
    segment.setNext(undefined);
    assert.is(segment.next, undefined);
    assert.equal(pool.status().degraded, [{ kind: 'info', segmentId: segment.id }]);
    assert.ok(checkPool(pool).findings.some(({ code }) => code === 'INFO_DEGRADED'));
    const { repaired, findings } = checkPool(pool, { repair: true });
    assert.ok(repaired.some(({ code }) => code === 'INFO_DEGRADED'));
    assert.equal(
      findings.filter(({ severity }) => severity === 'damage'),
      [],
    );
    assert.equal([pool.status().degraded, pool.status().badRanges], [[], []]);
    segment.setNext(next);
    assert.is(segment.next?.id, next.id);
  },

  /** Far more lost pages than a process may have mappings. */
  async many() {
    const count = 35_000;
    const big = Pool.create(`${path}-big`, { size: 6 * 64 * MIB, segmentSize: 64 * MIB, sparse: true });
    const perSegment = Math.floor(big.dataSize / PAGE / 2);
    const segments = Array.from({ length: Math.ceil(count / perSegment) }, () => big.allocate());
    const foreign = foreignAt(addon);
    const end = pattern(PAGE, 5);
    for (const segment of segments) {
      segment.write(end, segment.dataSize - PAGE);
      const address = addressOf(big, segment, 0);
      if (foreign.watch(address, 2 * perSegment * PAGE) !== 0) throw new Error('no poison here');
      for (let i = 0; i < perSegment - 1; i++) foreign.poison(address + 2 * i * PAGE);
      foreign.unwatch();
    }
    const probe = new Uint8Array(64);
    let seen = 0;
    for (const segment of segments)
      for (let i = 0; i < perSegment - 1; i++) {
        lost(segment, 2 * i * PAGE, () => segment.read(probe, 2 * i * PAGE));
        seen++;
      }
    const { badRanges } = big.status();
    const pages = badRanges.reduce((sum, { len }) => sum + len / PAGE, 0);
    assert.ok(seen >= count && pages >= seen, `${seen} seen, ${pages} listed`);
    const listed = checkPool(big).findings.filter(({ code }) => code === 'BAD_RANGE').length;
    assert.is(listed, badRanges.length);
    for (const range of badRanges) assert.equal(big.repair(range), { zeroed: [], completed: [] });
    assert.equal(big.status().badRanges, []);
    for (const segment of segments) {
      const read = new Uint8Array(PAGE);
      segment.read(read, segment.dataSize - PAGE);
      assert.equal(read, end);
      segment.write(end, 0);
      segment.persist(0, PAGE);
    }
    big.close();
    return { pages: seen, ranges: badRanges.length };
  },

  /** User code listens for SIGBUS, and stops listening, with a page lost at once each time. */
  async listener(world) {
    const { pool } = world;
    const segment = pool.allocate();
    let heard = 0;
    const listener = (): void => void heard++;
    for (let round = 0; round < 3; round++) {
      segment.write(pattern(4 * PAGE, round), 0);
      const view = segment.view(0, PAGE);
      view.release();
      process.on('SIGBUS', listener);
      assert.is(shim.guard(), 1, 'a listener does not take the signal away');
      world.lose(segment, 0, PAGE);
      meet(world, segment.id, 0);
      process.kill(process.pid, 'SIGBUS');
      await new Promise((resolve) => setTimeout(resolve, 10));
      assert.is(heard, round + 1, 'and hears what is not ours');
      repairAll(world);
      process.off('SIGBUS', listener);
      assert.is(shim.guard(), 1, 'nor does its going');
      world.lose(segment, PAGE, PAGE);
      meet(world, segment.id, PAGE);
      lost(segment, PAGE, () => segment.read(new Uint8Array(10), PAGE));
      repairAll(world);
    }
  },

  /** A library takes the signal behind our back: status and barriers take it back; what was there before gets what is not ours. */
  async stranger(world) {
    const { pool } = world;
    const segment = pool.allocate();
    segment.write(pattern(4 * PAGE, 1), 0);
    const foreign = foreignAt(addon);
    segment.view(0, PAGE).release();
    for (const takeBack of [
      () => pool.status(),
      () => pool.drain(),
      () =>
        Pool.create(`${path}-2`, { size: 4 * MIB, segmentSize: MIB })
          .allocate()
          .view(0, 1),
    ]) {
      foreign.install(1);
      assert.is(shim.guard(), 0);
      takeBack();
      assert.is(shim.guard(), 1, String(takeBack));
    }
    foreign.install(1);
    await pool.drainAsync();
    assert.is(shim.guard(), 1);
    world.lose(segment, 0, PAGE);
    lost(segment, 0, () => segment.read(new Uint8Array(10), 0));
    assert.is(foreign.counts()[0], 0, 'ours never reach it');
    assert.is(foreign.fault(), 0);
    assert.is(foreign.counts()[0], 1, 'its own do');
    repairAll(world);
  },

  /** Pools dropped without being closed, and collected, while mapped. */
  async dropped(world) {
    const gc = (globalThis as { gc?: () => void }).gc as () => void;
    const place = (i: number): void => {
      const pool = Pool.create(`${path}-${i}`, { size: 4 * MIB, segmentSize: MIB });
      const segment = pool.allocate();
      segment.write(pattern(4 * PAGE, i), 0);
      segment.view(0, PAGE).release();
      shim.truncate(shim.open(`${path}-${i}`, 2, 0), PAGE);
    };
    for (let i = 10; i < 20; i++) place(i);
    for (let i = 0; i < 5; i++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const segment = world.pool.allocate();
    segment.write(pattern(4 * PAGE, 1), 0);
    world.lose(segment, 0, PAGE);
    lost(segment, 0, () => segment.read(new Uint8Array(10), 0));
    repairAll(world);
    // New memories take the places of collected ones; nobody mends those.
    for (let i = 20; i < 30; i++) {
      const pool = Pool.create(`${path}-${i}`, { size: 4 * MIB, segmentSize: MIB });
      pool.allocate().write(pattern(PAGE, i), 0);
      const read = Buffer.alloc(PAGE);
      pool.segment(0).read(read, 0);
      assert.is(Buffer.compare(read, pattern(PAGE, i)), 0);
      pool.close();
    }
  },

  /** A thread opens a pool of its own, meets a lost page and ends without closing it. */
  async thread(world) {
    const source = `
      const { workerData: { door, path }, parentPort } = require('node:worker_threads');
      const { openSync, ftruncateSync } = require('node:fs');
      import(door).then(({ Pool }) => {
        const pool = Pool.create(path, { size: 4 * 2 ** 20, segmentSize: 2 ** 20 });
        const segment = pool.allocate();
        segment.write(Buffer.alloc(100, 1), 0);
        const view = segment.view(0, 100);
        ftruncateSync(openSync(path, 'r+'), 4096);
        let code;
        try { segment.crc32c(0, 100); } catch (error) { code = error.code; }
        parentPort.postMessage({ code, byte: view.bytes[0] });
      });`;
    for (let i = 0; i < 2; i++) {
      const worker = new Worker(source, {
        eval: true,
        workerData: { door: new URL('../../src/index.js', import.meta.url).href, path: `${path}-t${i}` },
      });
      const said = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
      assert.equal(said, { code: 'ERR_PMSEG_MEDIA', byte: 0 });
      await worker.terminate();
    }
    const segment = world.pool.allocate();
    segment.write(pattern(4 * PAGE, 1), 0);
    world.lose(segment, 0, PAGE);
    lost(segment, 0, () => segment.read(new Uint8Array(10), 0));
    repairAll(world);
  },

  /**
   * A disk that fails between two runs, from the second copy of the last owner record to its end: that copy, a log's records, a superblock.
   * What has another copy is used, reported, and written again on request; the rest is an error with coordinates.
   */
  async reopened(world) {
    world.pool.close();
    const folder = dirname(path);
    const pool = Pool.create(`${path}-2`, { size: 5 * MIB + 4096, segmentSize: MIB });
    const [first, second] = [pool.allocate(), pool.allocate()];
    first.write(pattern(PAGE, 1), 0);
    second.write(pattern(PAGE, 2), 0);
    const log = pool.log('log', { create: true });
    for (let i = 0; i < 100; i++) log.append(record(i));
    log.persist();
    const off = pool.engine.superblock.segmentsOff + 2 * MIB + 3 * PAGE;
    pool.close();
    tool('sync', '-f', folder);
    tool('umount', folder);
    const device = process.env['PMSEG_TEST_DEVICE'] as string;
    tool('blockdev', '--flushbufs', device);
    tool('mount', '-t', 'ext4', '-o', 'noatime', device, folder);
    const fail = (): void => truncateSync(process.env['PMSEG_TEST_BACKING'] as string, placeOnDisk(`${path}-2`, off));
    fail();

    const look = (again: Pool): void => {
      const { degraded, badRanges } = again.status();
      assert.ok(degraded.some(({ kind, segmentId }) => kind === 'owner' && segmentId === 2));
      assert.ok(
        badRanges.some((range) => range.off <= off && range.off + range.len > off),
        'what a kernel copy failed on is on record',
      );
      using found = again.log('log');
      assert.is(found.damage?.lost?.code, 'ERR_PMSEG_MEDIA');
      assert.equal([found.damage?.lost?.segmentId, found.damage?.position], [2, 0]);
      assert.equal(readLog(found), { texts: [], code: 'ERR_PMSEG_MEDIA' });
      const codes = checkPool(again).findings.map(({ code }) => code);
      for (const code of ['OWNER_DEGRADED', 'DATA_LOST', 'BAD_RANGE'] as const)
        assert.ok(codes.includes(code), `${code} in ${codes.join()}`);
      const read = new Uint8Array(PAGE);
      again.segment(1).read(read, 0);
      assert.equal(read, pattern(PAGE, 2));
    };
    const reader = Pool.open(`${path}-2`, { readOnly: true });
    look(reader);
    assert.ok(reader.status().degraded.some(({ kind }) => kind === 'superblock'));
    reader.close();
    const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
    const cli = spawnSync(process.execPath, [main, 'check', `${path}-2`], { encoding: 'utf8' });
    assert.is(cli.status, 1, cli.stderr);
    for (const code of ['SUPERBLOCK_DEGRADED', 'OWNER_DEGRADED', 'DATA_LOST', 'BAD_RANGE']) assert.match(cli.stdout, code);

    // Opening for writing writes the superblock on that page, whole; which makes this disk longer than it was.
    using pool2 = Pool.open(`${path}-2`);
    fail();
    look(pool2);
    assert.not(pool2.status().degraded.some(({ kind }) => kind === 'superblock'));
    const { repaired } = checkPool(pool2, { repair: true });
    assert.ok(repaired.some(({ code }) => code === 'OWNER_DEGRADED'));
    assert.equal(pool2.status().degraded, []);
    const found = pool2.log('log');
    found.cut();
    const segment = pool2.segment(2);
    for (let at = 0; at < 40 * PAGE; at += PAGE) if (!canRead(segment, at)) segment.repair(at, PAGE);
    found.append(record(7));
    found.persist();
    found.close();
    assert.equal(readLog(pool2.log('log')), { texts: ['00000007'], code: undefined });
    assert.equal(
      checkPool(pool2).findings.filter(({ severity }) => severity === 'damage'),
      [],
    );
  },

  /** A reader: it repairs what it maps, and writes nothing. */
  async reader(world) {
    const { pool } = world;
    const segment = pool.allocate();
    const content = pattern(segment.dataSize, 1);
    segment.write(content, 0);
    pool.drain();
    using reader = Pool.open(path, { readOnly: true });
    const seen = reader.segment(segment.id);
    const read = new Uint8Array(PAGE);
    seen.read(read, 0);
    assert.equal(read, content.subarray(0, PAGE));
    world.lose(segment, 4 * PAGE, PAGE);
    lost(seen, 4 * PAGE, () => seen.read(read, 4 * PAGE));
    lost(seen, 4 * PAGE, () => seen.copyToBio(4 * PAGE, PAGE, Bio.from(read)));
    assert.is(reader.status().badRanges.length, 1);
    throwsCode('ERR_PMSEG_REPLACED', () => reader.repair(reader.status().badRanges[0]!));
    world.restore();
    assert.equal(reader.repair(reader.status().badRanges[0]!), { zeroed: [], completed: [] });
    seen.read(read, 4 * PAGE);
    assert.equal(read, new Uint8Array(PAGE), 'a file that was cut holds zeros');
    seen.read(read, 3 * PAGE);
    assert.equal(read, content.subarray(3 * PAGE, 4 * PAGE));
  },
};
