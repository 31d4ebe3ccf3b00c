/**
 * A log beside what a Node user would pick: durable 4 KiB puts from 1 and from 64 callers, reading them back, and opening after a crash.
 *
 *   node bench/log.mjs [--quick] [--no-peers] [--dir DIR]…
 *
 * Durability is equal: a put counts when power loss cannot take it any more. Each is used as its documentation advises:
 *   - lmdb: `await put(…)`, then `await db.flushed`; default options (overlapping sync), but no value encoding
 *   - better-sqlite3: WAL, synchronous = FULL, prepared INSERT of a BLOB; 64 callers: one transaction for all that wait
 *   - classic-level: `put(key, value, { sync: true })`, buffers; compression off, the bytes are random
 *   - file: write + fdatasync of node:fs, appending to a file; 64 callers: each its own, off-thread. For reference also
 *     with one fdatasync for all that wait, which is what the log does, by hand, without a checksum
 * Keys rise. Nobody is asked to keep what is old: pmseg's log has the blocks of its pool, which were taken when it was created.
 */
import {
  closeSync,
  copyFileSync,
  fdatasync,
  fdatasyncSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  statSync,
  writeSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Pool } from '../dist/src/index.js';
import { MIB, temporaryFolder, writtenPool } from './kit/files.mjs';
import { median, ratio, takeTurns, timeConcurrent, timeEach, timeEachAsync } from './kit/measure.mjs';
import { peer } from './kit/peers.mjs';
import { Report, options, placeOf } from './kit/report.mjs';

const { quick } = options;
const SIZE = 4096;
const CALLERS = 64;
const ROUNDS = quick ? 2 : 9;
const SERIAL = quick ? 20 : 200;
const CONCURRENT = quick ? 640 : 6400;
/** Records to read back and to recover. */
const BACK = quick ? 500 : 50_000;
/** Room for all rounds. */
const POOL_SIZE = (quick ? 64 : 576) * MIB;

const report = new Report('log');
const lmdb = await peer(report, 'lmdb');
const sqlite = await peer(report, 'better-sqlite3');
const level = await peer(report, 'classic-level');

const bytes = randomBytes(SIZE);
/** Not somebody's library: the log's own method, by hand. */
const GROUPED = 'file, grouped by hand';

/** Everybody who waits while a commit runs shares the next one. */
function shared(commit) {
  let waiting;
  let running = Promise.resolve();
  return (item) => {
    if (!waiting) {
      const group = { items: [], done: undefined };
      waiting = group;
      group.done = running.then(() => {
        waiting = undefined;
        return commit(group.items);
      });
      running = group.done.catch(() => undefined);
    }
    waiting.items.push(item);
    return waiting.done;
  };
}

/** Contenders: { name, put (one caller), putShared (many), sync, readAll → bytes, close, reopen }. `fresh`: blocks that nobody wrote to yet. */
function ours(home, fresh) {
  const path = join(home, fresh ? 'fresh.pmseg' : 'pool.pmseg');
  let pool = fresh ? Pool.create(path, { size: POOL_SIZE }) : writtenPool(path, POOL_SIZE);
  let log = pool.log('log', { create: true });
  return {
    name: fresh ? 'pmseg log, new pool' : 'pmseg log',
    put: (value) => {
      log.append(value);
      log.persist();
    },
    putShared: (value) => log.appendDurable(value),
    load(count) {
      if (log.end > 0) log.trim(log.end);
      for (let i = 0; i < count; i++) log.append(bytes);
      log.persist();
    },
    readAll() {
      let sum = 0;
      for (const { data } of log.recordsSync()) sum += data.byteLength;
      return sum;
    },
    // Not closed: as a process that died leaves it.
    crash: () => copyFileSync(path, `${path}.crashed`),
    recover() {
      const again = Pool.open(`${path}.crashed`);
      const { end } = again.log('log');
      again.close();
      return end;
    },
    rewind: () => log.trim(log.end),
    close: () => pool.close(),
  };
}

