/**
 * The process that is killed: waits for one line `PATH MODE SEED` on stdin, then works on the pool until it dies. Before each operation it
 * writes `?` and the operation to stdout, after it `!` and its result: an acknowledgement, for the call has returned.
 */
import * as fs from 'node:fs';
import { Pool, type Log } from '../../src/index.js';
import { PLACE_COUNT, PLACE_SIZE, fill, numberOf, placeOff, recordOf, type Op } from './kill.ops.js';

/** A pipe that is full is waited for. */
function say(text: string): void {
  const bytes = Buffer.from(`${text}\n`);
  for (let done = 0; done < bytes.byteLength; ) {
    try {
      done += fs.writeSync(1, bytes, done);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

say('loaded');
const line = Buffer.alloc(4096);
const [path = '', mode, seed] = line.subarray(0, fs.readSync(0, line)).toString().trim().split(' ');
if (!path) process.exit(0);

/** xorshift: the kit's generator would print its seed into the acknowledgements. */
let state = Number(seed) | 1;
function below(limit: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % limit;
}

const pool = Pool.open(path, { mode: mode as 'file' | 'copy' | 'dax' });
const log: Log = pool.log('log', { create: true });
/** Positions of records by number. */
const positions = new Map<number, number>();
for (const { position, data } of log.recordsSync()) positions.set(numberOf(data), position);
let next = Math.max(0, ...positions.keys()) + 1;
say('open');

const rawIds = (): number[] => [...pool].filter(({ type }) => type === 'cache-data').map(({ id }) => id);

function choose(): Op {
  const raw = rawIds();
  const kind = below(100);
  if (log.end - log.begin > 3 * pool.dataSize || (kind < 6 && positions.size > 10)) {
    const known = [...positions.keys()];
    return { op: 'trim', to: known[Math.floor(known.length / 2) + below(Math.ceil(known.length / 2))] as number };
  }
  if (kind < 30) {
    const name = `object ${below(4)}`;
    const exists = pool.list().some((entry) => entry.name === name);
    if (exists && below(4) === 0) return { op: 'remove', name };
    const len = below(3) === 0 ? below(1_500_000) : below(20_000);
    return { op: 'put', name, tag: below(1 << 20), len, replace: exists };
  }
  if (kind < 65) {
    const how = (['flush', 'persist', 'durable'] as const)[below(3)] as 'flush';
    return { op: 'append', first: next, count: 1 + below(5), len: 8 + below(below(4) === 0 ? 60_000 : 2000), how };
  }
  if (raw.length < 2 || (kind < 70 && raw.length < 4)) return { op: 'allocate' };
  const id = raw[below(raw.length)] as number;
  if (kind < 75) return { op: 'free', id };
  const how = (['write', 'persist', ...(mode === 'copy' ? [] : ['view'])] as const)[below(mode === 'copy' ? 2 : 3)] as 'write';
  return { op: 'write', id, place: below(PLACE_COUNT), tag: below(1 << 20), how };
}

async function perform(op: Op): Promise<unknown> {
  switch (op.op) {
    case 'put':
      return void pool.put(op.name, fill(op.tag, op.len), { replace: op.replace });
    case 'remove':
      return pool.remove(op.name);
    case 'append': {
      const promises: Promise<number>[] = [];
      for (let number = op.first; number < op.first + op.count; number++) {
        const record = recordOf(number, op.len);
        if (op.how === 'durable') promises.push(log.appendDurable(record).then((position) => (positions.set(number, position), position)));
        else positions.set(number, log.append(record));
      }
      await Promise.all(promises);
      if (op.how === 'flush') log.flush();
      if (op.how === 'persist') log.persist();
      next = op.first + op.count;
      return undefined;
    }
    case 'trim':
      log.trim(positions.get(op.to) as number);
      for (const number of [...positions.keys()]) if (number < op.to) positions.delete(number);
      return undefined;
    case 'allocate':
      return pool.allocate().id;
    case 'write': {
      const segment = pool.segment(op.id);
      const bytes = fill(op.tag, PLACE_SIZE);
      if (op.how === 'view') {
        using view = segment.view(placeOff(op.place), PLACE_SIZE, { write: true });
        view.bytes.set(bytes);
      } else segment.write(bytes, placeOff(op.place));
      if (op.how === 'persist') segment.persist(placeOff(op.place), PLACE_SIZE);
      return undefined;
    }
    case 'free':
      return pool.free(pool.segment(op.id));
  }
}

for (;;) {
  const op = choose();
  say(`?${JSON.stringify(op)}`);
  const result = await perform(op);
  say(`!${JSON.stringify(result ?? null)}`);
}
