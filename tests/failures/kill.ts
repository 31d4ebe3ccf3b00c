/**
 * The parent of the kill tests: kills a child at a random moment, opens the pool, holds it against what was acknowledged, and goes on with it.
 *
 * What is always true of a pool after a kill
 *   - What was acknowledged is there, whole. The one operation in flight is there whole or not at all, but for a raw write, which may be there
 *     in part, and several appends, of which the first may be there.
 *   - Every segment is free or belongs to somebody; a check calls the pool sound; the lock of the dead does not keep anybody out.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { Pool, checkPool, isSound } from '../../src/index.js';
import { MIB, sizeFor } from '../kit/pools.js';
import type { Prng } from '../kit/prng.js';
import { PLACE_SIZE, fill, numberOf, placeOff, recordOf, type Op } from './kill.ops.js';

const CHILD = fileURLToPath(new URL('./kill.child.js', import.meta.url));

export type Mode = 'file' | 'copy' | 'dax';

interface Value {
  tag: number;
  len: number;
}

const same = (value: Value | undefined, bytes: Uint8Array | undefined): boolean =>
  value === undefined ? bytes === undefined : bytes !== undefined && Buffer.compare(fill(value.tag, value.len), bytes) === 0;

export class KillRun {
  readonly path: string;
  readonly mode: Mode;
  readonly #random: Prng;
  readonly #objects = new Map<string, Value>();
  /** Records that are there: [number, length], ascending. */
  #records: [number, number][] = [];
  /** Tags of raw segments' places; absent = unknown. */
  readonly #raw = new Map<number, Map<number, number>>();
  #standby: ChildProcess | undefined;
  rounds = 0;
  acknowledged = 0;
  inFlight = 0;

  constructor(path: string, mode: Mode, random: Prng) {
    [this.path, this.mode, this.#random] = [path, mode, random];
    const pool = Pool.create(path, { size: sizeFor(26), segmentSize: MIB, mode });
    pool.log('log', { create: true });
    pool.close();
  }

  /** A child that has loaded everything and waits for its pool. */
  #spawn(): ChildProcess {
    return spawn(process.execPath, ['--enable-source-maps', CHILD], { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  /** One life of a child: lets it work, kills it, and verifies. */
  async round(): Promise<void> {
    const child = this.#standby ?? this.#spawn();
    this.#standby = this.#spawn();
    const lines = await this.#live(child);
    let flying: Op | undefined;
    for (const line of lines) {
      if (line.startsWith('?')) flying = JSON.parse(line.slice(1)) as Op;
      if (!line.startsWith('!')) continue;
      this.#apply(flying as Op, JSON.parse(line.slice(1)));
      flying = undefined;
      this.acknowledged++;
    }
    this.rounds++;
    if (flying) this.inFlight++;
    const pool = Pool.open(this.path, { mode: this.mode });
    try {
      this.#verify(pool, flying);
    } catch (error) {
      (error as Error).message += `\nin flight: ${JSON.stringify(flying)}\nlast words: ${lines.slice(-6).join(' ')}`;
      throw error;
    } finally {
      pool.close();
    }
  }

  /** The whole lines that a child said before it was killed. */
  #live(child: ChildProcess): Promise<string[]> {
    const random = this.#random;
    // Also while it opens the pool; mostly after some operations, at any point of the next ones.
    const early = random.below(8) === 0;
    const patience = random.below(60);
    const delay = random.below(6);
    return new Promise((resolve, reject) => {
      let text = '';
      let doomed = false;
      const kill = (ms: number): void => {
        if (doomed) return;
        doomed = true;
        if (ms === 0) child.kill('SIGKILL');
        else setTimeout(() => child.kill('SIGKILL'), ms);
      };
      const begin = (): void => {
        child.stdin?.write(`${this.path} ${this.mode} ${random.next()}\n`);
        if (early) kill(1 + random.below(30));
      };
      child.stdout?.on('data', (bytes: Buffer) => {
        if (text === '') begin();
        text += bytes.toString();
        if (text.split('\n').length > patience + 2) kill(delay);
      });
      child.once('close', (status, signal) => {
        if (signal === 'SIGKILL') resolve(text.slice(0, text.lastIndexOf('\n')).split('\n'));
        else reject(new Error(`the child ended by itself: ${status} ${signal} after ${text.slice(-500)}`));
      });
    });
  }

  #apply(op: Op, result: unknown): void {
    switch (op.op) {
      case 'put':
        return void this.#objects.set(op.name, op);
      case 'remove':
        return void this.#objects.delete(op.name);
      case 'append':
        for (let i = 0; i < op.count; i++) this.#records.push([op.first + i, op.len]);
        return;
      case 'trim':
        this.#records = this.#records.filter(([number]) => number >= op.to);
        return;
      case 'allocate':
        return void this.#raw.set(result as number, new Map());
      case 'write':
        return void this.#raw.get(op.id)?.set(op.place, op.tag);
      case 'free':
        return void this.#raw.delete(op.id);
    }
  }

  #verify(pool: Pool, flying: Op | undefined): void {
    const result = checkPool(pool);
    assert.ok(isSound(result), JSON.stringify(result.findings));
    this.#verifyObjects(pool, flying);
    this.#verifyLog(pool, flying);
    this.#verifyRaw(pool, flying);
    const { total, free, used, damaged } = pool.status().segments;
    const owned = pool.list().reduce((sum, { segmentIds }) => sum + segmentIds.length, 0);
    assert.equal([damaged, free + used, used], [0, total, owned + this.#raw.size], 'a segment is lost');
    const stray = readdirSync(dirname(this.path)).filter((name) => {
      const rest = name.slice(basename(this.path).length);
      // A kill between two system calls of locking leaves a name that nobody will use again.
      return name.startsWith(basename(this.path)) && !['', '.lock'].includes(rest) && !/^\.lock\.[0-9a-f]{16}(\.new)?$/.test(rest);
    });
    assert.equal(stray, []);
  }

  #verifyObjects(pool: Pool, flying: Op | undefined): void {
    const names = new Set([...this.#objects.keys(), ...pool.list().flatMap(({ name, kind }) => (kind === 'object' ? [name] : []))]);
    if (flying?.op === 'put') names.add(flying.name);
    for (const name of names) {
      const bytes = pool.list().some((entry) => entry.name === name) ? pool.get(name) : undefined;
      if (same(this.#objects.get(name), bytes)) continue;
      const isNew = flying?.op === 'put' && flying.name === name && same(flying, bytes);
      const isGone = flying?.op === 'remove' && flying.name === name && bytes === undefined;
      assert.ok(isNew || isGone, `${name}: ${bytes?.byteLength} bytes that are neither the old nor the new`);
      this.#apply(flying as Op, undefined);
    }
  }

  #verifyLog(pool: Pool, flying: Op | undefined): void {
    const found: [number, number][] = [];
    for (const { data } of pool.log('log').recordsSync()) {
      const number = numberOf(data);
      assert.is(Buffer.compare(data, recordOf(number, data.byteLength)), 0, `record ${number} has other bytes`);
      found.push([number, data.byteLength]);
    }
    const wanted = [this.#records];
    if (flying?.op === 'trim') wanted.push(this.#records.filter(([number]) => number >= flying.to));
    if (flying?.op === 'append')
      for (let count = 1; count <= flying.count; count++)
        wanted.push([...this.#records, ...Array.from({ length: count }, (_, i): [number, number] => [flying.first + i, flying.len])]);
    const text = JSON.stringify(found);
    const ends = (list: readonly [number, number][]): string => `${list[0]?.[0]} to ${list.at(-1)?.[0]}`;
    assert.ok(
      wanted.some((list) => JSON.stringify(list) === text),
      `the log has records ${ends(found)}, not ${wanted.map(ends).join(' or ')}`,
    );
    this.#records = found;
  }

  #verifyRaw(pool: Pool, flying: Op | undefined): void {
    const ids = new Set([...pool].filter(({ type }) => type === 'cache-data').map(({ id }) => id));
    for (const id of this.#raw.keys()) {
      if (ids.has(id)) continue;
      assert.ok(flying?.op === 'free' && flying.id === id, `segment ${id} is free`);
      this.#raw.delete(id);
    }
    for (const id of ids) {
      if (this.#raw.has(id)) continue;
      assert.is(flying?.op, 'allocate', `segment ${id} was never allocated`);
      this.#raw.set(id, new Map());
    }
    for (const [id, places] of this.#raw) for (const place of [...places.keys()]) this.#verifyPlace(pool, id, place, flying);
  }

  #verifyPlace(pool: Pool, id: number, place: number, flying: Op | undefined): void {
    const places = this.#raw.get(id) as Map<number, number>;
    const bytes = Buffer.alloc(PLACE_SIZE);
    pool.segment(id).read(bytes, placeOff(place));
    const old = fill(places.get(place) as number, PLACE_SIZE);
    if (bytes.equals(old)) return;
    assert.ok(flying?.op === 'write' && flying.id === id && flying.place === place, `segment ${id} has other bytes at place ${place}`);
    const now = fill((flying as { tag: number }).tag, PLACE_SIZE);
    assert.ok(
      bytes.every((byte, i) => byte === old[i] || byte === now[i]),
      'a write in flight left bytes that are neither old nor new',
    );
    if (bytes.equals(Buffer.from(now))) places.set(place, (flying as { tag: number }).tag);
    else places.delete(place);
  }

  /** Lets the child that waits go. */
  end(): void {
    this.#standby?.kill('SIGKILL');
  }
}
