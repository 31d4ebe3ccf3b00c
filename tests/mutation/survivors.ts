/** Mutants that no test can kill, because nothing that was promised depends on the change: one by one, and why. */
export const SURVIVORS: ReadonlyMap<string, string> = new Map([]);
