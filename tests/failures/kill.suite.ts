/**
 * The runs of `kill.test.ts` and `kill.slow.ts`: where, in which mode, and how long.
 */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { native, nativeUnavailable } from '../../src/native.js';
import { temporaryFolder } from '../kit/pools.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';
import { KillRun, type Mode } from './kill.js';

/** @param goesOn asked before each round, with the number of rounds so far of this run */
export function killTests(goesOn: (rounds: number) => boolean): void {
  const test = suite('kill -9');
  const modes: readonly Mode[] = native ? ['file', 'copy', 'dax'] : ['copy'];
  if (!native) test.skip('file and dax mode', `no native shim: ${nativeUnavailable}`);
  for (const place of [tmpdir(), '/dev/shm']) {
    if (!existsSync(place)) {
      test.skip(`pools in ${place}`, 'there is no such folder');
      continue;
    }
    const folder = temporaryFolder(place);
    for (const mode of modes) {
      test(`${mode} mode in ${place}: what was acknowledged outlives the process`, async () => {
        if (mode === 'dax') process.env['PMSEG_FORCE_GRANULARITY'] = 'cache-line';
        else delete process.env['PMSEG_FORCE_GRANULARITY'];
        const run = new KillRun(join(folder, mode), mode, new Prng());
        try {
          while (goesOn(run.rounds)) {
            await run.round();
            // Each open reserves address space that only a collection gives back.
            if (run.rounds % 32 === 0) globalThis.gc?.();
          }
        } finally {
          run.end();
        }
        const { rounds, acknowledged, inFlight } = run;
        console.log(
          `\nNOTE ${mode} in ${place}: ${rounds} kills, ${inFlight} in the middle of an operation, ${acknowledged} acknowledged, none lost`,
        );
      });
    }
  }
}
