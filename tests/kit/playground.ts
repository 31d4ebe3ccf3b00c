/** Runs what documents show, as a user would: in an empty folder, against the built package. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** An empty folder in which `pmseg` can be imported and called. */
export function playground(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pmseg-docs-'));
  mkdirSync(join(folder, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(ROOT, join(folder, 'node_modules', 'pmseg'));
  const cli = join(ROOT, 'dist/src/cli/main.js');
  writeFileSync(join(folder, 'node_modules/.bin/pmseg'), `#!/bin/sh\nexec "${process.execPath}" "${cli}" "$@"\n`, { mode: 0o755 });
  return folder;
}

/** What a program prints, run in a playground of its own. */
export async function printedBy(source: string): Promise<string> {
  const folder = playground();
  try {
    // Node 20 and 22 have no `using`; the package's own compiler lowers it.
    const { transformSync } = await import('esbuild');
    writeFileSync(join(folder, 'example.mjs'), transformSync(source, { target: 'node20', format: 'esm' }).code);
    return execFileSync(process.execPath, ['example.mjs'], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
