/** `pmseg create POOL --size S`: makes a pool file under a new name. */
import type { Command } from 'commander';
import { createPoolFile } from '../create.js';
import { Progress, answer, formatSize, parseSize } from './terminal.js';
import { Pool } from '../pool.js';

interface Options {
  json: boolean;
  size: string;
  segmentSize?: string;
  sparse?: boolean;
  label?: string;
  uuid?: string;
}

export function create(program: Command): void {
  program
    .command('create')
    .description('make a pool; an existing file is refused')
    .argument('<pool>', 'path of the new file')
    .requiredOption('--size <size>', 'of the whole file, rounded down to 4 KiB: 64MiB, 1e9, 4GiB')
    .option('--segment-size <size>', 'power of two from 1MiB to 1GiB', '16MiB')
    .option('--sparse', 'leave holes instead of taking real blocks')
    .option('--label <text>', 'up to 64 bytes')
    .option('--uuid <uuid>', 'instead of a random one')
    .option('--json', 'print one JSON object', false)
    .action((path: string, options: Options) => {
      const progress = new Progress('writing zeros', options.json);
      try {
        createPoolFile(path, {
          size: parseSize(options.size),
          segmentSize: options.segmentSize === undefined ? undefined : parseSize(options.segmentSize),
          sparse: options.sparse,
          label: options.label,
          uuid: options.uuid,
          onProgress: progress.update,
        });
      } finally {
        progress.stop();
      }
      const pool = Pool.open(path, { readOnly: true });
      const { uuid, label, size, segmentSize, segments } = pool.status();
      pool.close();
      answer(options.json, { path, uuid, label, size, segmentSize, segments: segments.total, sparse: options.sparse ?? false }, [
        `${path}: ${formatSize(size)}, ${segments.total} segments of ${formatSize(segmentSize)}, uuid ${uuid}`,
      ]);
    });
}
