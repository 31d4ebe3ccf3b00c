/**
 * Logs: append-only records over a chain of segments.
 *
 * What is always true
 *   - Positions count bytes of the chain: index of the segment · dataSize + offset in its data. They only rise, over reopening and trimming too.
 *   - 0 ≤ begin ≤ durable ≤ flushed ≤ end. Bytes [flushed, end) are in the arena, in one segment.
 *   - A record is built, checksummed and written from the arena: nobody can change bytes under its CRC.
 *   - Every opening for appends, and every cut, begins a new epoch with its first record; what an earlier epoch left behind the end of the
 *     log can never become valid again.
 *   - Rolling over: everything is made durable, then the next segment is allocated, then linked, then written. So a bad record in a segment
 *     that has a successor is always damage.
 */
import {
  LOG_ALIGN,
  LOG_EPOCH_RECORD_SIZE,
  LOG_HEADER_SIZE,
  LOG_KIND_DATA,
  LOG_KIND_END,
  OWNER_COMMITTED,
  OWNER_SEALED,
  TYPE_LOG,
} from '../../assembly/media.js';
import * as plan from '../../assembly/plan.js';
import { allocateSegments, linkSegment, releaseSegments, updateHead } from '../allocator.js';
import { Bio, bytesOf } from '../bio.js';
import type { Entry } from '../catalog.js';
import { PmsegError, checkOptions, checkWhole, errnos, rangeError } from '../errors.js';
import { assertNotLost } from '../lent.js';
import type { Owner } from '../records.js';
import { Ahead } from './ahead.js';
import { Flushes } from './flushes.js';
import { checkName, findEntry, type Store } from './store.js';
import { dropDead } from './trim.js';
import type { LogDamage, LogRecord } from './types.js';
import { LogWalk, RECORD_LEN_MAX, ownerPtr, type LogSegment } from './walk.js';

/** Bytes of records collected before they are written. */
const BUFFER_SIZE = 1024 * 1024;

export type { LogDamage, LogRecord } from './types.js';

export class Log {
  readonly name: string;
  readonly #store: Store;
  readonly #headId: number;
  /** The head, then the segments behind the trim position without gaps. */
  #segments: LogSegment[];
  #begin: number;
  #end = 0;
  #flushed = 0;
  readonly #flushes: Flushes;
  readonly #ahead: Ahead;
  #sequence = 1;
  /** Epoch of the last record; the first append under another one writes an epoch record first. */
  #epoch = 0;
  /** Epoch of this opening. */
  #openEpoch = 0;
  /** Nothing more goes into the last segment. */
  #rolled = false;
  #sealed: boolean;
  #damage: LogDamage | undefined;
  /** There were bytes behind the end that are not records: an append was cut short. */
  #torn = false;
  #open = true;
  readonly #writable: boolean;
  /** Bytes [#flushed, #end), and the cursor under which records are sealed; arena of bank 0. */
  #bufferBio: Bio | undefined;
  readonly #cursorPtr: number;
  readonly #prepare = (): void => this.flush();

  /**
   * Opens a log and recovers it. Reads every record behind the trim position once.
   * On a writable pool what was recovered is made durable (one drain): what a reader has seen must not go away with the next power cut.
   * @throws PmsegError ERR_PMSEG_NO_ENTRY
   */
  constructor(store: Store, name: string) {
    const { engine } = store;
    engine.assertOpen();
    const entry = findEntry(store, name, 'log');
    this.#store = store;
    this.name = name;
    this.#headId = entry.headId;
    this.#segments = entry.segmentIds.map((id, i) => ({ id, index: entry.chainIndexes[i] as number }));
    this.#begin = entry.head.trimPos;
    this.#sealed = entry.head.state === OWNER_SEALED;
    this.#writable = engine.medium.writable;
    const durable = this.#recover(entry.damage);
    this.#ahead = new Ahead(engine);
    this.#flushes = new Flushes(engine, (position) => this.#segmentAt(position), durable);
    this.#cursorPtr = engine.bank.arena.allocate(plan.CURSOR_SIZE);
  }

