/**
 * Goal: the example of docs/CRASHTEST.md works as shown, and does what it says when its barrier is taken out.
 * Method: run it against the built package, whole and without the line.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ROOT, printedBy } from '../kit/playground.js';
import { suite } from '../kit/suite.js';

const test = suite('docs/CRASHTEST.md');
const source = /```js\n([\s\S]*?)```/.exec(readFileSync(join(ROOT, 'docs/CRASHTEST.md'), 'utf8'))?.[1] ?? '';

test('the example finds nothing wrong, and says how much it looked at', async () => {
  const printed = await printedBy(source);
  assert.match(printed, /images: \d{3,}/);
  assert.match(printed, /states: 4,/);
});

test('without its barrier the example fails, naming the moment', async () => {
  const without = source.replace(/^ *log\.persist\(\).*\n/m, '');
  assert.is.not(without, source);
  const error = await printedBy(without).then(
    () => undefined,
    (reason: unknown) => reason as { stderr: string },
  );
  assert.match(error?.stderr ?? '', /power lost at operation \d+ of \d+.*lost what was acknowledged/);
});
