/**
 * Goal: as pages.test.ts and stories.test.ts.
 * Method: every scenario in every place that can hold it, in both modes; and pages of RAM that the kernel is told have failed.
 */
import { native, nativeUnavailable } from '../../src/native.js';
import { suite } from '../kit/suite.js';
import { inPlace, places, sum } from './kit.js';

const test = suite('lost pages, long');

if (native) {
  for (const title of [...Object.keys(places), 'a file on a disk that shrinks', 'memory that the kernel is told has failed'])
    inPlace(test, title, ['all']);
  const kept = ['barriers', 'upper', 'recovery', 'records', 'many', 'listener', 'stranger', 'dropped', 'thread'];
  inPlace(test, 'poisoned pages', kept);
  // Where there is room for it.
  inPlace(
    test,
    'poison in pages of 2 MiB',
    kept.filter((scenario) => scenario !== 'many'),
  );
  inPlace(test, 'a disk with an I/O error', ['barriers', 'recovery', 'reopened', 'thread']);
  inPlace(test, 'a file on a disk that shrinks', ['cutShort', 'reader', 'dropped', 'thread', 'listener']);
  test('the sum of it', () => console.log(`\nNOTE lost pages, long: ${sum.scenarios} scenarios, ${sum.steps} claims held`));
} else test.skip('lost pages', `no native shim: ${nativeUnavailable}`);
