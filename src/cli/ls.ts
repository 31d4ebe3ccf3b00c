/** `pmseg ls POOL`: names, kinds and sizes. Reads metadata only and changes nothing. */
import type { Command } from 'commander';
import type { Entry } from '../catalog.js';
import { hex } from '../log/object.js';
import { poolOptions, withPool, type PoolOptions } from './open.js';
import { answer } from './terminal.js';

/** A log's length is known only after reading it: `pmseg log info` tells. */
function row({ name, kind, head, segmentIds, damage }: Entry): Record<string, unknown> {
  const shown = { name, kind, segments: segmentIds.length, ...(damage === undefined ? {} : { damage }) };
  return kind === 'object' ? { ...shown, size: head.byteLen, crc: hex(head.dataCrc) } : shown;
}

function line({ name, kind, head, segmentIds, damage }: Entry): string {
  const [size, crc] = kind === 'object' ? [String(head.byteLen), hex(head.dataCrc)] : ['-', '-'];
  return `${kind.padEnd(6)} ${size.padStart(14)} ${crc.padEnd(8)} ${String(segmentIds.length).padStart(6)}  ${name}${damage ? `  (damaged: ${damage})` : ''}`;
}

export function ls(program: Command): void {
  const command = program.command('ls').description('list objects and logs').argument('<pool>', 'path of the pool');
  poolOptions(command, false).action(async (path: string, options: PoolOptions) => {
    const entries = await withPool(path, options, true, (pool) => pool.list());
    answer(options.json, { entries: entries.map(row) }, entries.map(line));
  });
}
