/**
 * Goal: a call that fails, once or from then on, loses nothing that was acknowledged and leaves nothing behind.
 * Method: a workload that uses everything runs over a shim and a node:fs whose Nth call fails, for N = 1, 2, … until it runs clean; after
 * each run descriptors, mappings and files are counted, and the pool is opened without failures and held against a model. Here every call
 * site (function and step) fails at its first call, in every way, and the calls between in turn; `nth.slow.ts` does all of them.
 */
import { install } from '../kit/faults.js';
import { temporaryFolder } from '../kit/folder.js';

const folder = temporaryFolder('/dev/shm');
install(folder);
const { nthTests } = await import('./nth.suite.js');
nthTests(folder, 'short');
