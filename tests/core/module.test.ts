/**
 * Goal: each build of the core is what every thread may instantiate over one mapped memory: no state of its own, nothing written on
 * instantiation, nothing imported but the memory and the place of its scratch; a host takes the build that it can run, and refuses one
 * that was built from another layout.
 * Method: read the binaries' sections; patch one constant and offer it to the door; a process on a processor that has no vectors.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import * as plan from '../../assembly/plan.js';
import * as verdicts from '../../assembly/verdicts.js';
import { compileCore, hostHasVectors, instantiateCore, loadCore, verdictName } from '../../src/core.js';
import { suite } from '../kit/suite.js';
import { core, traps } from './world.js';

const test = suite('core/module');
const SECTION = { import: 2, table: 4, memory: 5, global: 6, export: 7, start: 8, element: 9, data: 11, dataCount: 12 };

/** Unsigned LEB128 at `at`: its value and where it ends. */
function leb(wasm: Uint8Array, at: number): [number, number] {
  let value = 0;
  for (let shift = 0; ; shift += 7, at++) {
    const byte = wasm[at] as number;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value, at + 1];
  }
}

/** Where each section's contents begin. */
function sectionsOf(wasm: Uint8Array): Map<number, number> {
  const sections = new Map<number, number>();
  for (let at = 8; at < wasm.length; ) {
    const [size, begin] = leb(wasm, at + 1);
    sections.set(wasm[at] as number, begin);
    at = begin + size;
  }
  return sections;
}

/** Mutability of each global that is not imported, and where the value of its initialiser is. */
function globals(wasm: Uint8Array): { mutable: boolean; valueAt: number }[] {
  const found = [];
  let [count, at] = leb(wasm, sectionsOf(wasm).get(SECTION.global) as number);
  for (; count > 0; count--) {
    const mutable = wasm[at + 1] !== 0;
    assert.is(wasm[at + 2], 0x41, 'an i32 constant initialises each global');
    found.push({ mutable, valueAt: at + 3 });
    for (at += 3; (wasm[at] as number) >= 0x80; at++);
    assert.is(wasm[at + 1], 0x0b);
    at += 2;
  }
  return found;
}

/** Bytes of an import section that are a constant, not a variable, of type i32, named env.scratchPtr. */
const SCRATCH_IMPORT = Buffer.of(3, ...Buffer.from('env'), 10, ...Buffer.from('scratchPtr'), 3, 0x7f, 0);
const MEMORY = { module: 'env', name: 'memory', kind: 'memory' };
const SCRATCH = { module: 'env', name: 'scratchPtr', kind: 'global' };

const BUILDS = [
  { name: 'core.wasm', vectors: true, imports: [MEMORY, SCRATCH] },
  { name: 'core-scalar.wasm', vectors: false, imports: [MEMORY] },
].map((build) => ({ ...build, wasm: readFileSync(new URL(`../../${build.name}`, import.meta.url)) }));

for (const { name, wasm, vectors, imports } of BUILDS) {
  test(`${name} imports its memory${vectors ? ', a constant that says where its scratch is' : ''}, and nothing else`, () => {
    const found = WebAssembly.Module.imports(compileCore(vectors)).sort((a, b) => (a.name < b.name ? -1 : 1));
    assert.equal(found, imports);
    assert.is(wasm.includes(SCRATCH_IMPORT), vectors);
  });

  test(`${name} has no start function, no table, no memory of its own and no data to write at instantiation`, () => {
    const sections = sectionsOf(wasm);
    for (const section of ['start', 'table', 'element', 'memory', 'data', 'dataCount'] as const) {
      assert.not(sections.has(SECTION[section]), section);
    }
  });

  test(`${name} has no global that changes`, () => {
    const found = globals(wasm);
    assert.ok(found.length > 100);
    assert.not(found.some(({ mutable }) => mutable));
  });
}

test('both builds export the same', () => {
  assert.equal(WebAssembly.Module.exports(compileCore(false)), WebAssembly.Module.exports(compileCore(true)));
});

const CHILD = `
  const { compileCore, hostHasVectors, instantiateCore, loadCore } = await import(process.argv[1]);
  const memory = new WebAssembly.Memory({ initial: 1024, maximum: 1024, shared: true });
  let accepted = true;
  try { compileCore(true); } catch { accepted = false; }
  console.log(JSON.stringify({
    vectors: hostHasVectors(), accepted, imports: WebAssembly.Module.imports(loadCore()).length, crc: instantiateCore(memory).crc32c(1, 0x400, 20000),
  }));`;
const CORE_URL = new URL('../../src/core.js', import.meta.url).href;
const child = spawnSync(process.execPath, ['--no-enable-sse4-1', '--input-type=module', '-e', CHILD, CORE_URL], { encoding: 'utf8' });
const without = child.status === 0 ? JSON.parse(child.stdout) : undefined;
const TITLE = 'a host that refuses vectors gets the scalar build, and the same answers';
if (without === undefined || without.vectors)
  test.skip(TITLE, `this processor's vectors cannot be switched off: ${child.stderr.slice(0, 200)}`);
else
  test(TITLE, () => {
    const crc = instantiateCore(new WebAssembly.Memory({ initial: 1024, maximum: 1024, shared: true })).crc32c(1, 0x400, 20000);
    assert.equal(without, { vectors: false, accepted: false, imports: 1, crc });
    assert.ok(hostHasVectors());
    assert.is(WebAssembly.Module.imports(loadCore()).length, 2);
  });

test('it exports the functions of the interface and the constants of the layout, no more', () => {
  const exports = WebAssembly.Module.exports(loadCore());
  const names = (kind: string): string[] =>
    exports
      .filter((entry) => entry.kind === kind)
      .map(({ name }) => name)
      .sort();
  assert.equal(names('function'), [...Object.keys(core), 'coreInit'].sort());
  assert.equal(names('global'), [...new Set([media, plan, verdicts].flatMap((constants) => Object.keys(constants)))].sort());
});

test('a core with another value of one constant is refused, and named', () => {
  // The version of the layout is one byte of a signed LEB128; find which global it is by patching each that holds a 1.
  const wasm = BUILDS[0]!.wasm;
  const messages = globals(wasm)
    .filter(({ valueAt }) => wasm[valueAt] === 1)
    .map(({ valueAt }) => {
      const patched = Uint8Array.from(wasm);
      patched[valueAt] = 2;
      try {
        instantiateCore(new WebAssembly.Memory({ initial: 1024, maximum: 1024, shared: true }), new WebAssembly.Module(patched));
        return 'accepted';
      } catch (error) {
        return (error as Error).message;
      }
    });
  assert.not(messages.includes('accepted'));
  assert.ok(messages.some((message) => message.includes("its MEDIA_VERSION is 2, the host's is 1")));
});

test('a module that lacks the constants is refused', () => {
  const empty = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  assert.throws(() => instantiateCore(new WebAssembly.Memory({ initial: 1024, maximum: 1024, shared: true }), empty), /it has no /);
});

test('assertions are on in the build that ships', () => {
  assert.ok(traps(() => core.posRemain(0, 0xffffffff)));
});

test('verdicts are negative, differ from each other and from errno values, and have names', () => {
  const values = Object.entries(verdicts).filter(([name]) => name.startsWith('BAD_'));
  assert.is(new Set(values.map(([, value]) => value)).size, values.length);
  for (const [name, value] of values) {
    assert.ok(value < -4095, name);
    assert.is(verdictName(value), name);
  }
  assert.is(verdictName(-99), '-99');
});
