/**
 * A uvu suite that is run when its file has been read through, so that none can be forgotten, and whose skips say why.
 */
import { suite as uvuSuite } from 'uvu';

export interface Suite {
  /** A test; the title is a sentence about behaviour. */
  (title: string, body: () => unknown): void;
  /** A test that cannot run here; the reason is printed and the skip counted. */
  skip(title: string, reason: string): void;
}

/** Makes a suite; it runs by itself after the current file. */
export function suite(name: string): Suite {
  const inner = uvuSuite(name);
  queueMicrotask(() => inner.run());
  const add = (title: string, body: () => unknown): void => {
    inner(title, async () => {
      await body();
    });
  };
  return Object.assign(add, {
    skip(title: string, reason: string): void {
      console.log(`SKIP ${name}: ${title}: ${reason}`);
      inner.skip(title);
    },
  });
}
