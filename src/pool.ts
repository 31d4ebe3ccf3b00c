/**
 * Pool: a file (or any medium) of segments, and what is built on them.
 *
 * What is always true
 *   - Opening for reading changes nothing. Opening for writing takes the lock, begins a new epoch, completes slot updates that a crash cut
 *     short and frees provable orphans; nothing else.
 *   - Damage never makes anything format itself: making a pool is `Pool.create` or `Pool.format`, called by somebody.
 *   - `close` persists nothing that was not: its clean mark is information, recovery never depends on it.
 */
import { createHash, randomBytes } from 'node:crypto';
import * as media from '../assembly/media.js';
import * as plan from '../assembly/plan.js';
import { allocateSegments, readInfo, releaseSegments } from './allocator.js';
import { Bio, bytesOf } from './bio.js';
import { scanCatalog, type Catalog, type Degraded, type Entry } from './catalog.js';
import { createPoolFile, newSuperblock, type CreateOptions, type FormatOptions } from './create.js';
import { Engine } from './engine.js';
import { PmsegError, checkOptions, checkWhole, doAll, rangeError, typeError } from './errors.js';
import type { Finding } from './findings.js';
import { WriterLock } from './lock.js';
import { Log } from './log/log.js';
import { ObjectReader, ObjectWriter, removeEntry, type PutOptions } from './log/object.js';
import type { Store } from './log/store.js';
import { dropDead } from './log/trim.js';
import { GRANULARITIES, type BadRange, type Granularity, type Medium, type Mode } from './medium.js';
import { openMedium, type MediumOptions } from './medium/open.js';
import { native, nativeUnavailable } from './native.js';
import { completeZeroed } from './complete.js';
import { Segment, type Repair, type SegmentOwner } from './segment.js';

export interface OpenOptions extends MediumOptions {
  /** Fails unless the medium promises at least this. */
  require?: Granularity | undefined;
  /** Lets a forced granularity satisfy `require`. */
  allowForced?: boolean | undefined;
  /** The caller's word that no other writer lives, against a lock file that cannot be shown to be stale. */
  breakLock?: boolean | undefined;
  /** Derives owner ids from this instead of randomness, so that images can be compared. */
  ownerSeed?: string | undefined;
  /** Called with (segments read, segments in all) while metadata is read. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface Status {
  mode: Mode;
  granularity: Granularity;
  forced: boolean;
  /** What a persist guarantees here, in words. */
  guarantee: string;
  readOnly: boolean;
  halted: boolean;
  /** Why there is no native shim; absent when there is one. */
  nativeUnavailable: string | undefined;
  path: string | undefined;
  uuid: string;
  label: string;
  /** Bytes of the pool. */
  size: number;
  segmentSize: number;
  /** Where a segment's data begins. */
  dataOff: number;
  /** Bytes of data in a segment. */
  dataSize: number;
  segments: { total: number; free: number; used: number; damaged: number };
  /** Whether the pool had been closed properly when it was opened. Information only. */
  clean: boolean;
  epoch: number;
  /** Slots of which only one copy is good. */
  degraded: Degraded[];
  /** Ranges of the pool that the medium has lost. */
  badRanges: BadRange[];
  /** Views that are lent. */
  viewCount: number;
}

const GUARANTEES: Record<Granularity, string> = {
  byte: 'persist = fence; CPU caches are in the persistence domain; copyFromBio is durable when it returns',
  'cache-line': 'persist = cache-line flush + fence; copyFromBio is durable when it returns',
  page: 'persist = fdatasync; copyFromBio is durable after { persist: true } or the next barrier',
};

const TYPES = new Map<string, number>([['cache-data', media.TYPE_CACHE_DATA]]);

