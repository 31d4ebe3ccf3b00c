/** `pmseg get POOL NAME [-o FILE]`: streams an object out. Changes nothing in the pool. */
import * as fs from 'node:fs';
import type { Command } from 'commander';
import { fromFs, rangeError } from '../errors.js';
import { hex, type ObjectReader } from '../log/object.js';
import { poolOptions, withPool, type PoolOptions } from './open.js';
import { Progress, answer, pour } from './terminal.js';

interface Options extends PoolOptions {
  output?: string;
}

/** Into a file beside the wanted one, which gets the name only when the CRC has been checked. */
function toFile(reader: ObjectReader, file: string, progress: Progress): void {
  const aside = `${file}.getting-${process.pid}`;
  try {
    const fd = fs.openSync(aside, 'wx', 0o666);
    try {
      let done = 0;
      for (const chunk of reader.chunks()) {
        for (let off = 0; off < chunk.byteLength; ) off += fs.writeSync(fd, chunk, off);
        progress.update((done += chunk.byteLength), reader.size);
      }
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(aside, file);
  } catch (error) {
    fs.rmSync(aside, { force: true });
    throw fromFs('write', error, { path: file });
  }
}

async function toStdout(reader: ObjectReader, progress: Progress): Promise<void> {
  let done = 0;
  for (const chunk of reader.chunks()) {
    await pour(chunk);
    progress.update((done += chunk.byteLength), reader.size);
  }
}

export function get(program: Command): void {
  const command = program
    .command('get')
    .description('write an object to stdout or to a file, checked against its CRC')
    .argument('<pool>', 'path of the pool')
    .argument('<name>', 'of the object')
    .option('-o, --output <file>', 'write to a file, which is replaced only by the whole, checked object');
  poolOptions(command, false).action(async (path: string, name: string, options: Options) => {
    const { output, json } = options;
    if (json && output === undefined) throw rangeError('get --json needs -o: stdout cannot carry both');
    const progress = new Progress(`get ${name}`, json || process.stdout.isTTY === true);
    await withPool(path, options, true, async (pool) => {
      const reader = pool.openObject(name);
      try {
        if (output === undefined) await toStdout(reader, progress);
        else toFile(reader, output, progress);
      } finally {
        progress.stop();
      }
      if (json) answer(true, { name, size: reader.size, crc: hex(reader.storedCrc), output }, []);
    });
  });
}
