/**
 * SIGBUS and `process.on('SIGBUS')`: a listener in JavaScript makes the runtime take the signal, and its removal gives it to nobody. Either
 * way the next lost page would stop the process for good, in a loop or dead; so the signal is taken back at once.
 *
 * What is always true
 *   - Our handler is put in front of the runtime's, which still hears of every SIGBUS that is not ours.
 *   - What replaces the handler by other means is noticed at open, at status and before every barrier.
 */
import type { Native } from '../native.js';

let hooked = false;

/** Takes SIGBUS back from now on whenever a listener comes or goes. Listeners for signals exist in the main thread alone. */
export function keepSignal(native: Native): void {
  if (hooked) return;
  hooked = true;
  const takeBack = (event: string | symbol): void => {
    if (event === 'SIGBUS' && native.guard() !== 1) native.guardInstall();
  };
  // The runtime's own hooks were there first, so it has taken or left the signal when these run.
  process.on('newListener', takeBack);
  process.on('removeListener', takeBack);
}
