/**
 * Goal: the shim does nothing that ASan or UBSan can see.
 * Method: the tests of its mappings, files and arguments, and scenarios of lost pages through a pool, on a build with both sanitizers. The long
 * form runs all of its tests.
 */
import { native, nativeUnavailable } from '../../src/native.js';
import { suite } from '../kit/suite.js';
import { inPlace } from './kit.js';
import { runSanitized, sanitizedEnv } from './sanitized.js';

const test = suite('sanitizers');
const env = native ? sanitizedEnv() : (nativeUnavailable ?? 'no native shim');

if (typeof env === 'string') test.skip('the shim under ASan and UBSan', env);
else {
  for (const file of ['map', 'files', 'arguments'])
    test(`native/${file} is clean`, () =>
      console.log(`\nNOTE native/${file} under ASan and UBSan: ${runSanitized(`native/${file}.test.js`, env)} passed`));
  inPlace(test, 'a file that shrinks', ['all'], ['dax'], env);
  inPlace(test, 'poisoned pages', ['all'], ['file'], env);
}
