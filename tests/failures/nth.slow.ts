/**
 * Goal and method as in `nth.test.ts`: every call, every errno, once and from then on, in an order of chance, for
 * PMSEG_SLOW_SECONDS seconds (900 unless told) if they take longer.
 */
import { install } from '../kit/faults.js';
import { temporaryFolder } from '../kit/folder.js';

const folder = temporaryFolder('/dev/shm');
install(folder);
const { nthTests } = await import('./nth.suite.js');
const MODES = 3;
nthTests(folder, 'long', Number(process.env['PMSEG_SLOW_SECONDS'] ?? 900) / MODES);