  /** Makes a log: visible and durable on return. */
  static create(store: Store, name: string): Log {
    const { engine, catalog } = store;
    engine.assertWritable();
    if (catalog.entries.has(checkName(name)))
      throw new PmsegError('ERR_PMSEG_EXISTS', `"${name}" exists`, { path: engine.medium.path, errno: errnos.EEXIST });
    const head = { state: OWNER_COMMITTED, name, byteLen: 0, dataCrc: 0, trimPos: 0, replaces: 0n };
    let owner: Owner | undefined;
    const onHead = (written: Owner): void => void (owner = written);
    const ids = allocateSegments(engine, 1, { type: TYPE_LOG, ownerId: store.newOwnerId(), chainIndex: 0, head, onHead });
    const headId = ids[0] as number;
    catalog.entries.set(name, { name, kind: 'log', headId, head: owner as Owner, segmentIds: ids, chainIndexes: [0], damage: undefined });
    return new Log(store, name);
  }

  /** Position of the first record that is kept. */
  get begin(): number {
    return this.#begin;
  }

  /** Position behind the last record; the next one's, unless it rolls over. */
  get end(): number {
    return this.#end;
  }

  /** Position behind the last record that is written to the medium, though perhaps not durable. */
  get flushed(): number {
    return this.#flushed;
  }

  /** Position up to which records are known to be durable. */
  get durable(): number {
    return this.#flushes.durable;
  }

  /** What recovery found; appends are refused until `cut`. */
  get damage(): LogDamage | undefined {
    return this.#damage;
  }

  /** Recovery found an append that was cut short behind the end. A note, not damage: it was never acknowledged. */
  get torn(): boolean {
    return this.#torn;
  }

  get sealed(): boolean {
    return this.#sealed;
  }

  /** Longest payload that one record can have here. */
  get recordLenMax(): number {
    const { dataSize } = this.#store.engine;
    return Math.min(RECORD_LEN_MAX, Math.floor((dataSize - LOG_EPOCH_RECORD_SIZE - LOG_HEADER_SIZE) / LOG_ALIGN) * LOG_ALIGN);
  }

