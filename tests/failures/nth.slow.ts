/**
 * Goal and method as in `nth.test.ts`: every call, every errno, once and from then on.
 */
import { install } from '../kit/faults.js';
import { temporaryFolder } from '../kit/folder.js';

const folder = temporaryFolder('/dev/shm');
install(folder);
const { nthTests } = await import('./nth.suite.js');
nthTests(folder, 'long');
