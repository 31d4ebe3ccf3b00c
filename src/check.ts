/**
 * Check: everything that can be known about a pool, said as findings.
 *
 * What is always true
 *   - A check reads; only `repair` writes, and only what is provably safe: the good copy of a record over its bad one.
 *   - Damage is what lost something that had been durable, or would lose it at the next fault. An unclean close, torn tails and orphans are
 *     notes: they are how power loss looks.
 */
import * as media from '../assembly/media.js';
import * as plan from '../assembly/plan.js';
import * as verdicts from '../assembly/verdicts.js';
import type { Degraded, Entry } from './catalog.js';
import { PmsegError, checkOptions, typeError } from './errors.js';
import { finding, type Finding, type FindingCode } from './findings.js';
import { Log } from './log/log.js';
import { CHUNK_SIZE } from './log/object.js';
import { Pool } from './pool.js';
import { isReadable, type Loaded, type SlotKind } from './slots.js';

const DEGRADED: Record<SlotKind, FindingCode> = {
  superblock: 'SUPERBLOCK_DEGRADED',
  info: 'INFO_DEGRADED',
  owner: 'OWNER_DEGRADED',
};

export interface CheckOptions {
  /** Leaves out the data of objects and logs. */
  quick?: boolean | undefined;
  /** Rewrites bad copies of records from good ones. The pool must be writable. */
  repair?: boolean | undefined;
  /** Called with (bytes looked at, bytes in all). */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface CheckResult {
  /** What is wrong, after any repair. */
  findings: Finding[];
  /** What opening and `repair` put right. */
  repaired: Finding[];
}

class Check {
  readonly #pool: Pool;
  readonly #options: CheckOptions;
  readonly findings: Finding[] = [];
  readonly repaired: Finding[] = [];
  #done = 0;
  readonly #total: number;

  constructor(pool: Pool, options: CheckOptions) {
    this.#pool = pool;
    this.#options = options;
    const { dataSize } = pool;
    this.#total = pool
      .list()
      .reduce((sum, entry) => sum + (entry.kind === 'object' ? entry.head.byteLen : entry.segmentIds.length * dataSize), 0);
  }

  #progress(bytes: number): void {
    this.#done += bytes;
    this.#options.onProgress?.(Math.min(this.#done, this.#total), this.#total);
  }

