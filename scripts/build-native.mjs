/**
 * Builds the native shim with the C compiler that is there: CC, or the first of cc, gcc, clang. No node-gyp, no download.
 *
 *   node scripts/build-native.mjs [--sanitize]      --sanitize: with ASan and UBSan, to out/, run with PMSEG_NATIVE and LD_PRELOAD
 *
 * What is always true
 *   - An addon in dist/ is whole: it is linked under another name and renamed.
 *   - Without a compiler, or elsewhere than on linux-x64, the build goes on and says so: pools then open in `copy` mode.
 *   - A compiler that fails is fatal.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

const SOURCES = [
  ...['map', 'fault', 'pages', 'granularity', 'persist', 'io', 'space', 'lock', 'file'],
  ...['binding', 'binding_args', 'binding_map', 'binding_async', 'x86_64/arch'],
].map((name) => join('native', `${name}.c`));

const CFLAGS =
  '-std=c11 -O2 -fPIC -fvisibility=hidden -pthread -Wall -Wextra -Wpedantic -Wconversion -Werror -D_GNU_SOURCE -DNAPI_VERSION=8'.split(' ');
// nodelete: an addon loaded only by a Worker is unloaded when it exits, and the signal handler with it.
const LDFLAGS = '-shared -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now'.split(' ');
const SANITIZE = '-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined'.split(' ');

/** The compiler as a command with arguments (CC may be `ccache gcc`); `undefined` if there is none. */
function findCompiler() {
  const wanted = process.env['CC'] ? [process.env['CC']] : ['cc', 'gcc', 'clang'];
  return wanted
    .map((command) => command.trim().split(/\s+/))
    .find(([command, ...args]) => spawnSync(command, [...args, '--version']).status === 0);
}

function skip(reason) {
  console.error(`build: NO NATIVE SHIM: ${reason}; pools will open in copy mode only`);
  return false;
}

/** Builds dist/pmseg-<platform>-<arch>.node, or with `sanitize` the same below out/; false if this machine cannot. */
export function buildNative({ sanitize = false } = {}) {
  const { platform, arch } = process;
  if (platform !== 'linux' || arch !== 'x64') return skip(`it is for linux-x64, this is ${platform}-${arch}`);
  const compiler = findCompiler();
  if (!compiler) return skip(process.env['CC'] ? `CC=${process.env['CC']} does not run` : 'no C compiler (cc, gcc or clang; or set CC)');

  const name = `pmseg-${platform}-${arch}${sanitize ? '-sanitize' : ''}.node`;
  const folder = join(root, sanitize ? 'out' : 'dist');
  const part = join(folder, `${name}.${process.pid}.part`);
  const { include_dir: include } = createRequire(import.meta.url)('node-api-headers');
  mkdirSync(folder, { recursive: true });

  const [command, ...args] = [...compiler, ...CFLAGS, ...(sanitize ? SANITIZE : []), '-I', include, ...SOURCES, ...LDFLAGS, '-o', part];
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) {
    rmSync(part, { force: true });
    console.error(`build: ${compiler.join(' ')} failed on the native shim`);
    process.exit(1);
  }
  renameSync(part, join(folder, name));
  return true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) buildNative({ sanitize: process.argv.includes('--sanitize') });