  /** The segment that follows another one. Behind the head the indexes have no gaps. */
  readonly #nextOf = (segment: LogSegment): LogSegment | undefined => {
    const second = this.#segments[1];
    if (!second) return undefined;
    return segment.index < second.index ? second : this.#segments[segment.index - second.index + 2];
  };

  /** The segment in which a position lies; for a position behind the last segment, that one. */
  #segmentAt(position: number): LogSegment {
    const index = Math.floor(position / this.#store.engine.dataSize);
    const [head, second] = this.#segments as [LogSegment, LogSegment?];
    const segment = index <= head.index || !second ? head : this.#segments[Math.max(1, index - second.index + 1)];
    return segment ?? (this.#segments.at(-1) as LogSegment);
  }

  /** Finds the end; returns up to where the log is durable. */
  #recover(chainDamage: string | undefined): number {
    const { engine } = this.#store;
    // A halted pool is read on; what it cannot make durable it does not call durable.
    const settles = this.#writable && !engine.barrier.halted;
    const walk = new LogWalk(engine, this.#segmentAt(this.#begin), this.#nextOf, () => Infinity);
    try {
      let stop = walk.next();
      while (stop === 'record') stop = walk.next();
      this.#rolled = walk.segmentDone;
      this.#end = this.#flushed = this.#rolled ? (walk.segment.index + 1) * engine.dataSize : walk.end;
      this.#sequence = Math.max(1, walk.sequence);
      this.#epoch = walk.epoch;
      if (stop === 'lost') {
        this.#damage = { position: this.#end, provedBy: walk.lostPosition, lost: walk.lost };
      } else if (stop === 'invalid') {
        // A segment is left only when all of it is durable, so a link behind a bad record proves as much as a later record does.
        const next = this.#nextOf(walk.segment);
        // A link that leads nowhere good proves it as well: it is written when all before it is durable.
        const provedBy = next ? next.index * engine.dataSize : chainDamage ? this.#end : walk.proof();
        if (provedBy >= 0) this.#damage = { position: this.#end, provedBy, lost: walk.lost };
        else this.#torn = !walk.isZeroAhead();
      } else if (chainDamage) this.#damage = { position: this.#end, provedBy: this.#end, lost: undefined };
      if (settles) this.#persistRecovered();
      // A trim position behind the last record that survived: nothing is left to be read before it.
      if (this.#begin > this.#end) this.#begin = this.#end;
      return settles ? this.#end : Math.min(walk.durablePos, this.#end);
    } finally {
      walk.release();
    }
  }

  /** Who wrote the records may have died before they were flushed or drained; nobody has been shown them yet. */
  #persistRecovered(): void {
    const { engine } = this.#store;
    for (const { id, index } of this.#segments) {
      const len = Math.min(engine.dataSize, this.#end - index * engine.dataSize);
      if (engine.medium.granularity === 'cache-line' && len > 0) engine.flush(id, 0, len);
    }
    engine.barrier.drain();
  }

  #assertOpen(): void {
    if (!this.#open) throw new PmsegError('ERR_PMSEG_CLOSED', `log "${this.name}" is closed`);
    this.#store.engine.assertOpen();
  }

  #assertAppendable(): void {
    this.#assertOpen();
    this.#store.engine.assertWritable();
    if (this.#sealed) throw new PmsegError('ERR_PMSEG_SEALED', `log "${this.name}" is sealed`);
    if (this.#damage) {
      const { position, provedBy } = this.#damage;
      throw new PmsegError(
        'ERR_PMSEG_DAMAGED',
        `log "${this.name}" is damaged at ${position} (proved by what lies at ${provedBy}): cut it before appending`,
        {
          segmentId: this.#segmentAt(position).id,
          offset: position % this.#store.engine.dataSize,
          cause: this.#damage.lost,
        },
      );
    }
  }

  /**
   * Appends one record, from one view or from several pieces. The bytes are copied before this returns; they are durable after a barrier.
   * @returns position of the record
   * @throws RangeError for a payload longer than `recordLenMax`; PmsegError ERR_PMSEG_FULL, _NO_SPACE (nothing appended), _DAMAGED, _SEALED, _HALTED
   */
  append(data: ArrayBufferView | readonly ArrayBufferView[]): number {
    this.#assertAppendable();
    const pieces = (Array.isArray(data) ? data : [data]).map((view, i) => bytesOf(`piece ${i}`, view));
    const len = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    if (len > this.recordLenMax) throw rangeError(`a record of ${len} bytes is longer than ${this.recordLenMax}`);
    this.#assertCountable();
    const { core } = this.#store.engine.bank;
    const size = core.logRecordSize(len);
    this.#beginEpoch();
    if (this.#rolled || this.#epochSize + size > this.#room) this.#rollOver();

    const total = this.#epochSize + size;
    if (this.#end - this.#flushed + total > BUFFER_SIZE) this.flush();
    if (total > BUFFER_SIZE) return this.#appendLarge(pieces, len, total);
    const ptr = this.#bufferPtr + (this.#end - this.#flushed);
    return this.#place(pieces, len, ptr);
  }

  /**
   * Whether the record's number, and the positions of a segment behind the last one, can be counted. Only an image that was made for the
   * purpose ends here.
   */
  #assertCountable(): void {
    const { index } = this.#segments.at(-1) as LogSegment;
    const isLast = index + 2 > Math.min(0xffff_ffff, Math.floor(Number.MAX_SAFE_INTEGER / this.#store.engine.dataSize));
    if (this.#sequence < Number.MAX_SAFE_INTEGER && !isLast) return;
    throw new PmsegError('ERR_PMSEG_FULL', `log "${this.name}" has used up its numbers: it can only be read`, { length: this.#sequence });
  }

  /** A record longer than the buffer is built beside it and written at once. */
  #appendLarge(pieces: readonly Uint8Array[], len: number, total: number): number {
    const { bank } = this.#store.engine;
    const large = Bio.allocate(bank, [total]);
    const [end, sequence, epoch] = [this.#end, this.#sequence, this.#epoch];
    try {
      const position = this.#place(pieces, len, bank.view.getUint32(large.tablePtr + plan.BVEC_PTR_OFF, true));
      this.#write(large, total);
      return position;
    } catch (error) {
      [this.#end, this.#sequence, this.#epoch] = [end, sequence, epoch];
      throw error;
    } finally {
      large.release();
    }
  }

  /** Builds the epoch record if one is due, and the record, at `ptr`; moves the end behind them. */
  #place(pieces: readonly Uint8Array[], len: number, ptr: number): number {
    const { bank } = this.#store.engine;
    const { core, bytes } = bank;
    this.#aimCursor();
    let at = ptr;
    if (this.#epochSize > 0) {
      core.logCursorEpoch(this.#cursorPtr, this.#openEpoch);
      at += core.logSealEpoch(this.#cursorPtr, at, this.#sequence, this.durable);
    } else core.logCursorEpoch(this.#cursorPtr, this.#epoch);
    const position = this.#end + (at - ptr);
    let to = at + LOG_HEADER_SIZE;
    for (const piece of pieces) {
      bytes.set(piece, to);
      to += piece.byteLength;
    }
    assertNotLost(pieces);
    at += core.logSeal(this.#cursorPtr, at, len, LOG_KIND_DATA, this.#sequence, this.durable);
    this.#end += at - ptr;
    this.#sequence++;
    this.#epoch = this.#openEpoch;
    return position;
  }

  /** Points the sealing cursor at the last segment. */
  #aimCursor(): void {
    const { engine } = this.#store;
    const { id } = this.#segments.at(-1) as LogSegment;
    if (this.#aimedAt === id) return;
    engine.bank.core.logCursorInit(this.#cursorPtr, ownerPtr(engine, id), engine.superblock.epoch);
    this.#aimedAt = id;
  }
  #aimedAt = -1;

  /** Taken at the first append: a log that is only read, or only looked at by a check, costs no arena. */
  get #buffer(): Bio {
    return (this.#bufferBio ??= Bio.allocate(this.#store.engine.bank, [BUFFER_SIZE]));
  }

  get #bufferPtr(): number {
    return this.#store.engine.bank.view.getUint32(this.#buffer.tablePtr + plan.BVEC_PTR_OFF, true);
  }

  /** Bytes that are left in the last segment. */
  get #room(): number {
    const { dataSize } = this.#store.engine;
    return dataSize - (this.#end - (this.#segments.at(-1) as LogSegment).index * dataSize);
  }

  /** Bytes of the epoch record that the next record needs before it: at an epoch's and at a segment's beginning. */
  get #epochSize(): number {
    return this.#epoch !== this.#openEpoch || this.#room === this.#store.engine.dataSize ? LOG_EPOCH_RECORD_SIZE : 0;
  }

  /** The first append of an opening: takes the pool's epoch, or a new one if this log has used that. */
  #beginEpoch(): void {
    if (this.#openEpoch !== 0) return;
    const { engine } = this.#store;
    if (this.#epoch >= engine.superblock.epoch) engine.updateSuperblock({ epoch: engine.superblock.epoch + 1 });
    this.#settleTrim();
    this.#openEpoch = engine.superblock.epoch;
  }

  /** A trim position behind the end of what survived comes down to it before anything is appended there. */
  #settleTrim(): void {
    if (this.#entry.head.trimPos <= this.#begin) return;
    this.#updateEntry(updateHead(this.#store.engine, this.#headId, { trimPos: this.#begin }));
  }

  /** Leaves the last segment for a new one. A failure leaves the log as it was, or with the segment closed: the call can be repeated. */
  #rollOver(): void {
    const { engine } = this.#store;
    const last = this.#segments.at(-1) as LogSegment;
    if (!this.#rolled) {
      this.flush();
      if (this.#room >= LOG_HEADER_SIZE) {
        this.#aimCursor();
        // Under the epoch of the record before it: a new epoch's first record belongs into the new segment.
        engine.bank.core.logCursorEpoch(this.#cursorPtr, this.#epoch);
        const size = engine.bank.core.logSeal(this.#cursorPtr, this.#bufferPtr, 0, LOG_KIND_END, this.#sequence, this.durable);
        this.#end += size;
        try {
          this.flush();
        } catch (error) {
          this.#end -= size;
          throw error;
        }
      }
      const end = this.#end;
      this.#end = this.#flushed = (last.index + 1) * engine.dataSize;
      this.#flushes.add(end, this.#end, engine.barrier.begun, engine.ledger.repairs);
      this.#rolled = true;
    }
    // All of the segment is durable before anything points past it.
    engine.barrier.drain();
    this.#flushes.assert(this.#end);
    const ids = allocateSegments(engine, 1, { type: TYPE_LOG, ownerId: this.#entry.head.ownerId, chainIndex: last.index + 1 });
    const id = ids[0] as number;
    try {
      linkSegment(engine, last.id, id);
    } catch (error) {
      if (!engine.barrier.halted) releaseSegments(engine, ids);
      throw error;
    }
    this.#segments.push({ id, index: last.index + 1 });
    this.#rolled = false;
    this.#updateEntry();
  }

  get #entry(): Entry {
    return this.#store.catalog.entries.get(this.name) as Entry;
  }

  /** Tells the catalog which segments are the log's now. */
  #updateEntry(head = this.#entry.head): void {
    const { catalog } = this.#store;
    const segmentIds = this.#segments.map(({ id }) => id);
    const chainIndexes = this.#segments.map(({ index }) => index);
    catalog.entries.set(this.name, { ...this.#entry, head, segmentIds, chainIndexes });
  }

  /** Stores a bio that begins at `flushed` in the last segment. */
  #copy(bio: Bio, len: number, durable: boolean): void {
    const { engine } = this.#store;
    const { id, index } = this.#segments.at(-1) as LogSegment;
    const off = this.#flushed - index * engine.dataSize;
    this.#ahead.reach(id, off, len, durable);
    engine.copyFromBio(id, off, len, bio, 0, durable);
  }

  /** As `copy`, and counts it as flushed. */
  #write(bio: Bio, len: number): void {
    const { engine } = this.#store;
    const { repairs } = engine.ledger;
    this.#copy(bio, len, false);
    this.#flushed += len;
    const stamp = engine.medium.granularity === 'page' ? engine.barrier.begun : engine.barrier.begun - 1;
    this.#flushes.add(this.#flushed, this.#flushed, stamp, repairs);
  }

  /** Writes what is collected to the medium: other readers can see it; power loss can still take it. */
  flush(): void {
    this.#assertOpen();
    const len = this.#end - this.#flushed;
    if (len > 0) this.#write(this.#buffer, len);
  }

  /** Makes everything appended so far durable. Blocks this thread. */
  persist(): void {
    this.#assertOpen();
    const { engine } = this.#store;
    engine.assertWritable();
    const len = this.#end - this.#flushed;
    if (len > 0 && this.durable === this.#flushed) {
      // Nothing else is on its way: one durable write does it.
      this.#copy(this.#buffer, len, true);
      this.#flushed = this.#end;
      this.#flushes.reset(this.#end);
      return;
    }
    this.flush();
    if (this.durable < this.#flushed) engine.barrier.drain();
    this.#flushes.assert(this.#flushed);
  }

  /** As `persist`, off this thread; callers that arrive while a barrier is in flight share the next one. */
  async persistAsync(): Promise<void> {
    this.#assertOpen();
    const { engine } = this.#store;
    engine.assertWritable();
    const wanted = this.#end;
    await engine.barrier.drainAsync(this.#prepare);
    this.#flushes.assert(wanted);
  }

  /** Appends one record and waits, off this thread, until it is durable. Calls that overlap share barriers. */
  async appendDurable(data: ArrayBufferView | readonly ArrayBufferView[]): Promise<number> {
    const position = this.append(data);
    await this.persistAsync();
    return position;
  }

  /**
   * The records from a position on, in order, as far as they are written: what this object has appended is flushed (not persisted) first.
   * Records appended while iterating are seen if they are flushed when the end is reached.
   * @param options.from position; records that begin before it are passed over
   * @throws PmsegError ERR_PMSEG_DAMAGED where the log is damaged, after the records before it
   */
  async *records(options: { from?: number } = {}): AsyncGenerator<LogRecord> {
    yield* this.recordsSync(options);
  }

  /** As `records`, without giving way to the event loop. */
  *recordsSync(options: { from?: number } = {}): Generator<LogRecord> {
    this.#assertOpen();
    const from = Math.max(checkWhole('from', checkOptions(options).from ?? 0, 0, Number.MAX_SAFE_INTEGER), this.#begin);
    if (this.#writable && !this.#store.engine.barrier.halted) this.flush();
    const { engine } = this.#store;
    const walk = new LogWalk(engine, this.#segmentAt(from), this.#nextOf, () => this.#flushed);
    try {
      for (let stop = walk.next(); ; stop = walk.next()) {
        this.#assertOpen();
        if (stop === 'lost') throw walk.lost;
        if (stop !== 'record') {
          this.#assertEnd(walk.end);
          return;
        }
        if (walk.position < from) continue;
        const data = engine.bank.bytes.slice(walk.payloadPtr, walk.payloadPtr + walk.payloadLen) as Uint8Array<ArrayBuffer>;
        yield { position: walk.position, data };
      }
    } finally {
      if (!engine.closed) walk.release();
    }
  }

  /** A walk ended at `position`: fine at the end of the log, damage anywhere else. */
  #assertEnd(position: number): void {
    const at = this.#damage?.position ?? (position < this.#flushed && !this.#rolledTo(position) ? position : undefined);
    if (at === undefined) return;
    if (this.#damage?.lost) throw this.#damage.lost;
    throw new PmsegError('ERR_PMSEG_DAMAGED', `log "${this.name}": the record at ${at} is bad although it had been durable`, {
      segmentId: this.#segmentAt(at).id,
      offset: at % this.#store.engine.dataSize,
    });
  }

  /** Whether a position is where the last segment's records end and the rest of it is closed. */
  #rolledTo(position: number): boolean {
    const { dataSize } = this.#store.engine;
    return this.#rolled && Math.ceil(position / dataSize) * dataSize === this.#end;
  }

  /**
   * Forgets the records before a position, for good, and frees the segments that held nothing else (the head stays, it has the name).
   * Durable on return.
   * @throws RangeError for a position behind the end
   */
  trim(position: number): void {
    this.#assertOpen();
    const { engine } = this.#store;
    engine.assertWritable();
    checkWhole('position', position, 0, this.#end);
    if (position <= this.#begin) return;
    // A trim position must never lie behind what survives: it would hide what is appended there later.
    if (position > this.durable) this.persist();
    this.#updateEntry(updateHead(engine, this.#headId, { trimPos: position }));
    this.#begin = position;
    dropDead(this.#store, this.#headId, this.#segments, this.#segmentAt(position).index, (kept) => (this.#segments = kept));
    this.#updateEntry();
  }

  /**
   * Cuts a damaged log: keeps the records before `position`, gives up everything behind it, and begins a new epoch there. Durable on return.
   * Where pages are lost, try `pool.repair` first: what the medium delivers again need not be given up.
   * @param position where to cut; the position of the damage unless told, or of any record before it
   */
  cut(position = this.#damage?.position): void {
    this.#assertOpen();
    const { engine } = this.#store;
    engine.assertWritable();
    if (position === undefined) throw new PmsegError('ERR_PMSEG_NO_ENTRY', `log "${this.name}" is not damaged: say where to cut`);
    checkWhole('position', position, this.#begin, this.#end);
    this.flush();
    const state = this.#stateAt(position);
    // Where the cut is written, a lost page is brought back, whatever is in it then: all of it is behind the cut.
    const at = position % engine.dataSize;
    engine.bringBack(this.#segmentAt(position).id, at, Math.min(LOG_EPOCH_RECORD_SIZE, engine.dataSize - at));
    this.#settleTrim();
    engine.updateSuperblock({ epoch: engine.superblock.epoch + 1 });
    const segment = this.#segmentAt(position);
    const kept = this.#segments.filter(({ index }) => index <= segment.index);
    const dropped = this.#segments.filter(({ index }) => index > segment.index);
    // Unlinked before it is given up: a chain never points to a free segment.
    if (this.#nextOf(segment) || this.#entry.damage) linkSegment(engine, segment.id, undefined);
    if (dropped.length > 0)
      releaseSegments(
        engine,
        dropped.map(({ id }) => id),
      );
    this.#segments = kept;
    this.#end = this.#flushed = position;
    this.#flushes.reset(position);
    this.#sequence = state.sequence;
    this.#epoch = state.epoch;
    this.#openEpoch = engine.superblock.epoch;
    this.#rolled = false;
    this.#damage = undefined;
    this.#torn = false;
    this.#aimedAt = -1;
    this.#markCut();
    this.#updateEntry();
    this.#store.catalog.entries.set(this.name, { ...this.#entry, damage: undefined });
  }

  /** Makes a cut hold over reopening: what lies behind it belongs to earlier epochs from here on. */
  #markCut(): void {
    const { bank } = this.#store.engine;
    const room = this.#room;
    if (room < LOG_HEADER_SIZE) return;
    this.#aimCursor();
    if (room >= LOG_EPOCH_RECORD_SIZE) {
      bank.core.logCursorEpoch(this.#cursorPtr, this.#openEpoch);
      this.#end += bank.core.logSealEpoch(this.#cursorPtr, this.#bufferPtr, this.#sequence, this.durable);
      this.#epoch = this.#openEpoch;
    } else {
      bank.core.logCursorEpoch(this.#cursorPtr, this.#epoch);
      this.#end += bank.core.logSeal(this.#cursorPtr, this.#bufferPtr, 0, LOG_KIND_END, this.#sequence, this.durable);
    }
    this.persist();
    if (room < LOG_EPOCH_RECORD_SIZE) {
      const { dataSize } = this.#store.engine;
      this.#end = this.#flushed = ((this.#segments.at(-1) as LogSegment).index + 1) * dataSize;
      this.#flushes.reset(this.#end);
      this.#rolled = true;
    }
  }

  /**
   * Sequence and epoch at a record's position.
   * @throws RangeError when no record begins there
   */
  #stateAt(position: number): { sequence: number; epoch: number } {
    const { dataSize } = this.#store.engine;
    // The segment before knows what a segment's first record must carry on from.
    const before = position % dataSize === 0 ? this.#segments.find(({ index }) => index === position / dataSize - 1) : undefined;
    const walk = new LogWalk(this.#store.engine, before ?? this.#segmentAt(position), this.#nextOf, () => position);
    try {
      let stop = walk.end < position ? walk.next() : 'end';
      while (stop === 'record' && walk.end < position) stop = walk.next();
      if (stop === 'lost') throw walk.lost;
      const end = walk.segmentDone ? (walk.segment.index + 1) * dataSize : walk.end;
      if (end !== position) throw rangeError(`no record of log "${this.name}" begins at ${position}; the nearest place to cut is ${end}`);
      return { sequence: Math.max(1, walk.sequence), epoch: walk.epoch };
    } finally {
      walk.release();
    }
  }

  /** Persists, then refuses appends for good. */
  seal(): void {
    this.#assertAppendable();
    this.persist();
    this.#updateEntry(updateHead(this.#store.engine, this.#headId, { state: OWNER_SEALED }));
    this.#sealed = true;
  }

  /** Gives the arena memory back. Persists nothing: what was appended and not flushed is gone. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#bufferBio?.release();
    this.#store.engine.bank.arena.release(this.#cursorPtr);
  }

  get closed(): boolean {
    return !this.#open;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
