/**
 * The fault counter: how often the guard has put zeros where the medium failed to deliver.
 *
 * What is always true
 *   - The guard counts a fault before it puts the zeros there, and the count never falls while the pool is open. So a thread that saw
 *     zeros in place of data sees the count, provided that it looks afterwards in the order of all threads.
 *   - An atomic read-modify-write of the counter itself gives that order: its store comes after the loads before it, and its load reads
 *     the value just before its store. A plain or atomic load could be answered before an earlier load of the data.
 */
import { STATE_FAULTS_OFF, STATE_PTR } from "./plan";
import { atomicOr } from "./atomics";

/** Faults mended in this bank since open; read after everything that this thread has done so far. */
export function faultCount(): u32 {
  return atomicOr(STATE_PTR + STATE_FAULTS_OFF, 0);
}