function plainFile(home, grouped) {
  const path = join(home, grouped ? 'grouped' : 'plain');
  const fd = openSync(path, 'w+');
  let end = 0;
  const write = (value) => {
    writeSync(fd, value, 0, value.byteLength, end);
    end += value.byteLength;
  };
  const sync = () => new Promise((resolve, reject) => fdatasync(fd, (error) => (error ? reject(error) : resolve())));
  return {
    name: grouped ? GROUPED : 'file, write + fdatasync',
    put: (value) => {
      write(value);
      fdatasyncSync(fd);
    },
    putShared: grouped
      ? shared((values) => {
          values.forEach(write);
          return sync();
        })
      : (value) => {
          write(value);
          return sync();
        },
    load(count) {
      end = 0;
      for (let i = 0; i < count; i++) write(bytes);
      fdatasyncSync(fd);
    },
    readAll() {
      const buffer = Buffer.alloc(SIZE);
      let sum = 0;
      for (let at = 0; at < end; at += SIZE) sum += readSync(fd, buffer, 0, SIZE, at);
      return sum;
    },
    close: () => closeSync(fd),
  };
}

function lmdbStore({ open }, home) {
  const path = join(home, 'lmdb');
  const crashed = join(home, 'lmdb-crashed');
  const make = (where) => open({ path: where, encoding: 'binary', keyEncoding: 'uint32' });
  const db = make(path);
  let key = 0;
  const put = async (value) => {
    await db.put(key++, value);
    await db.flushed;
  };
  return {
    name: 'lmdb, put + flushed',
    putAsync: put,
    putShared: put,
    async load(count) {
      await db.clearAsync();
      key = 0;
      for (let i = 0; i < count; i++) void db.put(key++, bytes);
      await db.flushed;
    },
    readAll() {
      let sum = 0;
      for (const { value } of db.getRange()) sum += value.byteLength;
      return sum;
    },
    crash() {
      mkdirSync(crashed, { recursive: true });
      for (const name of readdirSync(path)) copyFileSync(join(path, name), join(crashed, name));
    },
    async recover() {
      const again = make(crashed);
      const found = again.get(key - 1).byteLength;
      await again.close();
      return found;
    },
    close: () => db.close(),
  };
}

function sqliteStore({ default: Database }, home) {
  const path = join(home, 'sqlite');
  const open = (where) => {
    const db = new Database(where);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    return db;
  };
  const db = open(path);
  db.exec('CREATE TABLE log (id INTEGER PRIMARY KEY, value BLOB)');
  const insert = db.prepare('INSERT INTO log (value) VALUES (?)');
  const insertAll = db.transaction((values) => values.forEach((value) => insert.run(value)));
  return {
    name: 'better-sqlite3, WAL, FULL',
    put: (value) => insert.run(value),
    putShared: shared(async (values) => insertAll(values)),
    load(count) {
      db.exec('DELETE FROM log');
      for (let done = 0; done < count; done += 1000) insertAll(Array(Math.min(1000, count - done)).fill(bytes));
    },
    readAll() {
      let sum = 0;
      for (const { value } of db.prepare('SELECT value FROM log ORDER BY id').iterate()) sum += value.byteLength;
      return sum;
    },
    crash() {
      for (const suffix of ['', '-wal']) copyFileSync(`${path}${suffix}`, `${path}.crashed${suffix}`);
    },
    recover() {
      const again = open(`${path}.crashed`);
      const { count } = again.prepare('SELECT max(id) AS count FROM log').get();
      again.close();
      return count;
    },
    close: () => db.close(),
  };
}

function levelStore({ ClassicLevel }, home) {
  const path = join(home, 'level');
  const open = (where) => new ClassicLevel(where, { keyEncoding: 'buffer', valueEncoding: 'buffer', compression: false });
  const db = open(path);
  let next = 0;
  const key = () => {
    const name = Buffer.alloc(4);
    name.writeUInt32BE(next++);
    return name;
  };
  const put = (value) => db.put(key(), value, { sync: true });
  return {
    name: 'classic-level, sync',
    putAsync: put,
    putShared: put,
    async load(count) {
      await db.clear();
      for (let done = 0; done < count; done += 1000) {
        const batch = db.batch();
        for (let i = 0; i < Math.min(1000, count - done); i++) batch.put(key(), bytes);
        await batch.write({ sync: true });
      }
    },
    async readAll() {
      let sum = 0;
      const iterator = db.values();
      for (let values = await iterator.nextv(1000); values.length > 0; values = await iterator.nextv(1000))
        for (const value of values) sum += value.byteLength;
      await iterator.close();
      return sum;
    },
    crash() {
      mkdirSync(`${path}.crashed`, { recursive: true });
      for (const name of readdirSync(path).filter((entry) => entry !== 'LOCK'))
        copyFileSync(join(path, name), join(`${path}.crashed`, name));
    },
    async recover() {
      const again = open(`${path}.crashed`);
      await again.open();
      await again.close();
      return 1;
    },
    close: () => db.close(),
  };
}

