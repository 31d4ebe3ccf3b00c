/** `pmseg crc POOL NAME`: reads an object and compares its CRC-32C with the stored one. Changes nothing. */
import type { Command } from 'commander';
import { CHUNK_SIZE, hex } from '../log/object.js';
import { poolOptions, withPool, type PoolOptions } from './open.js';
import { EXIT, Progress, answer } from './terminal.js';

export function crc(program: Command): void {
  const command = program
    .command('crc')
    .description('CRC-32C of an object, read and compared')
    .argument('<pool>', 'path of the pool')
    .argument('<name>', 'of the object');
  poolOptions(command, false).action(async (path: string, name: string, options: PoolOptions) => {
    const progress = new Progress(`crc ${name}`, options.json);
    await withPool(path, options, true, (pool) => {
      const reader = pool.openObject(name);
      const bio = pool.bio(CHUNK_SIZE);
      let computed = 0;
      for (let position = 0; position < reader.size; ) {
        const count = reader.copyToBio(position, CHUNK_SIZE, bio);
        computed = pool.engine.bank.core.crc32cStandard(computed, bio.bytes.byteOffset, count);
        progress.update((position += count), reader.size);
      }
      bio.release();
      progress.stop();
      const equal = computed === reader.storedCrc;
      if (!equal) process.exitCode = EXIT.negative;
      answer(options.json, { name, size: reader.size, crc: hex(computed), stored: hex(reader.storedCrc), equal }, [
        equal ? hex(computed) : `${hex(computed)}, but ${hex(reader.storedCrc)} is stored`,
      ]);
    });
  });
}
