/**
 * Goal: whoever meets a lost page first, and however it was lost, the process lives, nobody takes zeros for data, everything that touches the
 * page is refused until it is repaired, and its neighbours are as good as ever.
 * Method: child processes, on real memory and real file systems; each way to touch a page, one after another, with a repair between.
 */
import { native, nativeUnavailable } from '../../src/native.js';
import { suite } from '../kit/suite.js';
import { inPlace, places, sum } from './kit.js';

const test = suite('lost pages');

if (native) {
  // Both modes where they differ most; the long form has both everywhere.
  const modes: Record<string, string[]> = {
    'a file that shrinks': ['file', 'dax'],
    'poisoned pages': ['file', 'dax'],
    'poison in pages of 2 MiB': ['dax'],
  };
  for (const title of Object.keys(places)) inPlace(test, title, ['all'], modes[title] ?? ['file']);
  test('the sum of it', () => console.log(`\nNOTE lost pages: ${sum.scenarios} scenarios, ${sum.steps} claims held`));
} else test.skip('lost pages', `no native shim: ${nativeUnavailable}`);
