/**
 * Goal: no argument, however wrong, crashes the process or throws; it is refused with a negated errno.
 * Method: every function with every combination of hostile values in its first arguments and seeded random ones in all of them.
 */
import * as assert from 'uvu/assert';
import { Prng } from '../kit/prng.js';
import { nativeSuite, shim } from './kit.js';

const test = nativeSuite('native arguments');

const detached = new Uint8Array(8);
structuredClone(detached.buffer, { transfer: [detached.buffer] });

/** Values that are wrong nearly everywhere. No small whole number is among them: it could be a descriptor of this process. */
const HOSTILE: unknown[] = [
  ...[undefined, null, true, false, '', 'no/such/file', 'nul\0', {}, [], [[]], () => 0, Symbol('x'), 1n],
  ...[-1, -0.5, 0.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 + 2, 1e300, 999_999],
  ...[
    new Uint8Array(0),
    new Uint8Array(8),
    detached,
    new Float64Array(1),
    new Uint16Array(4),
    new DataView(new ArrayBuffer(8)),
    new ArrayBuffer(8),
  ],
  new Proxy(
    {},
    {
      get: () => {
        throw new Error('trap');
      },
    },
  ),
  [new Uint8Array(1), 2],
];

/** Those that could end in an honest success with hostile arguments. */
const HARMLESS = new Set(['abi', 'cpu', 'guard', 'guardInstall', 'badEpoch', 'fence', 'address']);

type Call = (...args: unknown[]) => unknown;
const calls = Object.entries(shim ?? {}) as [string, Call][];

test('every function of the door exists, and nothing else', () => {
  assert.is(calls.length, 43);
  for (const [, call] of calls) assert.type(call, 'function');
});

async function refuses(name: string, call: Call, args: unknown[]): Promise<void> {
  const answer = await call(...args);
  if (HARMLESS.has(name)) return;
  if (typeof answer !== 'number' || answer >= 0)
    assert.unreachable(`${name}(${args.map((arg) => typeof arg).join(', ')}) answered ${String(answer)}`);
}

test('no combination of wrong first arguments is accepted', async () => {
  for (const [name, call] of calls) {
    await refuses(name, call, []);
    for (const a of HOSTILE) {
      await refuses(name, call, [a]);
      for (const b of HOSTILE) await refuses(name, call, [a, b]);
    }
  }
});

test('no mixture of wrong arguments is accepted', async () => {
  const prng = new Prng();
  for (const [name, call] of calls) {
    for (let i = 0; i < 2000; i++) {
      const args = Array.from({ length: prng.below(9) }, () => HOSTILE[prng.below(HOSTILE.length)]);
      await refuses(name, call, args);
    }
  }
});
