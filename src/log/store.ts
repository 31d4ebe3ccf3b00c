/** What objects and logs share of the pool that holds them. */
import type { Catalog, Entry } from '../catalog.js';
import type { Engine } from '../engine.js';
import { PmsegError, rangeError, typeError } from '../errors.js';
import { NAME_SIZE_MAX } from '../../assembly/media.js';
import { utf8 } from '../records.js';

export interface Store {
  readonly engine: Engine;
  readonly catalog: Catalog;
  /** A new owner id: random, or from the seed that makes images comparable. */
  newOwnerId(): bigint;
  /** @throws PmsegError ERR_PMSEG_BUSY while a view of one of these segments is lent: they are about to be given back */
  assertNotLent(segmentIds: readonly number[]): void;
}

/**
 * A name that can be stored: 1 to 1,024 bytes of UTF-8 without NUL.
 * @throws TypeError, RangeError
 */
export function checkName(name: unknown): string {
  if (typeof name !== 'string') throw typeError('name', 'a string', name);
  const size = utf8(name).byteLength;
  if (size < 1 || size > NAME_SIZE_MAX) throw rangeError(`a name has 1 to ${NAME_SIZE_MAX} bytes of UTF-8, not ${size}`);
  if (name.includes('\0') || !name.isWellFormed()) throw rangeError('a name has no NUL and no lone surrogates');
  return name;
}

/** @throws PmsegError ERR_PMSEG_NO_ENTRY when there is nothing of that kind under the name */
export function findEntry(store: Store, name: string, kind: Entry['kind']): Entry {
  const entry = store.catalog.entries.get(checkName(name));
  if (!entry) throw new PmsegError('ERR_PMSEG_NO_ENTRY', `there is no "${name}" in the pool`, { path: store.engine.medium.path });
  if (entry.kind !== kind)
    throw new PmsegError(
      'ERR_PMSEG_NO_ENTRY',
      `"${name}" is ${entry.kind === 'log' ? 'a log' : 'an object'}, not ${kind === 'log' ? 'a log' : 'an object'}`,
      { path: store.engine.medium.path },
    );
  return entry;
}