export class Pool implements SegmentOwner, Store {
  readonly engine: Engine;
  readonly catalog: Catalog;
  readonly #lock: WriterLock | undefined;
  readonly #wasClean: boolean;
  readonly #ownerSeed: string | undefined;
  #ownerCount = 0;
  readonly #segments = new Map<number, Segment>();
  readonly #logs = new Map<string, Log>();
  readonly #lent = new Map<number, number>();
  /** What opening did to the medium: orphans freed, updates completed, bad copies overwritten by an update that was due anyway. */
  readonly recovered: { orphanIds: readonly number[]; completed: readonly Degraded[]; rewritten: readonly Degraded[] };

  private constructor(engine: Engine, catalog: Catalog, lock: WriterLock | undefined, options: OpenOptions) {
    this.engine = engine;
    this.catalog = catalog;
    this.#lock = lock;
    this.#wasClean = engine.superblock.clean;
    this.#ownerSeed = options.ownerSeed;
    this.recovered = {
      orphanIds: engine.medium.writable ? [...catalog.orphanIds] : [],
      completed: engine.medium.writable ? [...catalog.unfinished] : [],
      rewritten: engine.medium.writable ? catalog.degraded.filter(({ kind }) => kind === 'superblock') : [],
    };
    engine.onRelease = (ids) => this.#forget(ids);
    if (engine.medium.writable) this.#recover();
  }

  /**
   * Makes a pool file and opens it.
   * @throws PmsegError ERR_PMSEG_EXISTS, ERR_PMSEG_NO_SPACE; RangeError, TypeError for options
   */
  static create(path: string, options: CreateOptions & OpenOptions): Pool {
    createPoolFile(path, options);
    return Pool.open(path, options);
  }

  /**
   * Writes an empty pool over a medium, whatever it holds. For media without a name; files are made by `create`.
   */
  static format(medium: Medium, options: FormatOptions = {}): void {
    const bank = medium.banks[0];
    if (!bank) throw typeError('medium', 'a Medium with a bank', medium);
    const size = Math.floor(medium.size / media.COPY_SIZE) * media.COPY_SIZE;
    const bio = Bio.from(newSuperblock(bank, size, options));
    for (const off of [0, size - media.COPY_SIZE]) medium.write(off, bio, 0, bio.size);
    medium.drain();
  }

  /**
   * Opens a pool.
   * @param target path of a pool file, or a Medium
   * @throws PmsegError ERR_PMSEG_NOT_POOL, _VERSION, _TRUNCATED, _CORRUPT, _DAMAGED, _LOCKED, _GRANULARITY, _READ_ONLY, _IO. Nothing is changed then.
   */
  static open(target: string | Medium, options: OpenOptions = {}): Pool {
    if (typeof target !== 'string' && !isMedium(target)) throw typeError('pool', 'a path or a Medium', target);
    checkOptions(options);
    if (typeof target === 'string' && (target === '' || target.includes('\0')))
      throw typeError('path', 'a non-empty string without NUL', target);
    const medium = typeof target === 'string' ? openMedium(target, options) : target;
    let lock: WriterLock | undefined;
    try {
      assertGranularity(medium, options);
      const engine = new Engine(medium);
      if (medium.writable && medium.path !== undefined) lock = new WriterLock(medium.path, medium.mode, native, options.breakLock ?? false);
      if (medium.writable) engine.readFromMedium();
      engine.attach();
      return new Pool(engine, scanCatalog(engine, options.onProgress), lock, options);
    } catch (error) {
      doAll([() => medium.close(), () => lock?.release()], error);
      throw error;
    }
  }

