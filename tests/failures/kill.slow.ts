/**
 * Goal and method as in `kill.test.ts`, for PMSEG_SLOW_SECONDS seconds (300 unless told), shared by all modes and places.
 */
import { killTests } from './kill.suite.js';

const seconds = Number(process.env['PMSEG_SLOW_SECONDS'] ?? 300);
const RUNS = 6;
let end = 0;

killTests((rounds) => {
  if (rounds === 0) end = Date.now() + (seconds / RUNS) * 1000;
  return rounds === 0 || Date.now() < end;
});
