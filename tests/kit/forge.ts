/**
 * Forged records: bytes that verify and lie. What a crc cannot tell is what the checks behind it are for.
 */
import * as media from '../../assembly/media.js';
import * as plan from '../../assembly/plan.js';
import type { Bank } from '../../src/bank.js';
import { Rig, homeOff, resealed } from './images.js';
import { MIB } from './pools.js';

export type RecordKind = 'superblock' | 'info' | 'owner';

export const RECORD_SIZES: Record<RecordKind, number> = {
  superblock: media.SUPERBLOCK_SIZE,
  info: media.INFO_SIZE,
  owner: media.OWNER_SIZE,
};

/** Fields by name: [offset, bytes]. */
export const FIELDS: Record<RecordKind, Record<string, readonly [number, number]>> = {
  superblock: {
    seq: [media.META_SEQ_OFF, 1],
    version: [media.META_VERSION_OFF, 1],
    res: [media.META_RES_OFF, 2],
    magic: [media.SUPERBLOCK_MAGIC_OFF, 8],
    incompat: [media.SUPERBLOCK_INCOMPAT_OFF, 4],
    roCompat: [media.SUPERBLOCK_RO_COMPAT_OFF, 4],
    compat: [media.SUPERBLOCK_COMPAT_OFF, 4],
    state: [media.SUPERBLOCK_STATE_OFF, 4],
    uuid: [media.SUPERBLOCK_UUID_OFF, 8],
    poolSize: [media.SUPERBLOCK_POOL_SIZE_OFF, 8],
    segmentsOff: [media.SUPERBLOCK_SEGMENTS_OFF_OFF, 8],
    segmentSize: [media.SUPERBLOCK_SEGMENT_SIZE_OFF, 4],
    segmentCount: [media.SUPERBLOCK_SEGMENT_COUNT_OFF, 4],
    dataOff: [media.SUPERBLOCK_DATA_OFF_OFF, 4],
    highWater: [media.SUPERBLOCK_HIGH_WATER_OFF, 4],
    epoch: [media.SUPERBLOCK_EPOCH_OFF, 8],
    reserved: [media.SUPERBLOCK_RES_OFF, 8],
    label: [media.SUPERBLOCK_LABEL_OFF, 8],
  },
  info: {
    seq: [media.META_SEQ_OFF, 1],
    version: [media.META_VERSION_OFF, 1],
    res: [media.META_RES_OFF, 2],
    flags: [media.INFO_FLAGS_OFF, 4],
    next: [media.INFO_NEXT_OFF, 4],
    segmentId: [media.INFO_SEGMENT_ID_OFF, 4],
    dataOff: [media.INFO_DATA_OFF_OFF, 4],
  },
  owner: {
    seq: [media.META_SEQ_OFF, 1],
    version: [media.META_VERSION_OFF, 1],
    res: [media.META_RES_OFF, 2],
    uuid: [media.OWNER_POOL_UUID_OFF, 8],
    segmentId: [media.OWNER_SEGMENT_ID_OFF, 4],
    kind: [media.OWNER_KIND_OFF, 4],
    ownerId: [media.OWNER_ID_OFF, 8],
    generation: [media.OWNER_GENERATION_OFF, 8],
    chainIndex: [media.OWNER_CHAIN_INDEX_OFF, 4],
    state: [media.OWNER_STATE_OFF, 4],
    byteLen: [media.OWNER_BYTE_LEN_OFF, 8],
    replaces: [media.OWNER_REPLACES_OFF, 8],
    trimPos: [media.OWNER_TRIM_POS_OFF, 8],
    dataCrc: [media.OWNER_DATA_CRC_OFF, 4],
    nameLen: [media.OWNER_NAME_LEN_OFF, 4],
    name: [media.OWNER_NAME_OFF, 8],
  },
};

/** The flags of an info record. */
export function flagsOf(type: number, hasNext: boolean): bigint {
  return BigInt((type << media.INFO_TYPE_SHIFT) | (hasNext ? media.INFO_HAS_NEXT : 0));
}

export class Forger {
  readonly rig: Rig;
  readonly segmentSize: number;

  constructor(rig: Rig, segmentSize = MIB) {
    this.rig = rig;
    this.segmentSize = segmentSize;
  }

