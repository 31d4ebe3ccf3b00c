/**
 * Records as JavaScript values: the fields at media.ts's offsets, nothing more. Rules about them are the core's.
 */
import * as media from '../assembly/media.js';

const decoder = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true });
const encoder = new TextEncoder();

/** UTF-8 bytes of a string. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** A copy of `len` bytes as text; memory that is shared cannot be decoded in place. */
function textAt(view: DataView<ArrayBufferLike>, ptr: number, len: number): string {
  return decoder.decode(new Uint8Array(view.buffer, ptr, len).slice());
}

export interface Superblock {
  incompat: number;
  roCompat: number;
  compat: number;
  clean: boolean;
  /** 36 characters, lower case. */
  uuid: string;
  poolSize: number;
  segmentsOff: number;
  segmentSize: number;
  segmentCount: number;
  dataOff: number;
  /** Segments at or above this id were never used. */
  highWater: number;
  epoch: number;
  label: string;
}

export interface Info {
  type: number;
  /** Id of the next segment; `undefined` at the end of a chain. */
  next: number | undefined;
}

export interface Owner {
  segmentId: number;
  kind: number;
  ownerId: bigint;
  generation: number;
  chainIndex: number;
  state: number;
  byteLen: number;
  replaces: bigint;
  trimPos: number;
  dataCrc: number;
  name: string;
}

/** `00112233445566778899aabbccddeeff` with dashes → bytes; `undefined` when it is no uuid. */
export function uuidBytes(uuid: string): Uint8Array<ArrayBuffer> | undefined {
  const hex = uuid.toLowerCase().replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/.test(hex) || !/^[0-9a-f]{32}$|^.{8}-.{4}-.{4}-.{4}-.{12}$/.test(uuid.toLowerCase())) return undefined;
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

export function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export function readSuperblock(view: DataView<ArrayBufferLike>, ptr: number): Superblock {
  const u32 = (off: number): number => view.getUint32(ptr + off, true);
  const u64 = (off: number): number => Number(view.getBigUint64(ptr + off, true));
  return {
    incompat: u32(media.SUPERBLOCK_INCOMPAT_OFF),
    roCompat: u32(media.SUPERBLOCK_RO_COMPAT_OFF),
    compat: u32(media.SUPERBLOCK_COMPAT_OFF),
    clean: u32(media.SUPERBLOCK_STATE_OFF) === media.STATE_CLEAN,
    uuid: uuidText(new Uint8Array(view.buffer, ptr + media.SUPERBLOCK_UUID_OFF, media.UUID_SIZE)),
    poolSize: u64(media.SUPERBLOCK_POOL_SIZE_OFF),
    segmentsOff: u64(media.SUPERBLOCK_SEGMENTS_OFF_OFF),
    segmentSize: u32(media.SUPERBLOCK_SEGMENT_SIZE_OFF),
    segmentCount: u32(media.SUPERBLOCK_SEGMENT_COUNT_OFF),
    dataOff: u32(media.SUPERBLOCK_DATA_OFF_OFF),
    highWater: u32(media.SUPERBLOCK_HIGH_WATER_OFF),
    epoch: u64(media.SUPERBLOCK_EPOCH_OFF),
    label: textAt(view, ptr + media.SUPERBLOCK_LABEL_OFF, media.LABEL_SIZE).replace(/\0+$/, ''),
  };
}

/** Writes the fields that change during a pool's life; the others stay as they are in the record. */
export function writeSuperblock(
  view: DataView<ArrayBufferLike>,
  ptr: number,
  fields: Pick<Superblock, 'clean' | 'highWater' | 'epoch'>,
): void {
  view.setUint32(ptr + media.SUPERBLOCK_STATE_OFF, fields.clean ? media.STATE_CLEAN : media.STATE_DIRTY, true);
  view.setUint32(ptr + media.SUPERBLOCK_HIGH_WATER_OFF, fields.highWater, true);
  view.setBigUint64(ptr + media.SUPERBLOCK_EPOCH_OFF, BigInt(fields.epoch), true);
}

export function readOwner(view: DataView<ArrayBufferLike>, ptr: number): Owner {
  const u32 = (off: number): number => view.getUint32(ptr + off, true);
  const u64 = (off: number): bigint => view.getBigUint64(ptr + off, true);
  return {
    segmentId: u32(media.OWNER_SEGMENT_ID_OFF),
    kind: u32(media.OWNER_KIND_OFF),
    ownerId: u64(media.OWNER_ID_OFF),
    generation: Number(u64(media.OWNER_GENERATION_OFF)),
    chainIndex: u32(media.OWNER_CHAIN_INDEX_OFF),
    state: u32(media.OWNER_STATE_OFF),
    byteLen: Number(u64(media.OWNER_BYTE_LEN_OFF)),
    replaces: u64(media.OWNER_REPLACES_OFF),
    trimPos: Number(u64(media.OWNER_TRIM_POS_OFF)),
    dataCrc: u32(media.OWNER_DATA_CRC_OFF),
    name: textAt(view, ptr + media.OWNER_NAME_OFF, Math.min(u32(media.OWNER_NAME_LEN_OFF), media.NAME_SIZE_MAX)),
  };
}

/** What makes a head visible under a name. */
export type OwnerHead = Pick<Owner, 'state' | 'byteLen' | 'replaces' | 'trimPos' | 'dataCrc' | 'name'>;

/** Writes a head's fields over a record made by the core's `ownerFill`. */
export function writeOwnerHead(view: DataView<ArrayBufferLike>, ptr: number, head: OwnerHead): void {
  const name = utf8(head.name);
  view.setUint32(ptr + media.OWNER_STATE_OFF, head.state, true);
  view.setBigUint64(ptr + media.OWNER_BYTE_LEN_OFF, BigInt(head.byteLen), true);
  view.setBigUint64(ptr + media.OWNER_REPLACES_OFF, head.replaces, true);
  view.setBigUint64(ptr + media.OWNER_TRIM_POS_OFF, BigInt(head.trimPos), true);
  view.setUint32(ptr + media.OWNER_DATA_CRC_OFF, head.dataCrc, true);
  view.setUint32(ptr + media.OWNER_NAME_LEN_OFF, name.byteLength, true);
  new Uint8Array(view.buffer, ptr + media.OWNER_NAME_OFF, media.NAME_SIZE_MAX).fill(0).set(name);
}
