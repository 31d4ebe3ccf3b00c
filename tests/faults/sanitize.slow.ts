/**
 * Goal: the shim does nothing that ASan or UBSan can see.
 * Method: all of its tests, and the contract suite and all stories of lost pages above it, on a build with both sanitizers.
 */
import { native, nativeUnavailable } from '../../src/native.js';
import { suite } from '../kit/suite.js';
import { runSanitized, sanitizedEnv } from './sanitized.js';

const test = suite('sanitizers, long');
const env = native ? sanitizedEnv() : (nativeUnavailable ?? 'no native shim');

if (typeof env === 'string') test.skip('the shim under ASan and UBSan', env);
else {
  for (const file of [
    'native/map',
    'native/files',
    'native/arguments',
    'native/persist',
    'native/fault',
    'host/medium',
    'faults/pages',
    'faults/stories',
  ])
    test(`${file} is clean`, () => console.log(`\nNOTE ${file} under ASan and UBSan: ${runSanitized(`${file}.test.js`, env)} passed`));
}
