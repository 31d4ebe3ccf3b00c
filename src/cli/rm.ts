/** `pmseg rm POOL NAME`: removes an object or a log. */
import type { Command } from 'commander';
import { poolOptions, withPool, type PoolOptions } from './open.js';
import { answer } from './terminal.js';

export function rm(program: Command): void {
  const command = program
    .command('rm')
    .description('remove an object or a log')
    .argument('<pool>', 'path of the pool')
    .argument('<name>', 'what to remove');
  poolOptions(command, true).action(async (path: string, name: string, options: PoolOptions) => {
    await withPool(path, options, false, (pool) => pool.remove(name));
    answer(options.json, { removed: name }, []);
  });
}
