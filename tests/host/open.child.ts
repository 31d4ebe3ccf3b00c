/**
 * What the tests of opening run in another process: `node open.child.js VERB PATH`. One JSON line on stdout; `hold` then waits to be killed.
 */
import { Pool } from '../../src/index.js';

const [, , verb, path = ''] = process.argv;
try {
  const pool = Pool.open(path);
  if (verb === 'hold') {
    pool.allocate().write(Buffer.from('held'), 0);
    console.log(JSON.stringify({ pid: process.pid }));
    setInterval(() => pool.status(), 1000);
  } else {
    const segment = pool.allocate();
    segment.write(Buffer.from('child'), 0);
    segment.persist();
    console.log(JSON.stringify(pool.status()));
    pool.close();
  }
} catch (error) {
  console.log(JSON.stringify({ error: (error as { code?: string }).code ?? String(error) }));
}