  /** Closes the handles on segments that were given back: their next life is somebody else's. */
  #forget(segmentIds: readonly number[]): void {
    for (const id of segmentIds) {
      this.#segments.get(id)?.markFreed();
      this.#segments.delete(id);
    }
  }

  /** What a writable open changes. */
  #recover(): void {
    const { engine, catalog } = this;
    engine.flushMetadata();
    // The first barrier: everything that a dead writer left undrained is durable after it.
    engine.updateSuperblock({ epoch: engine.superblock.epoch + 1, clean: false });
    const { slots } = engine;
    slots.complete(
      catalog.unfinished.flatMap(({ kind, segmentId }) =>
        kind === 'superblock' || segmentId === undefined ? [] : [slots[kind](segmentId)],
      ),
    );
    catalog.unfinished.length = 0;
    releaseSegments(engine, catalog.orphanIds);
    catalog.orphanIds.length = 0;
    for (const entry of catalog.entries.values()) if (entry.kind === 'log' && !entry.damage) this.#completeTrim(entry);
  }

  /** A trim that a crash cut short after its record: frees what it would have freed. */
  #completeTrim(entry: Entry): void {
    const segments = entry.segmentIds.map((id, i) => ({ id, index: entry.chainIndexes[i] as number }));
    const last = segments.at(-1);
    const liveIndex = Math.min(Math.floor(entry.head.trimPos / this.engine.dataSize), last?.index ?? 0);
    dropDead(this, entry.headId, segments, liveIndex, (kept) => {
      this.catalog.entries.set(entry.name, {
        ...entry,
        segmentIds: kept.map(({ id }) => id),
        chainIndexes: kept.map(({ index }) => index),
      });
    });
  }

  newOwnerId(): bigint {
    const { uuid, epoch } = this.engine.superblock;
    for (;;) {
      const bytes =
        this.#ownerSeed === undefined
          ? randomBytes(8)
          : createHash('sha256').update(`${this.#ownerSeed}:${uuid}:${epoch}:${this.#ownerCount++}`).digest();
      const id = bytes.readBigUInt64LE(0);
      if (id !== 0n) return id;
    }
  }

  /** Bytes of data in each segment. */
  get dataSize(): number {
    return this.engine.dataSize;
  }

  /** What the pool is, where it lies, what it guarantees and what is wrong with it. */
  status(): Status {
    const { engine, catalog } = this;
    engine.assertOpen();
    const { medium, superblock, barrier } = engine;
    const total = superblock.segmentCount;
    const taken = engine.bank.core.bitmapCount(plan.BITMAP_PTR, total);
    const damaged = catalog.damagedIds.size;
    return {
      mode: medium.mode,
      granularity: medium.granularity,
      forced: medium.forced,
      guarantee: GUARANTEES[medium.granularity],
      readOnly: !medium.writable,
      halted: barrier.halted,
      nativeUnavailable,
      path: medium.path,
      uuid: superblock.uuid,
      label: superblock.label,
      size: superblock.poolSize,
      segmentSize: superblock.segmentSize,
      dataOff: superblock.dataOff,
      dataSize: engine.dataSize,
      segments: { total, free: total - taken, used: taken - damaged, damaged },
      clean: this.#wasClean,
      epoch: superblock.epoch,
      degraded: this.#degraded(),
      badRanges: medium.badRanges(),
      viewCount: [...this.#lent.values()].reduce((sum, count) => sum + count, 0),
    };
  }

  /** Slots that were found with one good copy, or left with one, and have not been rewritten since. */
  #degraded(): Degraded[] {
    const { slots, superblockClass } = this.engine;
    const classOf = ({ kind, segmentId }: Degraded): number =>
      kind === 'superblock' || segmentId === undefined ? superblockClass : slots.slotClass(slots[kind](segmentId));
    const found = this.catalog.degraded.filter((slot) => classOf(slot) === plan.SLOT_SINGLE);
    const missed = slots.missed.filter((slot) => !found.some(({ kind, segmentId }) => kind === slot.kind && segmentId === slot.segmentId));
    return [...found, ...missed.map(({ kind, segmentId }) => ({ kind, segmentId }))];
  }

  /** What opening found wrong with the metadata. */
  get findings(): readonly Finding[] {
    return this.catalog.findings;
  }

  // --- Segments

  /**
   * Takes a free segment, the lowest id first. In use and durable on return; its data holds whatever was there.
   * @param options.type `cache-data`: raw, never reclaimed by the engine
   * @throws PmsegError ERR_PMSEG_FULL, _NO_SPACE, _READ_ONLY, _HALTED
   */
  allocate(options: { type?: 'cache-data' } = {}): Segment {
    this.engine.assertWritable();
    const { type: name = 'cache-data' } = checkOptions(options);
    if (typeof name !== 'string') throw typeError('type', 'a string', name);
    const type = TYPES.get(name);
    if (type === undefined) throw rangeError(`type "${String(name)}" is not one of ${[...TYPES.keys()].join(', ')}`);
    return this.segment(allocateSegments(this.engine, 1, { type, ownerId: 0n, chainIndex: 0 })[0] as number);
  }

  /**
   * A segment that is in use.
   * @throws RangeError for an id that the pool does not have; PmsegError ERR_PMSEG_NO_ENTRY for one that is free, _DAMAGED for one that is damaged
   */
  segment(id: number): Segment {
    const { engine } = this;
    engine.assertOpen();
    checkWhole('segment id', id, 0, engine.superblock.segmentCount - 1);
    const known = this.#segments.get(id);
    if (known) return known;
    if (this.catalog.damagedIds.has(id)) throw new PmsegError('ERR_PMSEG_DAMAGED', `segment ${id} has damaged metadata`, { segmentId: id });
    if (!engine.bank.core.bitmapTest(plan.BITMAP_PTR, id))
      throw new PmsegError('ERR_PMSEG_NO_ENTRY', `segment ${id} is free`, { segmentId: id });
    const segment = new Segment(this, id);
    this.#segments.set(id, segment);
    return segment;
  }

  /**
   * Gives a raw segment back. Free and durable on return; the Segment object is closed.
   * @throws PmsegError ERR_PMSEG_BUSY while views of it are lent; _READ_ONLY for segments of objects and logs
   */
  free(segment: Segment): void {
    const { engine } = this;
    engine.assertWritable();
    if (!(segment instanceof Segment)) throw typeError('segment', 'a Segment', segment);
    if (this.#segments.get(segment.id) !== segment)
      throw new PmsegError('ERR_PMSEG_CLOSED', `segment ${segment.id} was freed or belongs to another pool`, { segmentId: segment.id });
    this.assertNotLent([segment.id]);
    if (readInfo(engine, segment.id).type !== media.TYPE_CACHE_DATA)
      throw new PmsegError('ERR_PMSEG_READ_ONLY', `segment ${segment.id} belongs to an object or a log`, { segmentId: segment.id });
    releaseSegments(engine, [segment.id]);
  }

  /** The segments that are in use, by id. */
  *segments(): Generator<Segment> {
    const { bank, superblock } = this.engine;
    for (let id = 0; id < superblock.highWater; id++) {
      this.engine.assertOpen();
      if (bank.core.bitmapTest(plan.BITMAP_PTR, id) && !this.catalog.damagedIds.has(id)) yield this.segment(id);
    }
  }

  [Symbol.iterator](): Generator<Segment> {
    return this.segments();
  }

  lend(segmentId: number, count: 1 | -1): void {
    const left = (this.#lent.get(segmentId) ?? 0) + count;
    if (left > 0) this.#lent.set(segmentId, left);
    else this.#lent.delete(segmentId);
  }

  assertNotLent(segmentIds: readonly number[]): void {
    for (const segmentId of segmentIds) {
      const lent = this.#lent.get(segmentId) ?? 0;
      if (lent > 0) throw new PmsegError('ERR_PMSEG_BUSY', `${lent} views of segment ${segmentId} are lent`, { segmentId });
    }
  }

  /** A bio in bank 0's arena; `segment.bio` is the better place for copies to and from a segment. Release it. */
  bio(...lens: number[]): Bio {
    this.engine.assertOpen();
    return Bio.allocate(this.engine.bank, lens);
  }

  // --- Barriers of the whole pool

  /** Waits until everything stored or flushed before, in any segment, is durable. Blocks this thread. */
  drain(): void {
    this.engine.drain();
  }

  /** As `drain`, off this thread; callers that arrive while a barrier is in flight share the next one. */
  async drainAsync(): Promise<void> {
    await this.engine.drainAsync();
  }

  // --- Lost pages

  /** Zeros look like the end of a log: refuses a range in which one may have records. */
  #assertNoRecords({ off, len }: BadRange, cause: PmsegError): void {
    const { engine } = this;
    for (const { name, kind, segmentIds, chainIndexes } of this.catalog.entries.values()) {
      if (kind !== 'log') continue;
      segmentIds.forEach((id, i) => {
        const begin = engine.poolOff(id, 0);
        if (off + len <= begin || off >= begin + engine.dataSize) return;
        const log = this.log(name);
        // Positions of what is to be zeros: whole pages.
        const position = (chainIndexes[i] as number) * engine.dataSize - begin;
        const from = position + Math.floor(off / media.COPY_SIZE) * media.COPY_SIZE;
        const to = position + Math.ceil((off + len) / media.COPY_SIZE) * media.COPY_SIZE;
        if (!log.damage && (from >= log.end || to <= log.begin)) return;
        const how = log.damage ? `cut it at ${log.damage.position} or before` : 'close it, open it again and cut it';
        throw new PmsegError('ERR_PMSEG_DAMAGED', `log "${name}" may have records in ${off}+${len}: ${how} before that is zeros`, {
          path: engine.medium.path,
          segmentId: id,
          offset: off - begin,
          length: len,
          cause,
        });
      });
    }
  }

  /**
   * Brings lost pages back, as far as the medium allows: one of `status().badRanges`, or any other range of the pool, widened to whole pages.
   * What the medium delivers again is shown again. A page that it still cannot deliver is written anew, as zeros, on new blocks where the old
   * ones take no writes; not in a pool that is read-only or halted. Records whose other copy is good are written again.
   *
   * Afterwards a range holds whatever the medium now delivers: what it held before where only the mapping had suffered, zeros where a page was
   * lost for good or the file had been cut and has its size again. What was stored there through views since the page was lost is gone:
   * store it again. A barrier that spans a repair of its range fails. A log that was open stays as it is until it is closed and opened again.
   * @throws PmsegError ERR_PMSEG_MEDIA when a page cannot be brought back; _DAMAGED where only zeros could be, and a log may have had records:
   *   cut it first, or they would be missing without a trace; _REPLACED while the file has not its size; _NO_SPACE
   */
  repair(range: BadRange): Repair {
    const { engine } = this;
    engine.assertOpen();
    if (typeof range !== 'object' || range === null) throw typeError('range', 'an object { off, len }', range);
    try {
      engine.repair(range.off, range.len, false);
      return { zeroed: [], completed: [] };
    } catch (error) {
      if (!(error instanceof PmsegError) || error.code !== 'ERR_PMSEG_MEDIA') throw error;
      // What is before the first page that cannot be delivered is not touched.
      const off = Math.max(range.off, error.offset ?? 0);
      this.#assertNoRecords({ off, len: range.off + range.len - off }, error);
    }
    const zeroed = engine.repair(range.off, range.len, true);
    const completed = zeroed.length === 0 ? [] : completeZeroed(engine, zeroed);
    return { zeroed, completed };
  }

  // --- Objects and logs

  /** Objects and logs, by name. */
  list(): Entry[] {
    this.engine.assertOpen();
    return [...this.catalog.entries.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** A writer for a new object: visible, and durable, after its `commit`. */
  createObject(name: string, options: PutOptions = {}): ObjectWriter {
    return new ObjectWriter(this, name, options);
  }

  /** Puts bytes under a name: visible and durable on return. */
  put(name: string, data: ArrayBufferView, options: PutOptions = {}): Entry {
    const bytes = bytesOf('data', data);
    const writer = this.createObject(name, { sizeHint: bytes.byteLength, ...checkOptions(options) });
    try {
      writer.write(bytes);
      return writer.commit();
    } catch (error) {
      // What cannot be given back now is given back by the next writable open.
      doAll([() => writer.abort()], error);
      throw error;
    }
  }

  /** A reader of an object. */
  openObject(name: string): ObjectReader {
    return new ObjectReader(this, name);
  }

  /**
   * The bytes of an object, checked against its CRC.
   * @throws PmsegError ERR_PMSEG_NO_ENTRY, _CORRUPT, _DAMAGED, _MEDIA; _UNSUPPORTED when they do not fit into one array
   */
  get(name: string): Uint8Array<ArrayBuffer> {
    const reader = this.openObject(name);
    reader.assertWhole();
    const bytes = arrayOf(name, reader.size);
    let at = 0;
    for (const chunk of reader.chunks()) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return bytes;
  }

  /** Removes an object or a log: gone and durable on return. */
  remove(name: string): void {
    this.engine.assertWritable();
    this.#logs.get(name)?.close();
    this.#logs.delete(name);
    removeEntry(this, name);
  }

  /**
   * Opens a log; the same object for the same name until it is closed.
   * @param options.create makes it if there is none
   */
  log(name: string, options: { create?: boolean } = {}): Log {
    this.engine.assertOpen();
    const { create = false } = checkOptions(options);
    const known = this.#logs.get(name);
    if (known && !known.closed) return known;
    const log = create && !this.catalog.entries.has(name) ? Log.create(this, name) : new Log(this, name);
    this.#logs.set(name, log);
    return log;
  }

  /**
   * Closes the pool: puts the clean mark (a drain if anything is on its way, and one superblock update) unless halted, unmaps, gives up the
   * lock. Starts nothing moving: stores through a view that were not flushed are as unsure as before.
   * @throws PmsegError ERR_PMSEG_BUSY while views are lent, unless `force`: lent views then read zeros
   */
  close(options: { force?: boolean } = {}): void {
    const { engine } = this;
    if (engine.closed) return;
    const lent = [...this.#lent.values()].reduce((sum, count) => sum + count, 0);
    if (lent > 0 && !checkOptions(options).force)
      throw new PmsegError('ERR_PMSEG_BUSY', `${lent} views are lent: release them before closing`);
    for (const log of this.#logs.values()) log.close();
    doAll([
      () => engine.medium.writable && !engine.barrier.halted && this.#markClean(),
      () => engine.markClosed(),
      () => engine.medium.close(),
      () => this.#lock?.release(),
    ]);
  }

  /** What is not durable yet must not be found under a clean mark: a copy cut short in an unclean pool is completed, in a clean one it is damage. */
  #markClean(): void {
    const { barrier } = this.engine;
    if (!barrier.idle) barrier.drain();
    this.engine.updateSuperblock({ clean: true });
  }

  get closed(): boolean {
    return this.engine.closed;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Waits for barriers in flight, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.barrier.settled();
    this.close();
  }
}

/** An array for the whole of an object. */
function arrayOf(name: string, size: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new PmsegError('ERR_PMSEG_UNSUPPORTED', `"${name}" has ${size} bytes, more than one array takes here: read it in chunks`, {
      length: size,
      cause,
    });
  }
}

/** Whether a value has the look of a Medium: what it does is its own. */
function isMedium(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { banks, size, close } = value as Partial<Medium>;
  return Array.isArray(banks) && typeof size === 'number' && typeof close === 'function';
}

/** `require`, held against what the medium promises. */
function assertGranularity(medium: Medium, options: OpenOptions): void {
  const wanted = options.require;
  if (wanted === undefined) return;
  const rank = GRANULARITIES.indexOf(wanted);
  if (rank < 0) throw rangeError(`granularity "${String(wanted)}" is not one of ${GRANULARITIES.join(', ')}`);
  const short = GRANULARITIES.indexOf(medium.granularity) > rank;
  if (!short && (!medium.forced || options.allowForced)) return;
  const why = short ? `promises ${medium.granularity}` : `has granularity ${medium.granularity} only because it was forced`;
  throw new PmsegError('ERR_PMSEG_GRANULARITY', `${medium.path ?? 'the medium'} ${why}; ${wanted} is required`, { path: medium.path });
}
