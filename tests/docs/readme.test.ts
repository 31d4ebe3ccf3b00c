/**
 * Goal: what the README shows works as shown.
 * Method: run its JavaScript in an empty folder against the built package, and its command lines in order, comparing what they print.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { native, nativeUnavailable } from '../../src/native.js';
import { ROOT, playground, printedBy } from '../kit/playground.js';
import { suite } from '../kit/suite.js';

const test = suite('README');
const text = readFileSync(join(ROOT, 'README.md'), 'utf8');

test('the example runs and prints what it says', async () => {
  const source = /```js\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  const printed = (await printedBy(source)).split('\n');
  assert.is(printed[0], 'hello, medium');
  assert.match(printed[1] ?? '', /^\d+ second$/);
  assert.match(printed[2] ?? '', /^\d+ third$/);
  assert.match(printed[3] ?? '', /^[0-9a-f]{1,8}$/);
});

const transcriptTitle = 'the transcript of the command line is what the commands print';
const checkTranscript = (): void => {
  const transcript = /```console\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  const steps = transcript.split(/^\$ /m).slice(1);
  assert.ok(steps.length >= 5, 'the README has a transcript');
  const folder = playground();
  try {
    for (const step of steps) {
      const [command = '', ...expected] = step.trimEnd().split('\n');
      const { stdout, stderr } = spawnSync('sh', ['-c', command], {
        cwd: folder,
        encoding: 'utf8',
        env: {
          ...process.env,
          PATH: `${join(folder, 'node_modules/.bin')}:${process.env['PATH']}`,
          PMSEG_FORCE_GRANULARITY: '',
          PMSEG_OWNER_SEED: 'README',
        },
      });
      assert.is(`${stdout}${stderr}`.trimEnd(), expected.join('\n'), command);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
};

// It shows the mode, which is another one without the shim.
if (native) test(transcriptTitle, checkTranscript);
else test.skip(transcriptTitle, `no native shim: ${nativeUnavailable}`);
