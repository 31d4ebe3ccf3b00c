/** node:fs watched: its functions as every module sees them, also those that imported them by name. */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

type Functions = { [Name in keyof typeof fs]: (typeof fs)[Name] extends (...args: never[]) => unknown ? Name : never }[keyof typeof fs];

/**
 * Puts watchers before and after functions of node:fs. What they throw, the call throws.
 * @returns puts everything back
 */
export function watchFs(
  names: readonly Functions[],
  before: (name: string, args: unknown[]) => void,
  after?: (name: string, args: unknown[], result: unknown) => void,
): () => void {
  const table = fs as unknown as Record<string, (...args: unknown[]) => unknown>;
  const originals = new Map(names.map((name) => [name as string, table[name] as (...args: unknown[]) => unknown]));
  for (const [name, original] of originals) {
    table[name] = (...args) => {
      before(name, args);
      const result = original.apply(fs, args);
      after?.(name, args, result);
      return result;
    };
  }
  syncBuiltinESMExports();
  return () => {
    for (const [name, original] of originals) table[name] = original;
    syncBuiltinESMExports();
  };
}
