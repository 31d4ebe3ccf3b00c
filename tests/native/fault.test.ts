/**
 * Goal: a lost page never ends the process, never passes for good data, and never costs another handler its signal.
 * Method: truncate, poison and kill in child processes; a stranger (foreign.c) has a handler and faults of its own.
 */
import * as assert from 'uvu/assert';
import { MIB, PAGE, buildForeign, child, childWith, errno, file, isTmpfs, nativeSuite, pattern, survivor } from './kit.js';

const test = nativeSuite('native fault');

const foreign = buildForeign();

/** A test that needs the stranger. */
function withForeign(title: string, body: (addon: string) => void): void {
  if (typeof foreign === 'string') test.skip(title, foreign);
  else test(title, () => body(foreign.addon));
}

const pages = (count: number): string => file(pattern(count * PAGE));

test('a file that shrinks under its mapping: zeros, a fault, a record; and the file is back after remap', () => {
  const said = survivor('truncated', file(pattern(MIB)));
  const bad = 11 * PAGE;
  assert.equal(said, {
    before: { faults: 0, bad: -errno.ENOENT },
    tailByte: 0,
    after: { faults: 1, bad, good: -errno.ENOENT, ranges: [[bad, MIB - bad]] },
    stored: { faults: 1, byte: 9 },
    flushed: [0, 0],
    early: { remap: -errno.ERANGE, epoch: 0 },
    part: { remap: 0, epoch: 1, bad: bad + PAGE, byte: 0, next: 9 },
    rest: { remap: 0, bad: -errno.ENOENT },
    reached: 77,
    again: { byte: 0, faults: (said['again'] as { faults: number }).faults, bad: 0 },
    unmap: 0,
    zero: 0,
  });
  assert.ok((said['again'] as { faults: number }).faults > 1, 'the counter only rises');
});

test('kernel copies fail without a signal; what is marked for them is bad, and still mended when touched', () => {
  const said = survivor('kernelCopy', file(pattern(MIB)));
  assert.is((said['answers'] as number[])[0], -errno.EFAULT);
  assert.equal(said['silent'], { faults: 0, bad: -errno.ENOENT });
  assert.equal(said['marked'], [0, 0, -errno.ERANGE]);
  assert.equal(said['ranges'], [[4 * PAGE, 2 * PAGE]]);
  assert.is(said['faults'], 1);
  assert.is(said['byte'], 0);
  assert.equal(said['ranges2'], [[PAGE, MIB - PAGE]]);
  assert.is(said['faults2'], 2);
});

test('copies of the shim and loads through a private mapping survive as well', () => {
  const said = survivor('everyway', file(pattern(MIB)));
  assert.equal(said['seen'], [0, 0, 1, 0, 0, 1]);
  assert.is(said['zeros'], true);
  assert.is(said['byte'], 0);
  assert.is(said['faults'], 2);
  assert.is(said['bad'], 0);
});

test('nobody reads zeros while the counter and the table look clean, however many threads fault at once', () => {
  const said = survivor('race', file(new Uint8Array(4 * MIB).fill(1)), '2');
  assert.ok((said['rounds'] as number) > 0 && (said['faults'] as number) > 0, JSON.stringify(said));
  assert.is(said['silent'], 0, JSON.stringify(said));
});

withForeign('a foreign fault ends the process as it would without us', (addon) => {
  assert.is(child('foreignDefault', pages(256), addon).signal, 'SIGBUS');
});

withForeign('a handler from before gets foreign faults with its own mask and arguments, and none of ours', (addon) => {
  for (const [kind, info, blocksItself] of [
    [0, 0, 1],
    [1, 1, 1],
    [2, 1, 0],
  ]) {
    const said = survivor('foreignHandled', file(pattern(MIB)), addon, String(kind));
    assert.equal(said['ours'], { byte: 0, faults: 1, counts: [0, 0, 0, 0, 0, 0] });
    const BUS_ADRERR = 2;
    assert.equal(said['counts'], [1, info, 1, 0, blocksItself, info ? BUS_ADRERR : 0], `kind ${kind}`);
    assert.equal([said['read'], said['faults'], said['guard']], [0, 1, 1]);
  }
});

withForeign('a fault at an ignored signal ends the process, as the kernel would; a sent one does not', (addon) => {
  assert.is(child('foreignHandled', pages(256), addon, '3').signal, 'SIGBUS');
  assert.equal(survivor('killed', pages(256), addon, '3'), { alive: true });
});

withForeign('a SIGBUS that was sent ends the process by default', (addon) => {
  assert.is(child('killed', pages(256), addon, 'default').signal, 'SIGBUS');
});

withForeign('a later handler that hands on to us does not loop when we take the signal back', (addon) => {
  const said = survivor('polite', file(pattern(MIB)), addon);
  assert.is(said['replaced'], 0);
  assert.equal(said['through'], { byte: 0, faults: 1, seen: 1 });
  assert.equal(said['installed'], [0, 0, 1]);
  assert.equal([said['byte'], said['faults'], said['bad'], said['read']], [0, 2, 0, 0]);
  assert.is(said['seen'], 3, 'the foreign fault went to the polite one, and through us to the first');
});

test('process.on(SIGBUS) is noticed, taken back as often as it happens, and still hears what is not ours', () => {
  const said = survivor('listener', file(pattern(MIB)));
  assert.equal(said, { guards: [0, 1], before: 1, heard: 20, byte: 0, faults: 1, bad: 0 });
});

const shm = '/dev/shm';

/** A test on poisoned pages: tmpfs, and a kernel that can simulate them. */
function withPoison(title: string, count: number, body: (said: Record<string, unknown>) => void): void {
  if (typeof foreign === 'string') return test.skip(title, foreign);
  if (!isTmpfs(shm)) return test.skip(title, `${shm} is no tmpfs`);
  const refused = child('poison', file(0, shm), foreign.addon, '1').said['refused'];
  if (refused !== undefined) return test.skip(title, `this kernel simulates no poison (step ${String(refused)})`);
  test(title, () => {
    const said = survivor('poison', file(0, shm), foreign.addon, String(count));
    body(said);
  });
}

withPoison('poisoned pages are mended one by one, and their neighbours stay good', 100, (said) => {
  assert.equal(said, { read: 0, missing: 0, good: -errno.ENOENT, faults: 100, ranges: 100, unmap: 0 });
});

withPoison('more poisoned pages than a process may have mappings are survived, every one on record', 70_000, (said) => {
  assert.equal([said['read'], said['missing'], said['unmap']], [0, 0, 0]);
  assert.ok((said['faults'] as number) < 10_000, `${String(said['faults'])} faults: larger pieces are mended`);
});

test('a process that exits with work under way ends in order', () => {
  assert.equal(survivor('exits', file(pattern(MIB))), { alive: true });
});

test('the handler outlives the thread that alone loaded the shim', () => {
  const env = { PMSEG_NATIVE: 'off', PMSEG_NATIVE_IN_WORKER: process.env['PMSEG_NATIVE'] ?? '' };
  const { signal, stderr } = childWith(env, 'workerOnly', file(pattern(MIB)));
  assert.match(stderr, '{"byte":0,"faults":1}');
  assert.is(signal, 'SIGBUS', 'and hands the signal on; unloaded code would have ended otherwise');
});
