/**
 * Goal: habits that nobody should have to remember.
 * Method: read every source file as text and hold it against the floors, the widths and the words below.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from './kit/suite.js';

const test = suite('tidy');
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const files = ['assembly', 'src', 'native', 'tests', 'scripts', 'examples', 'bench']
  .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile() && /\.(ts|mjs|c|h)$/.test(entry.name) && !/node_modules|bench\/out/.test(entry.parentPath))
  .map((entry) => {
    const path = join(entry.parentPath, entry.name);
    return { name: relative(ROOT, path), text: readFileSync(path, 'utf8') };
  });

/** [who, may not mention, why] */
const FLOORS: [RegExp, RegExp, string][] = [
  [/^assembly\/(media|plan|verdicts)\.ts$/, /^import/m, 'the layout depends on nothing'],
  [/^assembly\//, /from ['"]\.\.\//, 'the core does not know the host'],
  [/^native\/(?!binding)/, /node_api|napi_/, 'only the binding knows Node'],
  [/^src\/(?!core\.ts)/, /instance\.exports|instantiateSync/, 'core.ts is the one door to the core'],
  [/^src\/(?!native\.ts)/, /createRequire/, 'native.ts is the one door to the shim'],
  [/^src\/(?!cli\/)/, /process\.(exit|argv)|console\./, 'only the command line talks to a terminal'],
  [/^src\/(?!cli\/)/, /from ['"][./]*cli\//, 'nothing imports the command line'],
  [
    /^src\/medium(\.ts|\/)/,
    /from ['"]\.\.?\/(engine\.|pool\.|segment\.|slots\.|allocator\.|catalog\.|log\/)/,
    'media know banks and bios, not what is built on them',
  ],
  [
    /^src\/log\//,
    /import \{(?!.*\btype\b)[^}]*\} from ['"]\.\.\/(pool|segment)\.js/,
    'logs and objects stand on the engine, not on the pool',
  ],
];

for (const [who, what, why] of FLOORS) {
  test(why, () => {
    const sinners = files.filter(({ name, text }) => who.test(name) && what.test(text)).map(({ name }) => name);
    assert.equal(sinners, []);
  });
}

test('every suite is made by the kit, which runs it', () => {
  const sinners = files.filter(
    ({ name, text }) => name.startsWith('tests/') && !name.startsWith('tests/kit/') && /from ['"]uvu['"]/.test(text),
  );
  assert.equal(
    sinners.map(({ name }) => name),
    [],
  );
});

test('no line is longer than 160 columns, no file longer than 650 lines', () => {
  const long = files.flatMap(({ name, text }) =>
    text.split('\n').flatMap((line, i) => (line.length > 160 ? [`${name}:${i + 1} has ${line.length} columns`] : [])),
  );
  const tall = files.filter(({ text }) => text.split('\n').length > 650).map(({ name }) => name);
  assert.equal([...long, ...tall], []);
});

test('every file begins by saying what it is', () => {
  const sinners = files.filter(({ name, text }) => !/^(#!.*\n)?\/\*/.test(text) && !name.endsWith('.d.ts')).map(({ name }) => name);
  assert.equal(sinners, []);
});

test('nothing is left for later', () => {
  const word = new RegExp(`\\b(${['TO', 'DO|FIX', 'ME|XX', 'X'].join('')})\\b`);
  assert.equal(
    files.filter(({ text }) => word.test(text)).map(({ name }) => name),
    [],
  );
});

test('the package has few runtime dependencies, all versions exact, no install script', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  assert.equal(Object.keys(manifest.dependencies).sort(), ['@assemblyscript/loader', 'cli-progress', 'commander']);
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }))
    assert.match(String(version), /^\d+\.\d+\.\d+$/, name);
  for (const hook of ['preinstall', 'install', 'postinstall']) assert.is(manifest.scripts[hook], undefined);
});
