/**
 * Goal: files of every size that users have go in and come back through the command line, in bounded memory, whatever the mode.
 * Method: 120 MB and 3 GiB, random bytes, from a file and through pipes; anonymous memory of each process sampled from /proc while it runs.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, createReadStream, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { native, nativeUnavailable } from '../../src/native.js';
import { MIB, temporaryFolder } from '../kit/pools.js';
import { suite } from '../kit/suite.js';

const test = suite('large files');
const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const folder = temporaryFolder('/tmp');
const ANONYMOUS_MAX = 200 * MIB;
const MODES = ['file', 'copy', 'dax'] as const;

/** A file of random bytes, written in pieces; returns its SHA-256. */
function makeFile(path: string, size: number): string {
  const hash = createHash('sha256');
  const piece = Buffer.alloc(16 * MIB);
  const fd = openSync(path, 'w');
  for (let done = 0; done < size; done += piece.byteLength) {
    const part = randomFillSync(piece).subarray(0, Math.min(piece.byteLength, size - done));
    hash.update(part);
    writeSync(fd, part);
  }
  closeSync(fd);
  return hash.digest('hex');
}

async function shaOf(stream: NodeJS.ReadableStream): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** Bytes of anonymous memory that a process has now; 0 once it is gone. */
function anonymousOf(pid: number): number {
  try {
    return 1024 * Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function start(mode: string | undefined, args: string[]): ChildProcess {
  const env = { ...process.env, ...(mode === 'dax' ? { PMSEG_FORCE_GRANULARITY: 'cache-line' } : {}) };
  return spawn(process.execPath, [MAIN, ...args, ...(mode ? ['--mode', mode] : [])], { env, stdio: ['pipe', 'pipe', 'pipe'] });
}

/** Waits for the end; fails on any exit status but 0. Returns the most anonymous memory that was seen. */
async function ended(child: ChildProcess, title: string): Promise<number> {
  let most = 0;
  let err = '';
  child.stderr?.on('data', (bytes) => (err += bytes));
  const timer = setInterval(() => (most = Math.max(most, anonymousOf(child.pid as number))), 20);
  const status = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(timer);
  assert.is(status, 0, `${title}: ${err}`);
  return most;
}

for (const mode of MODES) {
  if (!native && mode !== 'copy') {
    test.skip(`${mode} mode`, `no native shim: ${nativeUnavailable}`);
    continue;
  }
  for (const [name, size] of [
    ['120 MB', 120e6],
    ['3 GiB', 3 * 2 ** 30],
  ] as const) {
    test(`${name} go in from a file and through a pipe, and come back, in ${mode} mode`, async () => {
      const [pool, input] = [join(folder, 'pool'), join(folder, 'input')];
      const sha = makeFile(input, size);
      const created = start(undefined, ['create', pool, '--size', String(2 * size + 256 * MIB)]);
      await ended(created, 'create');
      const memory: Record<string, number> = {};
      memory['put'] = await ended(start(mode, ['put', pool, 'file', input]), 'put');
      const piped = start(mode, ['put', pool, 'pipe', '-']);
      createReadStream(input).pipe(piped.stdin as NodeJS.WritableStream);
      memory['put -'] = await ended(piped, 'put -');
      for (const object of ['file', 'pipe']) {
        const got = start(mode, ['get', pool, object]);
        const [back, most] = await Promise.all([shaOf(got.stdout as NodeJS.ReadableStream), ended(got, 'get')]);
        assert.is(back, sha, object);
        memory[`get ${object}`] = most;
      }
      const output = join(folder, 'output');
      memory['get -o'] = await ended(start(mode, ['get', pool, 'file', '-o', output]), 'get -o');
      assert.is(await shaOf(createReadStream(output)), sha);
      const checked = start(mode, ['check', pool]);
      checked.stdout?.resume();
      memory['check'] = await ended(checked, 'check');
      for (const path of [pool, input, output]) rmSync(path);
      const shown = Object.entries(memory).map(([verb, bytes]) => `${verb} ${Math.ceil(bytes / MIB)}`);
      console.log(`NOTE ${mode}, ${name}: most anonymous memory, MiB: ${shown.join(', ')}`);
      for (const [verb, bytes] of Object.entries(memory))
        assert.ok(bytes > 0 && bytes < ANONYMOUS_MAX, `${verb}: ${bytes} bytes of anonymous memory`);
    });
  }
}
