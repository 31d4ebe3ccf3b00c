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
import { finding, type Finding, type FindingCode } from './findings.js';
import { readOwner, type Owner } from './records.js';
import { OWNER_IMAGE_OFF } from './scratch.js';
import { isReadable, type Loaded, type SlotKind } from './slots.js';

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
  /** Owners of whose chains something cannot be known. */
  readonly doubtful = new Set<bigint>();
  /** Segments that a visible owner reaches, and that owner's head. */
  readonly reached = new Map<number, number>();
  usedCount = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    if (engine.superblockClass === plan.SLOT_SINGLE) this.degraded.push({ kind: 'superblock', segmentId: undefined });
    if (engine.superblockClass === plan.SLOT_STEP) this.unfinished.push({ kind: 'superblock', segmentId: undefined });
  }

  damage(segmentId: number, homeOff: number, code: FindingCode, message: string): void {
    const { segmentsOff, segmentSize } = this.#engine.superblock;
    this.findings.push(finding(code, segmentId, segmentsOff + segmentId * segmentSize + homeOff, `segment ${segmentId}: ${message}`));
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
    const record = readOwner(bank.view, owner.ptr);
    if (type === media.TYPE_FREE) {
      this.#free(id, record);
      return;
    }
    bank.core.bitmapSet(plan.BITMAP_PTR, id);
    if (record.kind !== type) {
      this.damage(id, media.SEGMENT_OWNER_OFF, 'OWNER_MISMATCH', `info says type ${type}, owner record says kind ${record.kind}`);
      this.damagedIds.add(id);
      return;
    }
    this.usedCount++;
    if (type !== media.TYPE_CACHE_DATA) this.members.set(id, { id, next: bank.core.infoNext(info.ptr), owner: record });
  }

  /** A free segment can be taken, unless its generation cannot rise: the bytes of a life without a number of its own could not be told. */
  #free(id: number, { generation }: Owner): void {
    const { core } = this.#engine.bank;
    if (generation < Number.MAX_SAFE_INTEGER) {
      core.bitmapClear(plan.BITMAP_PTR, id);
      return;
    }
    core.bitmapSet(plan.BITMAP_PTR, id);
    this.damage(id, media.SEGMENT_OWNER_OFF, 'LIVES_SPENT', `is free, but its generation ${generation} cannot rise`);
    this.damagedIds.add(id);
  }

  /** Whether a slot has a record in force that obeys the rules. */
  #judge(segmentId: number, kind: SlotKind, { slotClass, delivered }: Loaded, homeOff: number, check: () => number): boolean {
    const name = kind === 'info' ? 'INFO' : 'OWNER';
    if (!isReadable(slotClass)) {
      const [code, what] =
        slotClass === plan.SLOT_SPLIT
          ? (['SPLIT', 'copies belong to different states'] as const)
          : slotClass === plan.SLOT_EMPTY
            ? (['MISSING', 'was never written, though the segment lies below the high-water mark'] as const)
            : (['LOST', 'has no copy that verifies'] as const);
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

  /** Whether the head `newer` replaced the head `older`: the core's rule, on both records. */
  supersedes(newer: Member, older: Member): boolean {
    const { slots, bank } = this.#engine;
    const imagePtr = bank.scratchPtr + OWNER_IMAGE_OFF;
    const { ptr } = slots.load(slots.owner(newer.id));
    bank.bytes.copyWithin(imagePtr, ptr, ptr + media.OWNER_SIZE);
    return bank.core.ownerSupersedes(imagePtr, slots.load(slots.owner(older.id)).ptr);
  }

  /** Follows a head's chain as far as it holds, and takes its segments for it. */
  entry(head: Member): Entry {
    const kind = head.owner.kind === media.TYPE_LOG ? 'log' : 'object';
    const { dataSize } = this.#engine;
    const segmentIds: number[] = [];
    const chainIndexes: number[] = [];
    let damage: string | undefined;
    for (let current = head; ; ) {
      segmentIds.push(current.id);
      chainIndexes.push(current.owner.chainIndex);
      this.reached.set(current.id, head.id);
      if (current.next < 0) break;
      const next = this.members.get(current.next);
      if (!next || !this.#follows(head, current, next)) {
        const what = next ? 'not its continuation' : this.damagedIds.has(current.next) ? 'damaged' : 'not in use';
        damage = `segment ${current.id} is followed by segment ${current.next}, which is ${what}`;
        this.damage(current.id, media.SEGMENT_INFO_OFF, 'CHAIN_BROKEN', `${kind} "${head.owner.name}": ${damage}`);
        if (next) this.doubtful.add(next.owner.ownerId);
        break;
      }
      // A segment has one owner: what two chains share, the second one must not write to, nor free.
      const other = this.reached.get(next.id);
      if (other !== undefined) {
        damage = `segment ${current.id} is followed by segment ${next.id}, which belongs to what begins at segment ${other}`;
        this.damage(current.id, media.SEGMENT_INFO_OFF, 'CHAIN_CROSSED', `${kind} "${head.owner.name}": ${damage}`);
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

  /** Whether a segment continues a chain. Indexes rise along it, so it cannot run in a circle; only a trimmed log skips some, behind its head. */
  #follows(head: Member, current: Member, next: Member): boolean {
    if (next.owner.ownerId !== head.owner.ownerId || next.owner.kind !== head.owner.kind) return false;
    const { dataSize } = this.#engine;
    const index = next.owner.chainIndex;
    // Every position of the segment can be counted.
    if (index >= Math.floor(Number.MAX_SAFE_INTEGER / dataSize)) return false;
    if (index === current.owner.chainIndex + 1) return true;
    const trimmedTo = current === head && head.owner.kind === media.TYPE_LOG ? Math.floor(head.owner.trimPos / dataSize) : 0;
    return index > current.owner.chainIndex && index <= trimmedTo;
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
  const byOwner = new Map<bigint, Member[]>();
  for (const head of heads) {
    const same = byOwner.get(head.owner.ownerId);
    if (same) same.push(head);
    else byOwner.set(head.owner.ownerId, [head]);
  }
  const { doubtful } = scan;
  for (const [ownerId, [first, ...others]] of byOwner) {
    for (const { id } of others)
      scan.damage(id, media.SEGMENT_OWNER_OFF, 'OWNER_TWICE', `has the owner id of what begins at segment ${first?.id}`);
    if (others.length > 0) doubtful.add(ownerId);
  }

  const entries = new Map<string, Entry>();
  const replaced = replacedHeads(scan, heads, byOwner);
  for (const head of heads) {
    if (replaced.has(head.id)) continue;
    const entry = scan.entry(head);
    if (entry.damage) doubtful.add(head.owner.ownerId);
    const other = entries.get(entry.name);
    if (other) {
      const message = `"${entry.name}" is also the name of what begins at segment ${other.headId}`;
      scan.damage(head.id, media.SEGMENT_OWNER_OFF, 'NAME_TWICE', message);
      doubtful.add(head.owner.ownerId);
    } else entries.set(entry.name, entry);
  }

  const damageCount = scan.findings.length;
  const orphanIds: number[] = [];
  for (const { id, owner } of scan.members.values()) {
    if (scan.reached.has(id)) continue;
    // Any damage at all may hide the head of what has none.
    const proven = byOwner.has(owner.ownerId) ? !doubtful.has(owner.ownerId) : damageCount === 0;
    if (proven) orphanIds.push(id);
    else {
      const kind = owner.kind === media.TYPE_LOG ? 'log' : 'object';
      scan.damage(id, media.SEGMENT_OWNER_OFF, 'UNREACHED', `damage hides whose it is, or may (${kind}, index ${owner.chainIndex})`);
    }
  }
  onProgress?.(highWater, highWater);
  const { findings, damagedIds, degraded, unfinished, usedCount } = scan;
  return { entries, findings, orphanIds, damagedIds, degraded, unfinished, usedCount };
}

/**
 * Ids of heads that another one replaced, and that are out of sight therefore. A line of replacements ends at a head that nobody replaced,
 * which is the one to be seen; a circle of them has no such end: it says nothing, so nothing of it is out of sight.
 */
function replacedHeads(scan: Scan, heads: readonly Member[], byOwner: ReadonlyMap<bigint, readonly Member[]>): Set<number> {
  const newerOf = new Map<number, Member>();
  for (const head of heads) {
    if (head.owner.replaces === 0n) continue;
    const [older, ...others] = byOwner.get(head.owner.replaces) ?? [];
    // Two owners of one id: which of them was meant cannot be known.
    if (older && others.length === 0 && scan.supersedes(head, older)) newerOf.set(older.id, head);
  }
  /** Whether the line from a head on has an end. */
  const ends = new Map<number, boolean>();
  for (const begin of newerOf.keys()) {
    const line: number[] = [];
    let id = begin;
    for (let newer = newerOf.get(id); newer && !ends.has(id); newer = newerOf.get(id)) {
      ends.set(id, false);
      line.push(id);
      id = newer.id;
    }
    const hasEnd = newerOf.has(id) ? (ends.get(id) as boolean) : true;
    for (const passed of line) ends.set(passed, hasEnd);
  }
  return new Set([...newerOf.keys()].filter((id) => ends.get(id)));
}
