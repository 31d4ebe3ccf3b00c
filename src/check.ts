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
import type { Degraded, Finding } from './catalog.js';
import { PmsegError } from './errors.js';
import { CHUNK_SIZE } from './log/object.js';
import type { Pool } from './pool.js';

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

  #ofSlot(severity: Finding['severity'], code: string, slot: Degraded, what: string): Finding {
    const where = slot.segmentId === undefined ? 'the superblock' : `segment ${slot.segmentId}'s ${slot.kind} record`;
    return { severity, code, segmentId: slot.segmentId, offset: this.#slotOff(slot), message: `${where} ${what}` };
  }

  /** The superblock's state, and what crashes left behind. */
  recovery(): void {
    const { catalog, recovered } = this.#pool;
    if (!this.#pool.status().clean) {
      this.findings.push({
        severity: 'note',
        code: 'UNCLEAN',
        segmentId: undefined,
        offset: 0,
        message: 'the pool was not closed; recovery does not depend on it',
      });
    }
    const unfinished = (slot: Degraded): Finding =>
      this.#ofSlot('note', 'UPDATE_UNFINISHED', slot, 'has an update that was cut short after it was in force');
    const orphan = (segmentId: number): Finding => ({
      severity: 'note',
      code: 'ORPHAN',
      segmentId,
      offset: this.#slotOff({ kind: 'info', segmentId }),
      message: `segment ${segmentId} belongs to nothing that was committed; the next writable open frees it`,
    });
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
      this.#ofSlot('damage', `${slot.kind.toUpperCase()}_DEGRADED`, slot, 'has only one good copy; --repair writes the other one again');
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
      this.findings.push({
        severity: 'damage',
        code: 'BAD_RANGE',
        segmentId,
        offset: off,
        message: `segment ${segmentId}: the medium cannot deliver ${len} bytes at ${off}`,
      });
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
      const free =
        [plan.SLOT_EMPTY, plan.SLOT_EQUAL, plan.SLOT_SINGLE].includes(info.slotClass) &&
        engine.bank.core.infoType(info.ptr) === media.TYPE_FREE;
      this.findings.push({
        severity: 'note',
        code: free ? 'MARK_UNFINISHED' : 'STRAY_BYTES',
        segmentId: id,
        offset: off,
        message: free
          ? `segment ${id} lies above the high-water mark and has free records: a rise of the mark was cut short`
          : `segment ${id} lies above the high-water mark but its metadata pages are not zero; its first use writes them anew`,
      });
    }
  }

  /** Reads every object and every log to its end. */
  data(): void {
    for (const { name, kind, headId } of this.#pool.list()) {
      const begun = this.#done;
      try {
        if (kind === 'object') this.#object(name);
        else this.#log(name, headId);
      } catch (error) {
        if (!(error instanceof PmsegError)) throw error;
        this.#failed(name, kind, headId, error);
      }
      const entry = this.#pool.catalog.entries.get(name);
      const size = entry?.kind === 'object' ? entry.head.byteLen : (entry?.segmentIds.length ?? 0) * this.#pool.dataSize;
      this.#progress(begun + size - this.#done);
    }
  }

  #object(name: string): void {
    for (const chunk of this.#pool.openObject(name).chunks()) if (chunk.byteLength === CHUNK_SIZE) this.#progress(CHUNK_SIZE);
  }

  #log(name: string, headId: number): void {
    const log = this.#pool.log(name);
    const segmentId = headId;
    if (log.torn)
      this.findings.push({
        severity: 'note',
        code: 'TORN_TAIL',
        segmentId,
        offset: undefined,
        message: `log "${name}" ends at ${log.end} before an append that was cut short`,
      });
    if (log.damage) {
      const { position, provedBy } = log.damage;
      const message = `log "${name}" is damaged at ${position}, as ${provedBy} proves: records before it are good, appends are refused until it is cut`;
      this.findings.push({ severity: 'damage', code: 'LOG_DAMAGED', segmentId, offset: undefined, message });
    }
  }

  #failed(name: string, kind: string, headId: number, error: PmsegError): void {
    // A broken chain is in the catalog's findings already.
    if (
      error.code === 'ERR_PMSEG_DAMAGED' &&
      this.findings.some(({ code, message }) => code.startsWith('CHAIN_') && message.includes(`"${name}"`))
    )
      return;
    const code = error.code === 'ERR_PMSEG_CORRUPT' ? 'DATA_CORRUPT' : error.code === 'ERR_PMSEG_MEDIA' ? 'DATA_LOST' : 'DATA_UNREADABLE';
    const offset =
      error.segmentId === undefined || error.offset === undefined ? undefined : this.#pool.engine.poolOff(error.segmentId, error.offset);
    this.findings.push({
      severity: 'damage',
      code,
      segmentId: error.segmentId ?? headId,
      offset,
      message: `${kind} "${name}": ${error.message}`,
    });
  }
}

/**
 * Looks at a pool from the superblock to the last byte of data.
 * @throws PmsegError ERR_PMSEG_READ_ONLY when `repair` is asked of a read-only pool
 */
export function checkPool(pool: Pool, options: CheckOptions = {}): CheckResult {
  if (options.repair) pool.engine.assertWritable();
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
