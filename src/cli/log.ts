/** `pmseg log append|cat|trim|cut|info`: records in order. */
import * as fs from 'node:fs';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { fromFs, rangeError } from '../errors.js';
import type { Log } from '../log/log.js';
import type { Pool } from '../pool.js';
import { poolOptions, withPool, type PoolOptions } from './open.js';
import { answer, pour } from './terminal.js';

interface AppendOptions extends PoolOptions {
  whole?: boolean;
}
interface CatOptions extends PoolOptions {
  from?: string;
  raw?: boolean;
}

/** A position from the command line. */
function parsePosition(text: string): number {
  const position = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(position)) throw rangeError(`"${text}" is not a position`);
  return position;
}

/** The input, as a stream that fails with our errors. */
function openInput(file: string): NodeJS.ReadableStream {
  if (file === '-') return process.stdin;
  try {
    return fs.createReadStream('', { fd: fs.openSync(file, 'r') });
  } catch (error) {
    throw fromFs('read', error, { path: file });
  }
}

async function appendInput(log: Log, input: NodeJS.ReadableStream, whole: boolean): Promise<{ count: number; first: number | undefined }> {
  let count = 0;
  let first: number | undefined;
  const append = (pieces: readonly Uint8Array[]): void => {
    const position = log.append(pieces);
    first ??= position;
    count++;
  };
  if (whole) {
    const pieces: Uint8Array[] = [];
    for await (const chunk of input) pieces.push(chunk as Buffer);
    append([Buffer.concat(pieces)]);
  } else {
    // latin1 keeps every byte, so lines need not be UTF-8.
    for await (const line of createInterface({ input: input.setEncoding('latin1'), crlfDelay: Infinity }))
      append([Buffer.from(line, 'latin1')]);
  }
  log.persist();
  return { count, first };
}

function describe(pool: Pool, name: string): Record<string, unknown> {
  const log = pool.log(name);
  const segments = pool.catalog.entries.get(name)?.segmentIds.length;
  return { name, begin: log.begin, end: log.end, segments, sealed: log.sealed, torn: log.torn, damage: log.damage };
}

async function cat(pool: Pool, name: string, options: CatOptions): Promise<void> {
  const from = options.from === undefined ? 0 : parsePosition(options.from);
  const newline = Buffer.from('\n');
  let separator = '';
  if (options.json) await pour(Buffer.from('{"records":['));
  for (const { position, data } of pool.log(name).recordsSync({ from })) {
    if (options.json) {
      await pour(
        Buffer.from(`${separator}${JSON.stringify({ position, length: data.byteLength, base64: Buffer.from(data).toString('base64') })}`),
      );
      separator = ',';
    } else {
      await pour(data);
      if (!options.raw) await pour(newline);
    }
  }
  if (options.json) await pour(Buffer.from(']}\n'));
}

export function log(program: Command): void {
  const group = program.command('log').description('append-only records');
  const verb = (name: string, description: string, writes: boolean): Command =>
    poolOptions(
      group.command(name).description(description).argument('<pool>', 'path of the pool').argument('<name>', 'of the log'),
      writes,
    );

  verb('append', 'append one record a line, durable before the exit; makes the log if there is none', true)
    .argument('[file]', 'file to read, - for stdin', '-')
    .option('--whole', 'one record of the whole input')
    .action(async (path: string, name: string, file: string, options: AppendOptions) => {
      const input = openInput(file);
      const { end, count, first } = await withPool(path, options, false, async (pool) => {
        const target = pool.log(name, { create: true });
        return { ...(await appendInput(target, input, options.whole ?? false)), end: target.end };
      });
      answer(options.json, { name, count, first, end }, [
        `${name}: ${count} records appended${first === undefined ? '' : `, the first at ${first}`}, end ${end}`,
      ]);
    });

  verb('cat', 'print the records, each with a newline', false)
    .option('--from <position>', 'begin with the first record at or behind a position')
    .option('--raw', 'without newlines')
    .action((path: string, name: string, options: CatOptions) => withPool(path, options, true, (pool) => cat(pool, name, options)));

  verb('trim', 'forget the records before a position, and free their segments', true)
    .argument('<position>', 'of the first record to keep')
    .action(async (path: string, name: string, position: string, options: PoolOptions) => {
      const wanted = parsePosition(position);
      const shown = await withPool(path, options, false, (pool) => {
        pool.log(name).trim(wanted);
        return describe(pool, name);
      });
      answer(options.json, shown, [`${name}: begins at ${String(shown['begin'])}, ${String(shown['segments'])} segments`]);
    });

  verb('cut', 'give up a damaged log from the damage on, or from a position on', true)
    .argument('[position]', 'of the first record to give up')
    .action(async (path: string, name: string, position: string | undefined, options: PoolOptions) => {
      const shown = await withPool(path, options, false, (pool) => {
        pool.log(name).cut(position === undefined ? undefined : parsePosition(position));
        return describe(pool, name);
      });
      answer(options.json, shown, [`${name}: ends at ${String(shown['end'])}`]);
    });

  verb('info', 'positions, segments, damage', false).action(async (path: string, name: string, options: PoolOptions) => {
    const shown = await withPool(path, options, true, (pool) => describe(pool, name));
    const lines = Object.entries(shown).filter(([, value]) => value !== undefined);
    answer(
      options.json,
      shown,
      lines.map(([key, value]) => `${key.padEnd(9)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`),
    );
  });
}
