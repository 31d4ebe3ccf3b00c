/**
 * Objects: named byte strings over chains of segments.
 *
 * What is always true
 *   - An object is visible only after one owner-record update on its head, and all of its data and metadata were durable before that.
 *   - An interrupted put leaves segments without a committed owner: orphans, which the next writable open frees.
 *   - Replacing is the same single update: the new head names the owner that it replaces.
 *   - The stored CRC is of the bytes in the arena from which they are written, never of memory that the caller can change.
 */
import { OWNER_COMMITTED, TYPE_OBJECT } from '../../assembly/media.js';
import { allocateSegments, linkSegment, releaseSegments, updateHead } from '../allocator.js';
import { Bio, bytesOf } from '../bio.js';
import type { Entry } from '../catalog.js';
import { PmsegError, checkOptions, checkWhole, errnos } from '../errors.js';
import { assertNotLost } from '../lent.js';
import { checkName, findEntry, type Store } from './store.js';

/** Bytes collected before they are written; also the unit of reading. */
export const CHUNK_SIZE = 1024 * 1024;
/** Most segments that are taken ahead of need. */
const AHEAD_COUNT = 16;

export interface PutOptions {
  /** Replaces an object of that name, atomically. */
  replace?: boolean | undefined;
  /** Bytes that will come, if known: takes just the segments that are needed. */
  sizeHint?: number | undefined;
}

/**
 * Frees what belongs to nobody. Must succeed before a head is released or replaced: as long as the object that it replaced is still on
 * the medium, only this head keeps that one out of sight.
 */
function releaseOrphans({ engine, catalog }: Store): void {
  releaseSegments(engine, catalog.orphanIds);
  catalog.orphanIds.length = 0;
}

/** Frees it now or, where there is no room even for that, with the next release, removal or writable open. */
function releaseLater(store: Store): void {
  try {
    releaseOrphans(store);
  } catch (error) {
    if (!(error instanceof PmsegError) || (error.code !== 'ERR_PMSEG_NO_SPACE' && error.code !== 'ERR_PMSEG_HALTED')) throw error;
  }
}

export class ObjectWriter {
  readonly name: string;
  readonly #store: Store;
  readonly #options: PutOptions;
  readonly #ownerId: bigint;
  readonly #chunk: Bio;
  #filled = 0;
  #segmentIds: number[] = [];
  /** Repairs when the writer began. */
  readonly #repairs: number;
  /** Bytes written to segments. */
  #written = 0;
  #crc = 0;
  #open = true;

  /** @throws PmsegError ERR_PMSEG_EXISTS when the name is taken by a log, or by an object without `replace` */
  constructor(store: Store, name: string, options: PutOptions = {}) {
    store.engine.assertWritable();
    this.name = checkName(name);
    checkOptions(options);
    if (options.sizeHint !== undefined) checkWhole('sizeHint', options.sizeHint, 0, Number.MAX_SAFE_INTEGER);
    this.#store = store;
    this.#options = options;
    this.#replaced();
    this.#ownerId = store.newOwnerId();
    this.#repairs = store.engine.ledger.repairs;
    this.#chunk = Bio.allocate(store.engine.bank, [CHUNK_SIZE]);
  }

  /** The object that will be replaced. */
  #replaced(): Entry | undefined {
    const entry = this.#store.catalog.entries.get(this.name);
    if (entry && (entry.kind === 'log' || !this.#options.replace)) {
      throw new PmsegError('ERR_PMSEG_EXISTS', `"${this.name}" exists${entry.kind === 'log' ? ' and is a log' : ''}`, {
        path: this.#store.engine.medium.path,
        errno: errnos.EEXIST,
      });
    }
    if (entry) this.#store.assertNotLent(entry.segmentIds);
    return entry;
  }

  /** Bytes taken so far. */
  get size(): number {
    return this.#written + this.#filled;
  }

