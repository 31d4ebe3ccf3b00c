/**
 * Goal: Deno and Bun, which have signal handlers of their own, live with a lost page as node does.
 * Method: the built package in each that is installed; the long form installs them.
 */
import { native, nativeUnavailable } from '../../src/native.js';
import { suite } from '../kit/suite.js';
import { RUNTIMES, exists, livesIn } from './runtimes.js';

const test = suite('lost pages in other runtimes');

if (native) {
  test('node', () => livesIn(process.execPath, []));
  for (const { name, args } of RUNTIMES) {
    if (exists(name)) test(name, () => livesIn(name, args));
    else test.skip(name, `${name} is not installed; npm run test:slow -- runtimes installs it`);
  }
} else test.skip('lost pages in other runtimes', `no native shim: ${nativeUnavailable}`);
