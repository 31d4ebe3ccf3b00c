/**
 * Goal: barriers never speak for lost bytes, logs never end silently at one, records come back from their other copy, and the signal is ours.
 * Method: the stories of stories.ts in child processes, on poisoned pages, on a disk that fails, under a file that shrinks.
 */
import { native, nativeUnavailable } from '../../src/native.js';
import { suite } from '../kit/suite.js';
import { inPlace, sum } from './kit.js';

const test = suite('stories of lost pages');

if (native) {
  // The long form has all of them everywhere.
  inPlace(test, 'poisoned pages', ['barriers', 'upper', 'recovery', 'records']);
  inPlace(test, 'poisoned pages', ['many', 'listener', 'stranger', 'dropped', 'thread'], ['file']);
  inPlace(test, 'a disk with an I/O error', ['recovery', 'reopened'], ['file']);
  inPlace(test, 'a file that shrinks', ['cutShort', 'reader', 'listener'], ['file']);
  test('the sum of it', () => console.log(`\nNOTE stories of lost pages: ${sum.scenarios} held`));
} else test.skip('stories of lost pages', `no native shim: ${nativeUnavailable}`);
