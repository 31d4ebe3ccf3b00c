/**
 * Builds everything a checkout needs to run: the core (asc), the native shim (cc, where there is one), the host and the tests
 * (esbuild), the type declarations (tsc). Everything lands in dist/, mirroring the source tree; no step downloads anything.
 *
 *   node scripts/build.mjs [core] [native] [host] [types]      no argument: all four
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNative } from './build-native.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Runs a tool that npm installed; ends the build with its exit status if it fails. */
function run(script, args) {
  const { status, error } = spawnSync(process.execPath, [join(root, 'node_modules', script), ...args], { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) {
    console.error(`build: ${script} failed`);
    process.exit(status ?? 1);
  }
}

/** Files below `folder` that end in `.ts`, relative to the root. */
function sources(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

const steps = {
  core() {
    mkdirSync(join(root, 'out'), { recursive: true });
    for (const target of ['release', 'scalar']) {
      run('assemblyscript/bin/asc.js', ['assembly/index.ts', '--config', 'asconfig.json', '--target', target]);
    }
  },
  native() {
    buildNative();
  },
  async host() {
    const { build } = await import('esbuild');
    for (const folder of ['src', 'tests']) rmSync(join(root, 'dist', folder), { recursive: true, force: true });
    const shared = ['media', 'plan', 'verdicts'].map((name) => join(root, 'assembly', `${name}.ts`));
    await build({
      absWorkingDir: root,
      entryPoints: [...sources('src'), ...sources('tests'), ...shared],
      outbase: root,
      outdir: 'dist',
      format: 'esm',
      platform: 'node',
      target: 'node20',
      sourcemap: true,
      logLevel: 'warning',
    });
  },
  types() {
    run('typescript/bin/tsc', ['-p', 'tsconfig.json', '--emitDeclarationOnly', '--outDir', 'dist/types']);
  },
};

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (!(name in steps)) {
    console.error(`build: no step ${name}; there are ${Object.keys(steps).join(', ')}`);
    process.exit(2);
  }
}
mkdirSync(join(root, 'dist'), { recursive: true });
for (const name of wanted.length ? wanted : Object.keys(steps)) await steps[name]();
