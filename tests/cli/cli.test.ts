/**
 * Goal: the command line keeps its contract: exit status, one JSON object, nothing changed by what only reads.
 * Method: run the built program as a user would, in `file` and in `copy` mode, on real files.
 */
import { spawnSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  copyFileSync,
  openSync,
  writeSync,
  closeSync,
  existsSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { temporaryFolder } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const folder = temporaryFolder('/tmp');
const DATA_SIZE = 2 ** 20 - media.DATA_OFF;

interface Run {
  status: number | null;
  out: Buffer;
  err: string;
}

function sha(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

for (const [mode, env] of [
  ['file', {}],
  ['copy', { PMSEG_NATIVE: 'off' }],
] as const) {
  const test = suite(`cli, ${mode}`);
  const path = join(folder, `${mode}.pmseg`);
  const run = (args: readonly string[], input?: Uint8Array): Run => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
      env: { ...process.env, ...env },
      input,
      maxBuffer: 2 ** 28,
    });
    return { status, out: stdout, err: stderr.toString() };
  };
  const json = (args: readonly string[]): Record<string, unknown> =>
    JSON.parse(run([...args, '--json']).out.toString()) as Record<string, unknown>;
  const fresh = (): void => {
    rmSync(path, { force: true });
    assert.is(run(['create', path, '--size', '40MiB', '--segment-size', '1MiB']).status, 0);
  };

  test('files of awkward sizes come back whole', () => {
    fresh();
    for (const size of [0, 1, DATA_SIZE, DATA_SIZE + 1, 5_000_000]) {
      const bytes = randomBytes(size);
      const file = join(folder, `in-${size}`);
      writeFileSync(file, bytes);
      assert.is(run(['put', path, `f${size}`, file]).status, 0);
      assert.is(run(['put', path, `p${size}`], bytes).status, 0, 'stdin');
      assert.is(sha(run(['get', path, `f${size}`]).out), sha(bytes));
      assert.is(run(['get', path, `p${size}`, '-o', `${file}.out`]).status, 0);
      assert.is(sha(readFileSync(`${file}.out`)), sha(bytes));
      assert.is(run(['crc', path, `f${size}`]).status, 0);
    }
    assert.is((json(['ls', path])['entries'] as unknown[]).length, 10);
    assert.is(json(['info', path])['mode'], mode);
  });

  test('answers are exit status 1, bad usage and what is no pool 2', () => {
    fresh();
    run(['put', path, 'a'], Buffer.from('one'));
    const cases: [number, string[]][] = [
      [1, ['create', path, '--size', '40MiB']],
      [1, ['put', path, 'a', MAIN]],
      [0, ['put', path, 'a', MAIN, '--replace']],
      [1, ['get', path, 'b']],
      [1, ['rm', path, 'b']],
      [1, ['log', 'cat', path, 'a']],
      [2, ['put', path, '', MAIN]],
      [2, ['put', path, 'x', '/nowhere/at/all']],
      [2, ['put', path, 'x', folder]],
      [2, ['get', path, 'a', '--json']],
      [2, ['create', join(folder, 'new'), '--size', '1e5']],
      [2, ['create', join(folder, 'new'), '--size', 'much']],
      [2, ['create', join(folder, 'new'), '--size', '40MiB', '--segment-size', '3MiB']],
      [2, ['create', join(folder, 'new'), '--size', '40MiB', '--uuid', 'nonsense']],
      [2, ['create', join(folder, 'new')]],
      [2, ['info', join(folder, 'missing')]],
      [2, ['info', folder]],
      [2, ['info', MAIN]],
      [2, ['info', path, '--mode', 'warp']],
      [2, ['info', path, '--require', 'byte']],
      [2, ['log', 'trim', path, 'a', '-1']],
      [2, ['frobnicate']],
      [2, []],
      [0, ['create', join(folder, `${mode}-fraction`), '--size', '4.5MiB', '--segment-size', '1MiB', '--sparse']],
      [0, ['--version']],
      [0, ['put', '--help']],
    ];
    for (const [status, args] of cases) {
      const result = run(args);
      assert.is(result.status, status, `${args.join(' ')}: ${result.err}`);
      if (status !== 0 && args.length > 0 && !args.includes('--json'))
        assert.match(result.err || result.out.toString(), /^pmseg: .*\n$/, args.join(' '));
    }
    assert.is((json(['get', path, 'b', '-o', join(folder, 'z')])['error'] as { code: string }).code, 'ERR_PMSEG_NO_ENTRY');
    assert.ok(!existsSync(join(folder, 'new')) && !existsSync(join(folder, 'z')), 'nothing is left behind');
  });

  test('logs append lines, cat them, trim them', () => {
    fresh();
    assert.is(run(['log', 'append', path, 'l'], Buffer.from('one\ntwo\n\nfour')).status, 0);
    assert.is(run(['log', 'append', path, 'l', '--whole'], Buffer.from('five\nsix')).status, 0);
    assert.is(run(['log', 'cat', path, 'l']).out.toString(), 'one\ntwo\n\nfour\nfive\nsix\n');
    const { records } = json(['log', 'cat', path, 'l']) as { records: { position: number; base64: string }[] };
    assert.is(Buffer.from(records[4]?.base64 ?? '', 'base64').toString(), 'five\nsix');
    assert.is(run(['log', 'trim', path, 'l', String(records[3]?.position)]).status, 0);
    assert.is(run(['log', 'cat', path, 'l']).out.toString(), 'four\nfive\nsix\n');
    assert.is(run(['rm', path, 'l']).status, 0);
    assert.is(run(['log', 'info', path, 'l']).status, 1);
  });

  test('what only reads changes no byte, no time, and takes no lock', () => {
    fresh();
    run(['put', path, 'a', MAIN]);
    const before = { hash: sha(readFileSync(path)), mtime: statSync(path).mtimeMs };
    for (const args of [
      ['info', path],
      ['ls', path],
      ['get', path, 'a'],
      ['crc', path, 'a'],
      ['check', path],
    ])
      assert.is(run(args).status, 0);
    assert.equal({ hash: sha(readFileSync(path)), mtime: statSync(path).mtimeMs }, before);
    assert.ok(!existsSync(`${path}.lock`));
  });

  test('check names planted damage, and repairs a bad copy from the good one', () => {
    fresh();
    run(['put', path, 'a', MAIN]);
    const plant = (off: number): void => {
      const fd = openSync(path, 'r+');
      writeSync(fd, Buffer.from([0xa5, 0x5a]), 0, 2, off);
      closeSync(fd);
    };
    plant(media.SEGMENTS_OFF + media.SEGMENT_OWNER_OFF + 40);
    const codes = (args: string[]): string[] => (json(args)['findings'] as { code: string }[]).map(({ code }) => code);
    assert.equal(codes(['check', path]), ['OWNER_DEGRADED']);
    assert.is(run(['check', path]).status, 1);
    assert.is(run(['check', path, '--repair']).status, 0);
    assert.is(run(['check', path]).status, 0);
    plant(media.SEGMENTS_OFF + media.DATA_OFF + 10);
    assert.equal(codes(['check', path]), ['DATA_CORRUPT']);
    assert.is(run(['get', path, 'a', '-o', join(folder, 'bad')]).status, 1);
    assert.ok(!existsSync(join(folder, 'bad')));
    plant(4);
    plant(statSync(path).size - 4092);
    assert.is(run(['info', path]).status, 2);
  });

  test('a truncated pool, and one with a foreign magic, are refused and left alone', () => {
    fresh();
    const copy = `${path}.copy`;
    copyFileSync(path, copy);
    truncateSync(copy, 20 * 2 ** 20);
    assert.is((json(['put', copy, 'x', MAIN])['error'] as { code: string }).code, 'ERR_PMSEG_TRUNCATED');
    truncateSync(copy, 4096);
    assert.is(run(['info', copy]).status, 2);
    writeFileSync(copy, Buffer.alloc(40 * 2 ** 20));
    assert.is((json(['info', copy])['error'] as { code: string }).code, 'ERR_PMSEG_NOT_POOL');
    assert.ok(!existsSync(`${copy}.lock`));
  });

  test('a second writer is refused while a put waits for input; killed, it leaves no name and no lost segment', async () => {
    fresh();
    const child = spawn(process.execPath, [MAIN, 'put', path, 'slow'], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.stdin.write(randomBytes(3 * 2 ** 20));
    for (let i = 0; i < 200 && !existsSync(`${path}.lock`); i++) await new Promise((resolve) => setTimeout(resolve, 25));
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.is((json(['put', path, 'other', MAIN])['error'] as { code: string }).code, 'ERR_PMSEG_LOCKED');
    assert.is(run(['ls', path]).status, 0, 'readers are welcome');
    const ended = new Promise((resolve) => child.on('close', resolve));
    child.kill('SIGKILL');
    await ended;
    assert.is(run(['check', path]).status, 0);
    assert.is(run(['put', path, 'other'], Buffer.from('x')).status, 0, 'the dead holder’s lock is stale');
    assert.equal(
      (json(['ls', path])['entries'] as { name: string }[]).map(({ name }) => name),
      ['other'],
    );
    assert.is((json(['info', path])['segments'] as { used: number }).used, 1);
  });
}
