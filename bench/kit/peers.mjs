/** Packages to compare with: of bench/package.json only, and skipped loudly where they cannot be had. */
import { readFileSync } from 'node:fs';
import { options } from './report.mjs';

/** Imports a package of bench/node_modules; `undefined`, with the reason in the report, if it is not there or does not load. */
export async function peer(report, name) {
  if (!options.peers) {
    report.skip(name, 'peers are turned off');
    return undefined;
  }
  try {
    const manifest = new URL(`../node_modules/${name}/package.json`, import.meta.url);
    report.version(name, JSON.parse(readFileSync(manifest, 'utf8')).version);
    return await import(name);
  } catch (error) {
    report.skip(name, error.message.split('\n')[0]);
    return undefined;
  }
}
