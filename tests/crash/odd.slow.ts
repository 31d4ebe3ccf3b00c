/**
 * Goal: as crash.test.ts, over half a million distinct images: the odd-numbered cases; the other half is in even.slow.ts, so that two cores share them.
 * Method: more combinations enumerated completely, more samples, more crashes in recovery.
 */
import { suite } from '../kit/suite.js';
import { runCases, seed } from './run.js';

console.log(`SEED ${seed}`);
const options = { exhaustiveMax: 1 << 16, sampleCount: 120_000, largeCount: 100, againEvery: 60, againCount: 3, killEvery: 1 };
runCases(suite('crash, odd cases'), ['page', 'cache-line'], options, 500_000, [1, 2]);
