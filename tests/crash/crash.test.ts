/**
 * Goal: power lost at any moment of a workload loses nothing that was acknowledged, shows nothing that was never done, and leaves no
 * segment that belongs to nobody; also when power is lost again in recovery, and when processes die in between.
 * Method: the crash enumerator over every kind of update, both persistency models, an oracle for each; the short form of crash/*.slow.ts.
 */
import { suite } from '../kit/suite.js';
import { runCases, seed } from './run.js';

console.log(`SEED ${seed}`);
const options = { exhaustiveMax: 64, sampleCount: 12, largeCount: 1, againEvery: 40, againCount: 2, killEvery: 1 };
runCases(suite('crash'), ['cache-line', 'byte', 'page'], options, 5000);
