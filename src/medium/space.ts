/**
 * Whether this process may have the address space and the mappings that a pool's banks need; asked before the first of them is made, so
 * that the answer names what is short instead of where it ran out.
 *
 * What is always true
 *   - Nothing is refused that could work: a bank is counted with the least that it takes, and what cannot be found out is not judged.
 */
import { readFileSync } from 'node:fs';
import { PmsegError } from '../errors.js';

/** The least that a memory of 4 GiB reserves; V8 before 13 takes 10 GiB. */
const BANK_SPACE = 8 * 2 ** 30;
/** Mappings of a bank: the memory, its guard, and its window, which cuts the memory in two. */
const BANK_MAPPINGS = 4;
/** Fewer banks cannot come near any usual limit on mappings; counting what there are takes a while. */
const COUNT_FROM = 256;

/** A text file of the kernel; `undefined` where there is none. */
function kernelText(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

function numberIn(path: string, pattern: RegExp): number | undefined {
  const digits = pattern.exec(kernelText(path) ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * Judges the room for so many more banks.
 * @throws PmsegError ERR_PMSEG_UNSUPPORTED
 */
export function assertSpace(bankCount: number, path: string): void {
  if (bankCount <= 0) return;
  const refuse = (what: string): PmsegError =>
    new PmsegError('ERR_PMSEG_UNSUPPORTED', `${path} needs ${bankCount + 1} banks of 4 GiB (a window of the pool each): ${what}`, { path });
  const limit = numberIn('/proc/self/limits', /^Max address space\s+(\d+)/m);
  const usedKib = numberIn('/proc/self/status', /^VmSize:\s+(\d+) kB/m);
  if (limit !== undefined && usedKib !== undefined && usedKib * 1024 + bankCount * BANK_SPACE > limit) {
    const [needed, allowed] = [usedKib * 1024 + bankCount * BANK_SPACE, limit].map((size) => Math.ceil(size / 2 ** 30));
    throw refuse(
      `at least ${needed} GiB of address space, and this process may have ${allowed} GiB: raise ulimit -v (address space is not memory)`,
    );
  }
  if (bankCount < COUNT_FROM) return;
  const mappingsMax = numberIn('/proc/sys/vm/max_map_count', /^(\d+)/);
  const mappings = kernelText('/proc/self/maps')?.split('\n').length;
  if (mappingsMax === undefined || mappings === undefined || mappings + bankCount * BANK_MAPPINGS <= mappingsMax) return;
  throw refuse(
    `${bankCount * BANK_MAPPINGS} mappings beside the ${mappings} that this process has, and it may have ${mappingsMax}: raise sysctl vm.max_map_count`,
  );
}
