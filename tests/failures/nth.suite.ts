/**
 * The runs of `nth.test.ts` and `nth.slow.ts`: which call fails how.
 */
import { native, nativeUnavailable } from '../../src/native.js';
import { isTransfer, type Plan } from '../kit/faults.js';
import { Prng } from '../kit/prng.js';
import { suite } from '../kit/suite.js';
import { runPlan } from './nth.js';
import type { Mode } from './nth.work.js';

type Form = 'short' | 'long';

const ERRNOS = ['EIO', 'ENOSPC', 'EINTR', 'ENOMEM', 'EMFILE'] as const;
const HOWS = ['once', 'same', 'all'] as const;
/** Runs between two collections: a run reserves some 60 GiB of 128 TiB. */
const COLLECT_EVERY = 16;

/** Functions that the short form makes fail in each mode: those that the modes before it do not have. */
const OWN: Record<Mode, RegExp> = { file: /./, copy: /fs\.(?!rmSync)|native\.allocate/, dax: /native\.(flush|fence|copyIn|map|pwrite)$/ };

/** What is read between two updates of one call: wherever that fails, the pool and the medium must still agree. */
const EACH = /^(put|replace|log append 1|log append 5|remove).*native\.pread$/;

/** The first call of every site (step and function), and every call of some, each in one way, in turn. */
function sitePlans(calls: readonly string[], own: RegExp): Plan[] {
  const seen = new Set<string>();
  const numbers = calls.flatMap((call, i) => (own.test(call) && (EACH.test(call) || !seen.has(call)) && seen.add(call) ? [i + 1] : []));
  return numbers.map((n, k) => ({ n, errno: ERRNOS[k % ERRNOS.length] as Plan['errno'], how: k % 3 === 0 ? 'same' : 'once' }));
}

function allPlans(calls: readonly string[]): Plan[] {
  return calls.flatMap((_, i) => ERRNOS.flatMap((errno) => HOWS.map((how) => ({ n: i + 1, errno, how }))));
}

/** Transfers that move half of what was asked: all of them, and each once. */
function halfPlans(calls: readonly string[], form: Form): Plan[] {
  const all: Plan = { n: 1, errno: 'half', how: 'all' };
  const count = form === 'short' ? 0 : calls.filter(isTransfer).length;
  return [all, ...Array.from({ length: count }, (_, i): Plan => ({ n: i + 1, errno: 'half', how: 'once' }))];
}

/** In an order of its own each time, so that a run that is ended early has looked everywhere. */
function shuffled<T>(items: readonly T[], random: Prng): T[] {
  const list = [...items];
  for (let i = list.length - 1; i > 0; i--) {
    const k = random.below(i + 1);
    [list[i], list[k]] = [list[k] as T, list[i] as T];
  }
  return list;
}

let runCount = 0;

/** Runs a plan: the calls that were made. A failure says which plan it was. */
async function run(folder: string, mode: Mode, plan: Plan, call = ''): Promise<string[]> {
  try {
    return (await runPlan(folder, mode, plan)).calls;
  } catch (error) {
    (error as Error).message = `${mode}, call ${plan.n} (${call}), ${plan.errno}, ${plan.how}: ${(error as Error).message}`;
    throw error;
  } finally {
    // Each open reserves address space that only a collection gives back.
    if (++runCount % COLLECT_EVERY === 0) globalThis.gc?.();
  }
}

/** @param seconds when to end a mode of the long form early */
export function nthTests(folder: string, form: Form, seconds = Infinity): void {
  const test = suite('the Nth call fails');
  const modes: readonly Mode[] = native ? ['file', 'copy', 'dax'] : ['copy'];
  if (!native) test.skip('file and dax mode', `no native shim: ${nativeUnavailable}`);
  for (const mode of modes) {
    test(`${mode}: whatever call fails, nothing acknowledged is lost and nothing is left behind`, async () => {
      if (mode === 'dax') process.env['PMSEG_FORCE_GRANULARITY'] = 'cache-line';
      else delete process.env['PMSEG_FORCE_GRANULARITY'];
      const none: Plan = { n: Infinity, errno: 'EIO', how: 'once' };
      // The first run of a process reads the core as well; the calls of the second are those of all others.
      await run(folder, mode, none);
      const calls = await run(folder, mode, none);
      const all = [...(form === 'short' ? sitePlans(calls, OWN[mode]) : allPlans(calls)), ...halfPlans(calls, form)];
      const plans = form === 'short' ? all : shuffled(all, new Prng());
      const end = Date.now() + seconds * 1000;
      const errors: Error[] = [];
      let done = 0;
      for (; done < plans.length && Date.now() < end; done++) {
        const plan = plans[done] as Plan;
        await run(folder, mode, plan, calls[plan.n - 1]).catch((error: Error) => errors.push(error));
      }
      const sites = new Set(calls).size;
      console.log(
        `\nNOTE ${mode}: ${done} of ${plans.length} failures planted in ${calls.length} calls at ${sites} sites; ${errors.length} bad ends`,
      );
      for (const { message } of errors) console.error(message);
      if (errors.length > 0) throw errors[0];
    });
  }
}
