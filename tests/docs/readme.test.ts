/**
 * Goal: what the README shows works as shown.
 * Method: run its JavaScript in an empty folder against the built package, and its command lines in order, comparing what they print.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { native, nativeUnavailable } from '../../src/native.js';
import { suite } from '../kit/suite.js';

const test = suite('README');
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const text = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** An empty folder in which `pmseg` can be imported and called. */
function playground(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pmseg-readme-'));
  mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(ROOT, join(folder, 'node_modules', 'pmseg'));
  const cli = join(ROOT, 'dist/src/cli/main.js');
  writeFileSync(join(folder, 'node_modules/.bin/pmseg'), `#!/bin/sh\nexec "${process.execPath}" "${cli}" "$@"\n`, { mode: 0o755 });
  return folder;
}

test('the example runs and prints what it says', async () => {
  const source = /```js\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  const folder = playground();
  try {
    // Node 20 and 22 have no `using`; the package's own compiler lowers it.
    const { transformSync } = await import('esbuild');
    writeFileSync(join(folder, 'example.mjs'), transformSync(source, { target: 'node20', format: 'esm' }).code);
    const printed = execFileSync(process.execPath, ['example.mjs'], { cwd: folder, encoding: 'utf8' }).split('\n');
    assert.is(printed[0], 'hello, medium');
    assert.match(printed[1] ?? '', /^\d+ second$/);
    assert.match(printed[2] ?? '', /^\d+ third$/);
    assert.match(printed[3] ?? '', /^[0-9a-f]{1,8}$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
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
