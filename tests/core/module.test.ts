/**
 * Goal: the built core is what every thread may instantiate over one mapped memory: no state of its own, nothing written on
 * instantiation, nothing imported but the memory; and a host refuses a core that was built from another layout.
 * Method: read the binary's sections; patch one constant of it and offer it to the door.
 */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import * as plan from '../../assembly/plan.js';
import * as verdicts from '../../assembly/verdicts.js';
import { instantiateCore, loadCore, verdictName } from '../../src/core.js';
import { suite } from '../kit/suite.js';
import { core, traps } from './world.js';

const test = suite('core/module');
const wasm = readFileSync(new URL('../../core.wasm', import.meta.url));

const SECTION = { import: 2, table: 4, memory: 5, global: 6, export: 7, start: 8, element: 9, data: 11, dataCount: 12 };

/** Unsigned LEB128 at `at`: its value and where it ends. */
function leb(at: number): [number, number] {
  let value = 0;
  for (let shift = 0; ; shift += 7, at++) {
    const byte = wasm[at] as number;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value, at + 1];
  }
}

/** Where each section's contents begin. */
const sections = new Map<number, number>();
for (let at = 8; at < wasm.length; ) {
  const [size, begin] = leb(at + 1);
  sections.set(wasm[at] as number, begin);
  at = begin + size;
}

/** Mutability of each global, and where the value of its initialiser is. */
function globals(): { mutable: boolean; valueAt: number }[] {
  const found = [];
  let [count, at] = leb(sections.get(SECTION.global) as number);
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

test('it imports its memory, shared and of up to 4 GiB, and nothing else', () => {
  assert.equal(WebAssembly.Module.imports(loadCore()), [{ module: 'env', name: 'memory', kind: 'memory' }]);
});

test('it has no start function, no table, no memory of its own and no data to write at instantiation', () => {
  for (const name of ['start', 'table', 'element', 'memory', 'data', 'dataCount'] as const) {
    assert.not(sections.has(SECTION[name]), name);
  }
});

test('it has no global that changes', () => {
  const found = globals();
  assert.ok(found.length > 100);
  assert.not(found.some(({ mutable }) => mutable));
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
  const messages = globals()
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