  get bank(): Bank {
    return this.rig.writer.banks[0] as Bank;
  }

  /** Offset in the pool of one copy of a record. */
  copyOff(kind: RecordKind, segmentId: number, copy: number): number {
    if (kind === 'superblock') return copy === 0 ? 0 : this.rig.base.byteLength - media.COPY_SIZE;
    return homeOff(segmentId, kind, this.segmentSize) + copy * media.COPY_SIZE;
  }

  record(kind: RecordKind, segmentId: number, copy = 0): Uint8Array {
    return this.rig.bytes(this.copyOff(kind, segmentId, copy), RECORD_SIZES[kind]);
  }

  put(kind: RecordKind, segmentId: number, copy: number, record: Uint8Array, seal = true): void {
    this.rig.patch(this.copyOff(kind, segmentId, copy), seal ? resealed(this.bank, record) : record);
  }

  get(kind: RecordKind, segmentId: number, field: string): bigint {
    const [off, size] = FIELDS[kind][field] as readonly [number, number];
    return readField(this.record(kind, segmentId), off, size);
  }

  /** Sets fields of a record in some of its copies, and makes the crc fit again. */
  set(
    kind: RecordKind,
    segmentId: number,
    fields: Record<string, bigint>,
    options: { copies?: readonly number[]; seal?: boolean } = {},
  ): void {
    for (const copy of options.copies ?? [0, 1]) {
      const record = this.record(kind, segmentId, copy);
      for (const [name, value] of Object.entries(fields)) {
        const [off, size] = FIELDS[kind][name] as readonly [number, number];
        writeField(record, off, size, value);
      }
      this.put(kind, segmentId, copy, record, options.seal ?? true);
    }
  }

  /** Makes the bytes at `from` those of segment `to`, too: the same owner, name and chain, with the id that belongs there. */
  clone(kind: 'info' | 'owner', from: number, to: number): void {
    const record = this.record(kind, from);
    const [off, size] = FIELDS[kind]['segmentId'] as readonly [number, number];
    writeField(record, off, size, BigInt(to));
    for (const copy of [0, 1]) this.put(kind, to, copy, record);
  }

  /** Gives a head another name. */
  rename(segmentId: number, name: string): void {
    const bytes = Buffer.from(name);
    for (const copy of [0, 1]) {
      const record = this.record('owner', segmentId, copy);
      record.fill(0, media.OWNER_NAME_OFF);
      record.set(bytes, media.OWNER_NAME_OFF);
      writeField(record, media.OWNER_NAME_LEN_OFF, 4, BigInt(bytes.byteLength));
      this.put('owner', segmentId, copy, record);
    }
  }

  dataOff(segmentId: number): number {
    return media.SEGMENTS_OFF + segmentId * this.segmentSize + media.DATA_OFF;
  }

  /** Makes the crc of a log record fit in its segment under an epoch, whatever its fields say, as far as `size` bytes go. */
  sealLog(segmentId: number, off: number, size: number, epoch: number): void {
    const { bank } = this;
    const { core, arena } = bank;
    const [ownerPtr, cursorPtr, recordPtr] = [media.OWNER_SIZE, plan.CURSOR_SIZE, size].map((len) => arena.allocate(len)) as [
      number,
      number,
      number,
    ];
    bank.bytes.set(this.record('owner', segmentId), ownerPtr);
    core.logCursorInit(cursorPtr, ownerPtr, epoch);
    core.logCursorEpoch(cursorPtr, epoch);
    const record = this.rig.bytes(this.dataOff(segmentId) + off, size);
    bank.bytes.set(record, recordPtr);
    const seed = bank.view.getUint32(cursorPtr + plan.CURSOR_SEED_OFF, true);
    writeField(record, media.LOG_CRC_OFF, 4, BigInt(core.crc32c(seed, recordPtr + media.LOG_LEN_KIND_OFF, size - media.LOG_LEN_KIND_OFF)));
    this.rig.patch(this.dataOff(segmentId) + off, record);
    for (const ptr of [ownerPtr, cursorPtr, recordPtr]) arena.release(ptr);
  }
}

export function readField(record: Uint8Array, off: number, size: number): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(record[off + i] as number);
  return value;
}

export function writeField(record: Uint8Array, off: number, size: number, value: bigint): void {
  for (let i = 0; i < size; i++) record[off + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}
