#!/usr/bin/env node
/** `pmseg VERB POOL …`: the verbs, and what becomes of errors. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { bench } from './bench.js';
import { check } from './check.js';
import { crc } from './crc.js';
import { create } from './create.js';
import { get } from './get.js';
import { info } from './info.js';
import { log } from './log.js';
import { ls } from './ls.js';
import { session } from './open.js';
import { put } from './put.js';
import { rm } from './rm.js';
import { EXIT, exitStatusOf, reportError } from './terminal.js';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };
const json = process.argv.includes('--json');

const program = new Command('pmseg')
  .description('Crash-consistent segments in persistent memory and files.')
  .version(version)
  .showHelpAfterError(false)
  .exitOverride()
  .configureOutput({
    writeErr: (text) => (json ? undefined : process.stderr.write(text)),
    outputError: (text, write) => write(text.replace(/^error: /, 'pmseg: ')),
  })
  .addHelpText(
    'after',
    '\nSizes: 512, 1e9, 64KiB, 16MiB, 4GiB.\nExit status: 0 fine; 1 damage, or a negative answer; 2 bad usage, not a pool, unreadable.',
  );

for (const verb of [create, info, put, get, ls, rm, crc, log, check, bench]) verb(program);

// Whoever reads our output may stop: that is no error of ours, and nobody is left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.fine);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said it; only help and version that were asked for are fine.
    const asked = error.exitCode === 0;
    if (!asked && json) reportError(Object.assign(new Error(error.message.replace(/^error: /, '')), { code: 'ERR_PMSEG_USAGE' }), true);
    process.exitCode = asked ? EXIT.fine : EXIT.unusable;
  } else {
    reportError(error, json);
    process.exitCode = exitStatusOf(error, session.opened);
  }
}
