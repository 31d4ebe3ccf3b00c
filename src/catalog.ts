/**
 * Catalog: what the metadata of all segments below the high-water mark says, taken together. Reads, never writes.
 *
 * What is always true
 *   - Only segment metadata is read, by pread: no mapping, no data page is touched.
 *   - A name is visible when its head is committed and no other committed head replaced it.
 *   - A segment is called an orphan only when that is proven: its owner is not committed, or was replaced, or has an intact chain without
 *     it. Where damage leaves doubt, nothing is an orphan.
 */
import * as media from '../assembly/media.js';
import * as plan from '../assembly/plan.js';
import * as verdicts from '../assembly/verdicts.js';
import { verdictName, type Engine } from './engine.js';
import { readOwner, type Owner } from './records.js';
import { isReadable, type Loaded, type SlotKind } from './slots.js';

export type Severity = 'note' | 'damage';

/** Something that a check found. Offsets count from the beginning of the pool. */
export interface Finding {
  severity: Severity;
  /** Stable, such as `INFO_LOST` or `TORN_TAIL`. */
  code: string;
  segmentId: number | undefined;
  offset: number | undefined;
  message: string;
}

/** A committed object or log. */
export interface Entry {
  readonly name: string;
  readonly kind: 'object' | 'log';
  readonly headId: number;
  readonly head: Owner;
  /** Ids of its segments, head first. After a trim a log's second segment is not the one that followed the head at first. */
  readonly segmentIds: readonly number[];
  /** Chain index of each of them. */
  readonly chainIndexes: readonly number[];
  /** Why the chain cannot be followed to its end; its data beyond the segments listed is out of reach. */
  readonly damage: string | undefined;
}

/** A slot with one readable copy. */
export interface Degraded {
  readonly kind: SlotKind;
  readonly segmentId: number | undefined;
}

export interface Catalog {
  readonly entries: Map<string, Entry>;
  readonly findings: Finding[];
  /** Segments to be freed: provably nobody's. */
  readonly orphanIds: number[];
  readonly damagedIds: Set<number>;
  readonly degraded: Degraded[];
  /**
   * Slots whose update a crash cut short, whether its first copy was torn or its second one not written: the good copy over the other
   * completes them. A copy that is bad in a pool that was closed properly is degraded instead, and so is one that cannot be read at all.
   */
  readonly unfinished: Degraded[];
  /** In use below the high-water mark, orphans included, damaged not. */
  readonly usedCount: number;
}

/** A segment of an object or log. */
interface Member {
  readonly id: number;
  readonly next: number;
  readonly owner: Owner;
}

/** The work of one scan. */
class Scan {
  readonly #engine: Engine;
  readonly findings: Finding[] = [];
  readonly damagedIds = new Set<number>();
  readonly degraded: Degraded[] = [];
  readonly unfinished: Degraded[] = [];
  readonly members = new Map<number, Member>();
  usedCount = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    if (engine.superblockClass === plan.SLOT_SINGLE) this.degraded.push({ kind: 'superblock', segmentId: undefined });
    if (engine.superblockClass === plan.SLOT_STEP) this.unfinished.push({ kind: 'superblock', segmentId: undefined });
  }

  damage(segmentId: number, homeOff: number, code: string, message: string): void {
    const { segmentsOff, segmentSize } = this.#engine.superblock;
    this.findings.push({
      severity: 'damage',
      code,
      segmentId,
      offset: segmentsOff + segmentId * segmentSize + homeOff,
      message: `segment ${segmentId}: ${message}`,
    });
  }

  /** Reads one segment's metadata. Marks it in the bitmap unless it is free. */
  segment(id: number): void {
    const { slots, bank, superblock } = this.#engine;
    const { info, owner } = slots.loadSegment(id);
    const good = this.#judge(id, 'info', info, media.SEGMENT_INFO_OFF, () => bank.core.infoCheck(info.ptr, id, superblock.segmentCount));
    const goodOwner = this.#judge(id, 'owner', owner, media.SEGMENT_OWNER_OFF, () =>
      bank.core.ownerCheck(owner.ptr, this.#engine.uuidPtr, id),
    );
    if (!good || !goodOwner) {
      this.damagedIds.add(id);
      bank.core.bitmapSet(plan.BITMAP_PTR, id);
      return;
    }
    const type = bank.core.infoType(info.ptr);
    if (type === media.TYPE_FREE) {
      bank.core.bitmapClear(plan.BITMAP_PTR, id);
      return;
    }
    bank.core.bitmapSet(plan.BITMAP_PTR, id);
    const record = readOwner(bank.view, owner.ptr);
    if (record.kind !== type) {
      this.damage(id, media.SEGMENT_OWNER_OFF, 'OWNER_MISMATCH', `info says type ${type}, owner record says kind ${record.kind}`);
      this.damagedIds.add(id);
      return;
    }
    this.usedCount++;
    if (type !== media.TYPE_CACHE_DATA) this.members.set(id, { id, next: bank.core.infoNext(info.ptr), owner: record });
  }

  /** Whether a slot has a record in force that obeys the rules. */
  #judge(segmentId: number, kind: SlotKind, { slotClass, delivered }: Loaded, homeOff: number, check: () => number): boolean {
    const name = kind.toUpperCase();
    if (!isReadable(slotClass)) {
      const [code, what] =
        slotClass === plan.SLOT_SPLIT
          ? ['SPLIT', 'copies belong to different states']
          : slotClass === plan.SLOT_EMPTY
            ? ['MISSING', 'was never written, though the segment lies below the high-water mark']
            : ['LOST', 'has no copy that verifies'];
      this.damage(segmentId, homeOff, `${name}_${code}`, `${kind} ${what}`);
      return false;
    }
    const torn = slotClass === plan.SLOT_SINGLE && delivered && !this.#engine.superblock.clean;
    if (slotClass === plan.SLOT_STEP || torn) this.unfinished.push({ kind, segmentId });
    else if (slotClass === plan.SLOT_SINGLE) this.degraded.push({ kind, segmentId });
    const verdict = check();
    if (verdict === verdicts.FINE) return true;
    this.damage(segmentId, homeOff, `${name}_INVALID`, `${kind} verifies but breaks a rule (${verdictName(verdict)})`);
    return false;
  }

  /** Follows a head's chain as far as it holds. */
  entry(head: Member): Entry {
    const kind = head.owner.kind === media.TYPE_LOG ? 'log' : 'object';
    const { dataSize } = this.#engine;
    const segmentIds: number[] = [];
    const chainIndexes: number[] = [];
    let damage: string | undefined;
    for (let current: Member | undefined = head; current; ) {
      segmentIds.push(current.id);
      chainIndexes.push(current.owner.chainIndex);
      if (current.next < 0) break;
      const next = this.members.get(current.next);
      // Indexes rise along a chain, so it cannot run in a circle. Only a trimmed log skips some, behind its head.
      const trimmedTo: number = current === head && kind === 'log' ? Math.floor(head.owner.trimPos / dataSize) : 0;
      const index = next?.owner.chainIndex ?? 0;
      const follows = index === current.owner.chainIndex + 1 || (index > current.owner.chainIndex && index <= trimmedTo);
      if (!next || next.owner.ownerId !== head.owner.ownerId || next.owner.kind !== head.owner.kind || !follows) {
        const what = next ? 'not its continuation' : this.damagedIds.has(current.next) ? 'damaged' : 'not in use';
        damage = `segment ${current.id} is followed by segment ${current.next}, which is ${what}`;
        this.damage(current.id, media.SEGMENT_INFO_OFF, 'CHAIN_BROKEN', `${kind} "${head.owner.name}": ${damage}`);
        break;
      }
      current = next;
    }
    if (kind === 'object' && !damage && head.owner.byteLen > segmentIds.length * dataSize) {
      damage = `${head.owner.byteLen} bytes do not fit into ${segmentIds.length} segments`;
      this.damage(head.id, media.SEGMENT_OWNER_OFF, 'CHAIN_SHORT', `object "${head.owner.name}": ${damage}`);
    }
    return { name: head.owner.name, kind, headId: head.id, head: head.owner, segmentIds, chainIndexes, damage };
  }
}

