/**
 * What the tests of reopening run in another process: `node reopen.child.js PATH MODE`. Stores, tries to persist, says how that went, and
 * waits to be killed.
 */
import { Pool, type PmsegError } from '../../src/index.js';

const [, , path = '', mode] = process.argv;
const pool = Pool.open(path, { mode: mode as 'file' | 'copy' });
const segment = pool.segment(0);
segment.write(Buffer.alloc(8192, 7), 65536);
let code = 'persisted';
try {
  segment.persist(65536, 8192);
} catch (error) {
  code = (error as PmsegError).code;
}
console.log(code);
setInterval(() => pool.status(), 1000);