  /** Offset in the pool of a slot. */
  #slotOff({ kind, segmentId }: Degraded): number {
    const { segmentsOff, segmentSize } = this.#pool.engine.superblock;
    if (kind === 'superblock' || segmentId === undefined) return 0;
    return segmentsOff + segmentId * segmentSize + (kind === 'info' ? media.SEGMENT_INFO_OFF : media.SEGMENT_OWNER_OFF);
  }

  #ofSlot(code: FindingCode, slot: Degraded, what: string): Finding {
    const where = slot.segmentId === undefined ? 'the superblock' : `segment ${slot.segmentId}'s ${slot.kind} record`;
    return finding(code, slot.segmentId, this.#slotOff(slot), `${where} ${what}`);
  }

  /** The superblock's state, and what crashes left behind. */
  recovery(): void {
    const { catalog, recovered } = this.#pool;
    if (!this.#pool.status().clean) {
      this.findings.push(finding('UNCLEAN', undefined, 0, 'the pool was not closed; recovery does not depend on it'));
    }
    const unfinished = (slot: Degraded): Finding =>
      this.#ofSlot('UPDATE_UNFINISHED', slot, 'has an update that was cut short after it was in force');
    const orphan = (segmentId: number): Finding =>
      finding(
        'ORPHAN',
        segmentId,
        this.#slotOff({ kind: 'info', segmentId }),
        `segment ${segmentId} belongs to nothing that was committed; the next writable open frees it`,
      );
    this.findings.push(...catalog.unfinished.map(unfinished), ...catalog.orphanIds.map(orphan), ...catalog.findings);
    this.repaired.push(...recovered.completed.map(unfinished), ...recovered.orphanIds.map(orphan));
  }

  /** Slots with one good copy: repaired if asked, else reported. */
  degraded(): void {
    const pool = this.#pool;
    const { slots } = pool.engine;
    const found = pool.status().degraded;
    const { rewritten } = pool.recovered;
    const report = (slot: Degraded): Finding =>
      this.#ofSlot(DEGRADED[slot.kind], slot, 'has only one good copy; --repair writes the other one again');
    this.repaired.push(...rewritten.map(report));
    if (!this.#options.repair || found.length === 0) {
      this.findings.push(...found.map(report));
      return;
    }
    if (found.some(({ kind }) => kind === 'superblock')) pool.engine.completeSuperblock();
    slots.complete(
      found.flatMap(({ kind, segmentId }) => (kind === 'superblock' || segmentId === undefined ? [] : [slots[kind](segmentId)])),
    );
    pool.drain();
    this.repaired.push(...found.map(report));
  }

  /** What the medium itself is known to have lost. */
  bad(): void {
    const { segmentsOff, segmentSize } = this.#pool.engine.superblock;
    for (const { off, len } of this.#pool.status().badRanges) {
      const segmentId = Math.floor((off - segmentsOff) / segmentSize);
      this.findings.push(finding('BAD_RANGE', segmentId, off, `segment ${segmentId}: the medium cannot deliver ${len} bytes at ${off}`));
    }
  }

  /** Metadata pages of segments that were never used: zero, or free records of a rise of the mark that was cut short. */
  unused(): void {
    const { engine } = this.#pool;
    const { segmentsOff, segmentSize, segmentCount, highWater } = engine.superblock;
    for (let id = highWater; id < segmentCount; id++) {
      const off = segmentsOff + id * segmentSize;
      const data = engine.medium.seekData(off);
      if (data >= off + segmentSize) {
        id = Math.floor((data - segmentsOff) / segmentSize) - 1;
        continue;
      }
      const { info, owner } = engine.slots.loadSegment(id);
      if (info.slotClass === plan.SLOT_EMPTY && owner.slotClass === plan.SLOT_EMPTY) continue;
      this.findings.push(this.#aboveMark(id, off, info, owner));
    }
  }

  /** What a segment above the mark means whose metadata pages are not zero. */
  #aboveMark(id: number, off: number, info: Loaded, owner: Loaded): Finding {
    const { core } = this.#pool.engine.bank;
    const where = `segment ${id} lies above the high-water mark`;
    const readable =
      isReadable(info.slotClass) && core.infoCheck(info.ptr, id, this.#pool.engine.superblock.segmentCount) === verdicts.FINE;
    if (readable && core.infoType(info.ptr) !== media.TYPE_FREE)
      return finding('USED_ABOVE_MARK', id, off, `${where} but its info says that it is in use: its first use would write over it`);
    if (readable || (info.slotClass === plan.SLOT_EMPTY && isReadable(owner.slotClass)))
      return finding('MARK_UNFINISHED', id, off, `${where} and has free records: a rise of the mark was cut short`);
    return finding('STRAY_BYTES', id, off, `${where} but its metadata pages are not zero; its first use writes them anew`);
  }

  /** Reads every object and every log to its end. */
  data(): void {
    for (const entry of this.#pool.list()) {
      const begun = this.#done;
      try {
        if (entry.kind === 'object') this.#object(entry.name);
        else this.#log(entry);
      } catch (error) {
        // What the file lost while it was looked at says nothing about what the pool holds.
        if (!(error instanceof PmsegError) || error.code === 'ERR_PMSEG_HALTED' || error.code === 'ERR_PMSEG_REPLACED') throw error;
        this.#failed(entry, error);
      }
      const size = entry.kind === 'object' ? entry.head.byteLen : entry.segmentIds.length * this.#pool.dataSize;
      this.#progress(begun + size - this.#done);
    }
  }

  #object(name: string): void {
    for (const chunk of this.#pool.openObject(name).chunks()) if (chunk.byteLength === CHUNK_SIZE) this.#progress(CHUNK_SIZE);
  }

  /** A reader of its own, so that what lies on the medium now is judged, and closed again: a pool may have a million logs. */
  #log(entry: Entry): void {
    const { name, headId } = entry;
    using log = new Log(this.#pool, name);
    if (log.torn) {
      const message = `log "${name}" ends at ${log.end} before an append that was cut short`;
      this.findings.push(finding('TORN_TAIL', headId, undefined, message));
    }
    if (log.damage) {
      const { position, provedBy, lost } = log.damage;
      if (lost) return this.#failed(entry, lost);
      const message = `log "${name}" is damaged at ${position}, as ${provedBy} proves: records before it are good, appends are refused until it is cut`;
      this.findings.push(finding('LOG_DAMAGED', headId, undefined, message));
    }
  }

  #failed({ name, kind, headId, damage }: Entry, error: PmsegError): void {
    // A broken chain is in the catalog's findings already.
    if (error.code === 'ERR_PMSEG_DAMAGED' && damage !== undefined) return;
    const code = error.code === 'ERR_PMSEG_CORRUPT' ? 'DATA_CORRUPT' : error.code === 'ERR_PMSEG_MEDIA' ? 'DATA_LOST' : 'DATA_UNREADABLE';
    const offset =
      error.segmentId === undefined || error.offset === undefined ? undefined : this.#pool.engine.poolOff(error.segmentId, error.offset);
    this.findings.push(finding(code, error.segmentId ?? headId, offset, `${kind} "${name}": ${error.message}`));
  }
}

/**
 * Looks at a pool from the superblock to the last byte of data.
 * @throws PmsegError ERR_PMSEG_READ_ONLY when `repair` is asked of a read-only pool
 */
export function checkPool(pool: Pool, options: CheckOptions = {}): CheckResult {
  if (!(pool instanceof Pool)) throw typeError('pool', 'a Pool', pool);
  if (checkOptions(options).repair) pool.engine.assertWritable();
  const check = new Check(pool, options);
  check.recovery();
  check.degraded();
  check.unused();
  if (!options.quick) check.data();
  check.bad();
  return { findings: check.findings, repaired: check.repaired };
}

/** Whether a result lets the pool pass. */
export function isSound(result: CheckResult): boolean {
  return result.findings.every(({ severity }) => severity === 'note');
}