/** Whether a head is visible. */
function isCommitted({ owner }: Member): boolean {
  return owner.chainIndex === 0 && (owner.state === media.OWNER_COMMITTED || owner.state === media.OWNER_SEALED);
}

/**
 * Reads the metadata of all segments that were ever used, marks those that are not free in bank 0's bitmap, and says what they make up.
 * @param onProgress called now and then with (segments done, segments in all)
 */
export function scanCatalog(engine: Engine, onProgress?: (done: number, total: number) => void): Catalog {
  const { highWater } = engine.superblock;
  const scan = new Scan(engine);
  for (let id = 0; id < highWater; id++) {
    scan.segment(id);
    if (id % 1024 === 0) onProgress?.(id, highWater);
  }

  const heads = [...scan.members.values()].filter(isCommitted);
  const replaced = new Set<number>();
  const byOwner = new Map(heads.map((head) => [head.owner.ownerId, head]));
  for (const head of heads) {
    const old = head.owner.replaces === 0n ? undefined : byOwner.get(head.owner.replaces);
    if (
      old &&
      old !== head &&
      old.owner.name === head.owner.name &&
      old.owner.kind === media.TYPE_OBJECT &&
      head.owner.kind === media.TYPE_OBJECT
    )
      replaced.add(old.id);
  }

  const entries = new Map<string, Entry>();
  /** Segments that a visible owner reaches. */
  const reached = new Set<number>();
  /** Owners whose chain could not be followed to its end. */
  const doubtful = new Set<bigint>();
  for (const head of heads) {
    if (replaced.has(head.id)) continue;
    const entry = scan.entry(head);
    for (const id of entry.segmentIds) reached.add(id);
    if (entry.damage) doubtful.add(head.owner.ownerId);
    const other = entries.get(entry.name);
    if (other) {
      scan.damage(
        head.id,
        media.SEGMENT_OWNER_OFF,
        'NAME_TWICE',
        `"${entry.name}" is also the name of what begins at segment ${other.headId}`,
      );
      doubtful.add(head.owner.ownerId);
    } else entries.set(entry.name, entry);
  }

  const orphanIds: number[] = [];
  for (const { id, owner } of scan.members.values()) {
    if (reached.has(id)) continue;
    const head = byOwner.get(owner.ownerId);
    const proven = head ? !doubtful.has(owner.ownerId) : scan.damagedIds.size === 0;
    if (proven) orphanIds.push(id);
    else
      scan.damage(
        id,
        media.SEGMENT_OWNER_OFF,
        'UNREACHED',
        `belongs to an owner whose chain is damaged (${owner.kind === media.TYPE_LOG ? 'log' : 'object'}, index ${owner.chainIndex})`,
      );
  }
  onProgress?.(highWater, highWater);
  const { findings, damagedIds, degraded, unfinished, usedCount } = scan;
  return { entries, findings, orphanIds, damagedIds, degraded, unfinished, usedCount };
}