  /** Takes bytes; they are copied before this returns. */
  write(view: ArrayBufferView): void {
    this.#assertOpen();
    const bytes = bytesOf('data', view);
    for (let done = 0; done < bytes.byteLength; ) {
      const take = Math.min(CHUNK_SIZE - this.#filled, bytes.byteLength - done);
      this.#chunk.bytes.set(bytes.subarray(done, done + take), this.#filled);
      assertNotLost([bytes]);
      this.#filled += take;
      done += take;
      if (this.#filled === CHUNK_SIZE) this.#flush();
    }
  }

  /** Moves the chunk into segments. A failure leaves it as it was: the call can be repeated after ERR_PMSEG_NO_SPACE. */
  #flush(): void {
    const { engine } = this.#store;
    const { dataSize, bank } = engine;
    let done = 0;
    try {
      while (done < this.#filled) {
        const index = Math.floor(this.#written / dataSize);
        this.#extend(index);
        const off = this.#written % dataSize;
        const take = Math.min(this.#filled - done, dataSize - off);
        engine.copyFromBio(this.#segmentIds[index] as number, off, take, this.#chunk, done, false);
        this.#crc = bank.core.crc32cStandard(this.#crc, bank.view.getUint32(this.#chunk.tablePtr, true) + done, take);
        done += take;
        this.#written += take;
      }
    } finally {
      if (done > 0) {
        this.#chunk.bytes.copyWithin(0, done, this.#filled);
        this.#filled -= done;
      }
    }
  }

  /** Makes the chain long enough for segment `index` of it, and some ahead. */
  #extend(index: number): void {
    const { engine } = this.#store;
    const have = this.#segmentIds.length;
    if (index < have) return;
    const { sizeHint } = this.#options;
    const hinted = sizeHint === undefined ? 0 : Math.ceil(sizeHint / engine.dataSize) - have;
    const wanted = Math.max(index + 1 - have, Math.min(hinted > 0 ? hinted : have, AHEAD_COUNT));
    const ids = this.#allocate(wanted, index + 1 - have);
    const last = this.#segmentIds.at(-1);
    if (last !== undefined) {
      try {
        linkSegment(engine, last, ids[0]);
      } catch (error) {
        releaseSegments(engine, ids);
        throw error;
      }
    }
    this.#segmentIds.push(...ids);
  }

  /** `wanted` segments, or when there are not so many, `needed`. */
  #allocate(wanted: number, needed: number): number[] {
    const { engine } = this.#store;
    const purpose = { type: TYPE_OBJECT, ownerId: this.#ownerId, chainIndex: this.#segmentIds.length };
    try {
      return allocateSegments(engine, wanted, purpose);
    } catch (error) {
      if (wanted === needed || !(error instanceof PmsegError) || (error.code !== 'ERR_PMSEG_FULL' && error.code !== 'ERR_PMSEG_NO_SPACE'))
        throw error;
      return allocateSegments(engine, needed, purpose);
    }
  }

  /**
   * Makes the object durable, then visible; frees what it replaced. The writer is closed after success; after a failure it can be
   * committed again or aborted.
   */
  commit(): Entry {
    this.#assertOpen();
    const { engine, catalog } = this.#store;
    const replaced = this.#replaced();
    this.#flush();
    const needed = Math.max(1, Math.ceil(this.#written / engine.dataSize));
    this.#extend(needed - 1);
    const excess = this.#segmentIds.splice(needed);
    if (excess.length > 0) {
      linkSegment(engine, this.#segmentIds.at(-1) as number, undefined);
      releaseSegments(engine, excess);
    }
    if (replaced) releaseOrphans(this.#store);
    // The data, before the record that names it.
    engine.barrier.drain();
    this.#assertKept();
    const headId = this.#segmentIds[0] as number;
    const head = updateHead(engine, headId, {
      state: OWNER_COMMITTED,
      name: this.name,
      byteLen: this.#written,
      dataCrc: this.#crc,
      replaces: replaced?.head.ownerId ?? 0n,
    });
    this.#close();
    const entry: Entry = {
      name: this.name,
      kind: 'object',
      headId,
      head,
      segmentIds: this.#segmentIds,
      chainIndexes: this.#segmentIds.map((_, index) => index),
      damage: undefined,
    };
    catalog.entries.set(this.name, entry);
    if (replaced) {
      catalog.orphanIds.push(...replaced.segmentIds);
      releaseLater(this.#store);
    }
    return entry;
  }

  /** @throws PmsegError ERR_PMSEG_MEDIA when some of the data was lost since it was written: after a repair too it is not what was written */
  #assertKept(): void {
    const { engine } = this.#store;
    this.#segmentIds.forEach((id, index) =>
      engine.assertKept(id, 0, Math.min(engine.dataSize, Math.max(0, this.#written - index * engine.dataSize)), this.#repairs),
    );
  }

  /** Gives everything back. Nothing of the object was ever visible. */
  abort(): void {
    if (!this.#open) return;
    this.#close();
    const { engine } = this.#store;
    if (engine.closed || engine.barrier.halted) return;
    this.#store.catalog.orphanIds.push(...this.#segmentIds);
    releaseLater(this.#store);
  }

  /** Aborts unless committed. */
  [Symbol.dispose](): void {
    this.abort();
  }

  #close(): void {
    this.#open = false;
    this.#chunk.release();
  }

  #assertOpen(): void {
    if (!this.#open) throw new PmsegError('ERR_PMSEG_CLOSED', `the writer of "${this.name}" is closed`);
    this.#store.engine.assertWritable();
  }
}

export class ObjectReader {
  readonly name: string;
  /** Bytes of the object. */
  readonly size: number;
  /** CRC-32C (standard form) stored when it was put. */
  readonly storedCrc: number;
  readonly segmentCount: number;
  readonly #store: Store;
  readonly #entry: Entry;

  /** @throws PmsegError ERR_PMSEG_NO_ENTRY */
  constructor(store: Store, name: string) {
    store.engine.assertOpen();
    this.#entry = findEntry(store, name, 'object');
    this.#store = store;
    this.name = name;
    this.size = this.#entry.head.byteLen;
    this.storedCrc = this.#entry.head.dataCrc;
    this.segmentCount = this.#entry.segmentIds.length;
  }

  /** Bytes that the chain has room for. */
  get #roomSize(): number {
    return this.#entry.segmentIds.length * this.#store.engine.dataSize;
  }

  #cutOff(): PmsegError {
    const what = `"${this.name}" is cut off at ${this.#roomSize} of ${this.size} bytes: ${this.#entry.damage}`;
    return new PmsegError('ERR_PMSEG_DAMAGED', what, { offset: this.#roomSize });
  }

  /**
   * Whether the object's chain is as long as its bytes: before memory is taken for them.
   * @throws PmsegError ERR_PMSEG_DAMAGED
   */
  assertWhole(): void {
    if (this.size > this.#roomSize) throw this.#cutOff();
  }

  /**
   * Copies bytes of the object at `position` to a bio at `bioOff` from its position: bytes copied, fewer only at the end of the object.
   * @throws PmsegError ERR_PMSEG_NO_ENTRY when the object was removed or replaced meanwhile, _DAMAGED when its chain does not reach so far, _MEDIA
   */
  copyToBio(position: number, len: number, bio: Bio, bioOff = 0): number {
    checkWhole('position', position, 0, Number.MAX_SAFE_INTEGER);
    checkWhole('bio offset', bioOff, 0, Number.MAX_SAFE_INTEGER);
    const total = Math.min(checkWhole('length', len, 0, Number.MAX_SAFE_INTEGER), Math.max(0, this.size - position));
    const { engine, catalog } = this.#store;
    if (catalog.entries.get(this.name) !== this.#entry)
      throw new PmsegError('ERR_PMSEG_NO_ENTRY', `"${this.name}" was removed or replaced`);
    for (let done = 0; done < total; ) {
      const at = position + done;
      const segmentId = this.#entry.segmentIds[Math.floor(at / engine.dataSize)];
      if (segmentId === undefined) throw this.#cutOff();
      const off = at % engine.dataSize;
      const take = Math.min(total - done, engine.dataSize - off);
      engine.copyToBio(segmentId, off, take, bio, bioOff + done);
      done += take;
    }
    return total;
  }

  /** As `copyToBio`, into a view. */
  read(view: ArrayBufferView, position: number): number {
    const bio = Bio.from(view);
    return this.copyToBio(position, bio.size, bio);
  }

  /**
   * The whole object in pieces of up to 1 MiB. A piece is valid until the next one is asked for. Ends with an error if the CRC of what was
   * read is not the stored one.
   * @throws PmsegError ERR_PMSEG_CORRUPT
   */
  *chunks(): Generator<Uint8Array<ArrayBufferLike>, number> {
    const { bank } = this.#store.engine;
    const bio = Bio.allocate(bank, [CHUNK_SIZE]);
    try {
      const ptr = bank.view.getUint32(bio.tablePtr, true);
      let crc = 0;
      for (let position = 0; position < this.size; ) {
        const count = this.copyToBio(position, CHUNK_SIZE, bio);
        crc = bank.core.crc32cStandard(crc, ptr, count);
        position += count;
        yield bio.bytes.subarray(0, count);
      }
      if (crc !== this.storedCrc) {
        throw new PmsegError('ERR_PMSEG_CORRUPT', `the data of "${this.name}" has CRC-32C ${hex(crc)}, stored is ${hex(this.storedCrc)}`, {
          segmentId: this.#entry.headId,
          length: this.size,
        });
      }
      return crc;
    } finally {
      bio.release();
    }
  }
}

/** 8 hexadecimal digits. */
export function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}

/** Frees an object or a log. Gone and durable on return. */
export function removeEntry(store: Store, name: string): void {
  store.engine.assertWritable();
  const entry = store.catalog.entries.get(checkName(name));
  if (!entry) throw new PmsegError('ERR_PMSEG_NO_ENTRY', `there is no "${name}" in the pool`, { path: store.engine.medium.path });
  store.assertNotLent(entry.segmentIds);
  releaseOrphans(store);
  const [headId, ...rest] = entry.segmentIds;
  // The head's release is the removal; a crash before the rest is free leaves orphans, never half an object.
  releaseSegments(store.engine, [headId as number]);
  store.catalog.entries.delete(name);
  store.catalog.orphanIds.push(...rest);
  releaseLater(store);
}
