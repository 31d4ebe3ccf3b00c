/**
 * Goal: what was acknowledged outlives the death of the process, in every mode, without losing a segment.
 * Method: a child works on a pool and acknowledges over a pipe; it is killed at random moments, the pool is opened and held against what it
 * had said, and the next child goes on with it. Page caches survive kill -9: this is the process-death column of the durability table.
 */
import { killTests } from './kill.suite.js';

killTests((rounds) => rounds < 5);
