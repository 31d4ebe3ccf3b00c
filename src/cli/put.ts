/** `pmseg put POOL NAME [FILE|-]`: streams a file or stdin into an object. */
import * as fs from 'node:fs';
import type { Command } from 'commander';
import { fromFs } from '../errors.js';
import { CHUNK_SIZE, hex, type ObjectWriter } from '../log/object.js';
import type { Entry } from '../catalog.js';
import { poolOptions, withPool, type PoolOptions } from './open.js';
import { Progress, answer } from './terminal.js';

interface Options extends PoolOptions {
  replace?: boolean;
}

/** Signals that end a put early; its segments are given back first. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How often the event loop gets its turn while a file is read, so that signals arrive. */
const CHUNKS_PER_TURN = 16;

async function copyFile(fd: number, size: number, writer: ObjectWriter, progress: Progress): Promise<void> {
  const chunk = Buffer.allocUnsafe(CHUNK_SIZE);
  for (let n = 1; ; n++) {
    const count = fs.readSync(fd, chunk, 0, CHUNK_SIZE, null);
    if (count === 0) return;
    writer.write(chunk.subarray(0, count));
    progress.update(writer.size, size);
    if (n % CHUNKS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function copyInput(writer: ObjectWriter): Promise<void> {
  for await (const chunk of process.stdin) writer.write(chunk as Buffer);
}

/** Opens the input before the pool: a file that cannot be read must not cost a lock. */
function openInput(file: string): { fd: number; size: number } {
  try {
    const fd = fs.openSync(file, 'r');
    const stat = fs.fstatSync(fd);
    if (stat.isDirectory()) fs.readSync(fd, Buffer.alloc(1));
    return { fd, size: stat.isFile() ? stat.size : 0 };
  } catch (error) {
    throw fromFs('read', error, { path: file });
  }
}

export function put(program: Command): void {
  const command = program
    .command('put')
    .description('store a file (or stdin) under a name: visible and durable, whole, or not at all')
    .argument('<pool>', 'path of the pool')
    .argument('<name>', '1 to 1,024 bytes of UTF-8')
    .argument('[file]', 'file to read, - for stdin', '-')
    .option('--replace', 'replace what has the name, atomically');
  poolOptions(command, true).action(async (path: string, name: string, file: string, options: Options) => {
    const input = file === '-' ? undefined : openInput(file);
    const entry = await withPool(path, options, false, async (pool): Promise<Entry> => {
      const writer = pool.createObject(name, { replace: options.replace, sizeHint: input?.size || undefined });
      const leave = (signal: NodeJS.Signals): void => {
        writer.abort();
        pool.close({ force: true });
        process.exit(128 + (signal === 'SIGINT' ? 2 : signal === 'SIGTERM' ? 15 : 1));
      };
      for (const signal of SIGNALS) process.on(signal, leave);
      const progress = new Progress(`put ${name}`, options.json);
      try {
        if (input) await copyFile(input.fd, input.size, writer, progress);
        else await copyInput(writer);
        return writer.commit();
      } catch (error) {
        writer.abort();
        throw error;
      } finally {
        progress.stop();
        for (const signal of SIGNALS) process.off(signal, leave);
        if (input) fs.closeSync(input.fd);
      }
    });
    const { byteLen, dataCrc } = entry.head;
    answer(options.json, { name, size: byteLen, crc: hex(dataCrc), segments: entry.segmentIds.length }, [
      `${name}: ${byteLen} bytes, CRC-32C ${hex(dataCrc)}`,
    ]);
  });
}
