/** `pmseg check POOL [--repair]`: looks at everything; with --repair puts right what is provably safe. */
import type { Command } from 'commander';
import { checkPool, isSound } from '../check.js';
import type { Finding } from '../findings.js';
import { poolOptions, withPool, type PoolOptions } from './open.js';
import { EXIT, Progress, answer } from './terminal.js';

interface Options extends PoolOptions {
  repair?: boolean;
  quick?: boolean;
}

function line({ severity, code, message }: Finding): string {
  return `${severity.padEnd(6)} ${code.padEnd(18)} ${message}`;
}

function verdict(damageCount: number, noteCount: number, repairedCount: number): string {
  const repaired = repairedCount === 0 ? '' : `, ${repairedCount} repaired`;
  return `${damageCount === 0 ? 'sound' : `${damageCount} damaged`}, ${noteCount} notes${repaired}`;
}

export function check(program: Command): void {
  const command = program
    .command('check')
    .description('look for damage; exit status 1 if there is any')
    .argument('<pool>', 'path of the pool')
    .option('--repair', 'write good copies of records over bad ones, free orphans, complete updates that were cut short')
    .option('--quick', 'metadata only');
  poolOptions(command, true).action(async (path: string, options: Options) => {
    const progress = new Progress('checking', options.json);
    const { repair = false, quick } = options;
    const result = await withPool(path, options, !repair, (pool) => {
      try {
        return checkPool(pool, { repair, quick, onProgress: progress.update });
      } finally {
        progress.stop();
      }
    });
    const { findings, repaired } = result;
    const damageCount = findings.filter(({ severity }) => severity === 'damage').length;
    if (!isSound(result)) process.exitCode = EXIT.negative;
    answer(options.json, { sound: damageCount === 0, findings, repaired }, [
      ...repaired.map((finding) => `repaired ${finding.code.padEnd(16)} ${finding.message}`),
      ...findings.map(line),
      verdict(damageCount, findings.length - damageCount, repaired.length),
    ]);
  });
}