/** Table rows of one kind of put; pmseg is the first contender. One caller is compared by medians of a put, many by puts a second. */
function rowsOf(contenders, results, serial) {
  const base = results.get(contenders[0].name);
  return contenders.map(({ name }) => {
    const { p50, p99, perSecond, rates, rounds } = results.get(name);
    const pmsegIsFasterBy = serial ? ratio(rounds, base.rounds) : ratio(base.rates, rates);
    return { contender: name, perSecond, p50Us: p50 / 1e3, p99Us: p99 / 1e3, pmsegIsFasterBy };
  });
}

/** The best rival's ratio. */
function bestRatio(rows) {
  return Math.min(
    ...rows
      .filter(({ contender }) => !contender.startsWith('pmseg') && contender !== GROUPED)
      .map(({ pmsegIsFasterBy }) => pmsegIsFasterBy),
  );
}

async function puts(place, stores) {
  const serial = stores.map((store) => ({
    name: store.name,
    run: () => {
      store.rewind?.();
      return store.put ? timeEach(SERIAL, () => store.put(bytes)) : timeEachAsync(SERIAL, () => store.putAsync(bytes));
    },
  }));
  const concurrent = stores.map((store) => ({
    name: store.name,
    run: () => {
      store.rewind?.();
      return timeConcurrent(CALLERS, CONCURRENT, () => store.putShared(bytes));
    },
  }));
  for (const [callers, contenders, least] of [
    ['1 caller', serial, 1.3],
    [`${CALLERS} callers`, concurrent, 3],
  ]) {
    const results = await takeTurns(contenders, ROUNDS);
    const rows = rowsOf(contenders, results, contenders === serial);
    report.table(`durable 4 KiB puts, ${callers}, ${place}`, rows);
    report.goal(`pmseg is faster than the best of the others by, ${callers}, ${place}`, bestRatio(rows), { least });
    report.chart({
      file: `log-${callers.replace(' ', '-')}-${place}.svg`,
      title: `Durable 4 KiB puts a second, ${callers}, ${place}`,
      unit: '/s',
      bars: rows.map(({ contender, perSecond }) => ({ name: contender, value: perSecond, ours: contender.startsWith('pmseg') })),
    });
  }
}

async function seconds(call) {
  const begin = performance.now();
  const result = await call();
  return { seconds: (performance.now() - begin) / 1000, result };
}

async function back(place, stores) {
  const reading = [];
  for (const store of stores) {
    await store.load(BACK);
    const times = [];
    for (let round = 0; round < (quick ? 1 : 3); round++) {
      const { seconds: took, result } = await seconds(() => store.readAll());
      if (result !== BACK * SIZE) throw new Error(`${store.name} gave back ${result} bytes, not ${BACK * SIZE}`);
      times.push(took);
    }
    const gigabytes = (BACK * SIZE) / 1e9;
    let recover = '';
    if (store.recover) {
      const recoveries = [];
      for (let round = 0; round < (quick ? 1 : 3); round++) {
        await store.crash();
        recoveries.push((await seconds(() => store.recover())).seconds);
      }
      recover = median(recoveries) / gigabytes;
    }
    reading.push({ contender: store.name, readGBperSecond: gigabytes / median(times), openAfterCrashSecondsPerGB: recover });
  }
  report.table(`reading ${BACK} records of 4 KiB back, and opening them as a dead process left them, ${place}`, reading);
}

for (const folder of options.folders) {
  const place = placeOf(folder);
  const home = temporaryFolder(folder);
  const stores = [
    ours(home, false),
    ours(home, true),
    plainFile(home, false),
    plainFile(home, true),
    ...(lmdb ? [lmdbStore(lmdb, home)] : []),
    ...(sqlite ? [sqliteStore(sqlite, home)] : []),
    ...(level ? [levelStore(level, home)] : []),
  ];
  // A new pool stays new only for puts that never come back to where they were.
  stores[1].rewind = undefined;
  await puts(place, stores);
  await back(
    place,
    stores.filter(({ name }) => name !== 'pmseg log, new pool' && name !== GROUPED),
  );
  for (const store of stores) await store.close();
}
report.write();
