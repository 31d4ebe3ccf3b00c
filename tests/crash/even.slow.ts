/**
 * Goal: as crash.test.ts, over half a million distinct images: the even-numbered cases; the other half is in odd.slow.ts, so that two cores share them.
 * Method: more combinations enumerated completely, more samples, more crashes in recovery.
 */
import { suite } from '../kit/suite.js';
import { runCases, seed } from './run.js';

console.log(`SEED ${seed}`);
const options = { exhaustiveMax: 1 << 16, sampleCount: 120_000, largeCount: 100, againEvery: 60, againCount: 3, killEvery: 1 };
runCases(suite('crash, even cases'), ['page', 'cache-line'], options, 500_000, [0, 2]);
