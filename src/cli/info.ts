/** `pmseg info POOL`: what the pool is and what it guarantees here. Changes nothing. */
import type { Command } from 'commander';
import type { Status } from '../pool.js';
import { poolOptions, withPool, type PoolOptions } from './open.js';
import { answer, formatSize } from './terminal.js';

function lines(status: Status): string[] {
  const { segments } = status;
  return [
    `mode         ${status.mode}${status.nativeUnavailable ? ` (no native shim: ${status.nativeUnavailable})` : ''}`,
    `granularity  ${status.granularity}${status.forced ? ' (forced)' : ''}`,
    `guarantee    ${status.guarantee}`,
    `uuid         ${status.uuid}`,
    `label        ${status.label}`,
    `size         ${formatSize(status.size)} (${status.size} bytes)`,
    `segments     ${segments.total} of ${formatSize(status.segmentSize)}: ${segments.used} used, ${segments.free} free, ${segments.damaged} damaged`,
    `data         ${status.dataSize} bytes each, from offset ${status.dataOff}`,
    `clean        ${status.clean ? 'yes' : 'no'}`,
    `epoch        ${status.epoch}`,
    ...status.degraded.map(({ kind, segmentId }) => `degraded     ${kind}${segmentId === undefined ? '' : ` of segment ${segmentId}`}`),
  ];
}

export function info(program: Command): void {
  const command = program.command('info').description('mode, granularity, guarantee, counts').argument('<pool>', 'path of the pool');
  poolOptions(command, false).action(async (path: string, options: PoolOptions) => {
    const status = await withPool(path, options, true, (pool) => pool.status());
    // Optional fields that are absent stay absent in JSON; sizes are bytes.
    answer(options.json, { ...status }, lines(status));
  });
}
