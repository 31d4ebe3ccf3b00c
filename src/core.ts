/**
 * The one door to the core: typed, unsigned where the core means unsigned, boolean where it means boolean.
 *
 * What is always true
 *   - No other file sees a raw export.
 *   - A core whose constants differ from the host's in any name or value is refused: the two were built from different layouts.
 *   - A core holds no state of its own. All that it knows lies in the memory, so any thread may have one. Two instances that work at the same
 *     time have different pieces of scratch.
 *   - There are two builds of it: core.wasm has vector instructions, core-scalar.wasm has not and is for hosts that refuse them. They differ in
 *     speed only.
 *   - Nobody waits for fast code: V8 begins with quickly made code, and replaces it from another thread after the first megabytes. Calls made only
 *     to hasten that would cost an opening more than they save (`node bench/crc.mjs` measures a fresh process).
 *   - Pointers are addresses in linear memory, lengths are bytes; both are u32, and ptr + len may be exactly 4 GiB. Numbers that
 *     may be larger (pool sizes, positions, sequences, epochs, generations) are whole numbers up to 2^53 - 1.
 *   - What cannot happen to a correct caller is an assertion inside the core and comes out as WebAssembly.RuntimeError.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { instantiateSync } from '@assemblyscript/loader';
import * as media from '../assembly/media.js';
import * as plan from '../assembly/plan.js';
import * as verdicts from '../assembly/verdicts.js';
import { fromFs } from './errors.js';

/** The core on one memory. A verdict is 0 (fine) or one of the negative constants of assembly/verdicts.ts. */
export interface Core {
  // --- CRC-32C

  /** CRC register after `len` bytes: not inverted, `crc` is the register before them. Streams: crc(crc(s, a), b) = crc(s, ab). */
  crc32c(crc: number, ptr: number, len: number): number;
  /** CRC-32C as everybody else prints it (inverted at both ends); starts with 0 and chains like zlib's. */
  crc32cStandard(crc: number, ptr: number, len: number): number;
  /** Standard CRC of a ‖ b from both standard CRCs and the length of b. Also raw registers, if b's began with 0. */
  crc32cCombine(crcA: number, crcB: number, lenB: number): number;
  /** Copies `len` bytes and returns the raw register over them as they were stored. The ranges do not overlap. */
  crc32cCopy(crc: number, dstPtr: number, srcPtr: number, len: number): number;

  // --- Meta records and their slots

  /** Completes a filled record of `size` bytes: seq (its low 8 bits), version, reserved field, crc. */
  metaSeal(ptr: number, size: number, seq: number): void;
  /** Whether the crc fits. Says nothing about the version: that is a record check's to judge. */
  metaVerify(ptr: number, size: number): boolean;
  /** Whether seq `a` comes after `b`: their signed 8-bit difference is positive. */
  metaSeqAfter(a: number, b: number): boolean;
  /** 0 or 1: the newest copy that verifies, 0 on a tie; -1: none does. */
  metaFindNewest(copy0Ptr: number, copy1Ptr: number, size: number): number;
  /** Class, newest index and its seq of a slot, packed as SLOT_… in assembly/plan.ts say; index and seq are 0 for EMPTY and LOST. */
  slotClassify(copy0Ptr: number, copy1Ptr: number, size: number): number;

  // --- Superblock

  /**
   * Writes an unsealed superblock (SUPERBLOCK_SIZE bytes, state dirty; uuid, label and epoch zero). Returns the segment count, or
   * BAD_GEOMETRY where `poolSize` is no multiple of COPY_SIZE or has no room for one segment, or `segmentSize` is not allowed.
   */
  superblockInit(ptr: number, poolSize: number, segmentSize: number): number;
  /** Verdict on a superblock in a file of `fileSize` bytes. `writable` also asks for knowledge of the read-only-compatible features. */
  superblockCheck(ptr: number, fileSize: number, writable: boolean): number;
  /** Whether the magic is there, crc or no crc: tells a damaged pool from something else. */
  superblockMagic(ptr: number): boolean;

  // --- Segment info

  /** Writes an unsealed info record; `next` is a segment id, or -1 for none. */
  infoFill(ptr: number, segmentId: number, type: number, next: number): void;
  /** Verdict on the info record of segment `segmentId` in a pool of `segmentCount`. */
  infoCheck(ptr: number, segmentId: number, segmentCount: number): number;
  /** TYPE_…. */
  infoType(ptr: number): number;
  /** Id of the next segment of the chain, or -1. */
  infoNext(ptr: number): number;

  // --- Owner record

  /**
   * Writes an unsealed owner record. State is NONE for free and raw segments (their owner id is zero, whatever lies at `ownerIdPtr`),
   * BUILDING for others. `uuidPtr` has UUID_SIZE bytes, `ownerIdPtr` 8.
   */
  ownerFill(
    ptr: number,
    uuidPtr: number,
    segmentId: number,
    kind: number,
    ownerIdPtr: number,
    generation: number,
    chainIndex: number,
  ): void;
  /** Verdict on the owner record of segment `segmentId` in the pool with that uuid. */
  ownerCheck(ptr: number, uuidPtr: number, segmentId: number): number;
  /** Whether both records belong to one object or log: same kind, same owner id. Never true for free or raw segments. */
  ownerSameChain(aPtr: number, bPtr: number): boolean;
  /** Whether `newPtr` is the committed object that replaced the committed object `oldPtr` under the same name. */
  ownerSupersedes(newPtr: number, oldPtr: number): boolean;
  /** Whether `len` bytes are a name: 1 … NAME_SIZE_MAX bytes of UTF-8 without NUL. */
  nameValid(ptr: number, len: number): boolean;

  // --- Log. A cursor (CURSOR_SIZE bytes, 8-byte aligned) says whose records are expected and where a walk over them stands.

  /** Cursor for the log segment of an owner record: epoch 0 (unknown), sequence 0 (any). `epochMax`: the highest that may appear. */
  logCursorInit(cursorPtr: number, ownerPtr: number, epochMax: number): void;
  /** Moves the cursor to an epoch, 1 … 2^53 - 1: records are sealed and judged under it from now on. */
  logCursorEpoch(cursorPtr: number, epoch: number): void;
  /** Moves the cursor to another segment of the same log; epoch and sequence stay. */
  logCursorSegment(cursorPtr: number, ownerPtr: number): void;
  /** Bytes that a record with `len` (≤ LOG_LEN_MASK) bytes of payload takes: header and padding included. */
  logRecordSize(len: number): number;
  /**
   * Completes a record whose payload lies at `recordPtr` + LOG_HEADER_SIZE: padding, header, crc. Returns its size. `sequence`: the
   * record's number (≥ 1), for epoch and end records that of the next data record. `durablePos`: up to where the log is durable now.
   */
  logSeal(cursorPtr: number, recordPtr: number, len: number, kind: number, sequence: number, durablePos: number): number;
  /** Writes a whole epoch record (LOG_EPOCH_RECORD_SIZE bytes) for the cursor's epoch. Returns its size. */
  logSealEpoch(cursorPtr: number, recordPtr: number, sequence: number, durablePos: number): number;
  /**
   * Judges the record at `ptr`, of which at most `remain` bytes are in the segment; never reads further. Returns its size and moves the
   * cursor (kind, payload length, durable position, next sequence; on an epoch record also the epoch), or returns 0 and leaves the
   * cursor alone: no valid record here, be it torn, stale, zero, damaged or without room.
   *
   * `first`: the record is the first of its segment. There only an epoch record is valid, and it may repeat the current epoch; anywhere
   * else an epoch must be later than the current one. With sequence 0 in the cursor any sequence is accepted.
   */
  logStep(cursorPtr: number, ptr: number, remain: number, first: boolean): number;
  /**
   * After `logStep` refused the record at `ptr`, whose position in the log is `pos`: offset from `ptr` of a later valid record that says
   * it was written when `pos` was already durable, or -1. An offset means damage, -1 a torn tail. The epoch records that name a later
   * record's epoch need not have survived. On an image made to exhaust the search the offset is that where it gave up: doubt is damage.
   */
  logProof(cursorPtr: number, ptr: number, remain: number, pos: number): number;

  // --- Bitmap: atomic u32 words at a 4-byte aligned address, bit i of word i / 32

  /** Sets a bit; whether it was clear. */
  bitmapSet(ptr: number, index: number): boolean;
  /** Clears a bit; whether it was set. */
  bitmapClear(ptr: number, index: number): boolean;
  bitmapTest(ptr: number, index: number): boolean;
  /** Sets the lowest clear bit below `count` and returns its index, or -1. No two callers get the same one. */
  bitmapTake(ptr: number, count: number): number;
  /** Set bits below `count`. */
  bitmapCount(ptr: number, count: number): number;

  // --- Segment data and bios

  /** Bytes of data in a segment. */
  segmentDataSize(segmentSize: number, dataOff: number): number;
  /**
   * Copies [dataOff, dataOff + dataLen) of the segment data at `dataPtr` to the bio (a table of `bvecCount` bvecs) from its byte `bioOff`
   * on. Returns dataLen, or with nothing copied EINVAL (range outside the data or bvec outside memory) or EIO (bio too short), or
   * EFAULT after the copy if the bank's medium has faulted since open: then only the bad-range table can tell whether these bytes are
   * good. A piece may overlap the data (memmove); pieces move one after the other.
   */
  copyToBio(
    dataPtr: number,
    dataSize: number,
    dataOff: number,
    dataLen: number,
    bvecsPtr: number,
    bvecCount: number,
    bioOff: number,
  ): number;
  /** The same in the other direction: from the bio to the segment data. */
  copyFromBio(
    dataPtr: number,
    dataSize: number,
    dataOff: number,
    dataLen: number,
    bvecsPtr: number,
    bvecCount: number,
    bioOff: number,
  ): number;
  /** Bytes in all bvecs of a table. */
  bvecLen(bvecsPtr: number, bvecCount: number): number;

  // --- Positions in segment data. `dataSize` is below 2^31.

  /** off + len, or EINVAL if that is past dataSize. */
  posAdvance(off: number, len: number, dataSize: number): number;
  /** Bytes from off to dataSize, or EINVAL if off is past it. */
  posRemain(off: number, dataSize: number): number;

  // --- Faults

  /** Faults that the guard has mended in this bank; read after everything that the thread did before. */
  faultCount(): number;
}

/** What the .wasm exports: functions of numbers. */
type Raw = { readonly [Name in keyof Core]: (...args: (number | boolean)[]) => number } & { coreInit(): void };

const VECTOR_URL = new URL('../core.wasm', import.meta.url);
const SCALAR_URL = new URL('../core-scalar.wasm', import.meta.url);

/** A module whose one function returns a vector. */
const PROBE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b], // type: () -> v128
  ...[0x03, 0x02, 0x01, 0x00], // function 0 has type 0
  ...[0x0a, 0x08, 0x01, 0x06, 0x00, 0x41, 0x00, 0xfd, 0x0f, 0x0b], // i32.const 0, i8x16.splat
);

/** Whether this host runs vector instructions. V8 does wherever the processor has SSE4.1 or is an ARM64. */
export function hostHasVectors(): boolean {
  return WebAssembly.validate(PROBE);
}

let compiled: WebAssembly.Module | undefined;

/** The compiled core for this host; read and compiled once per thread. */
export function loadCore(): WebAssembly.Module {
  compiled ??= compileCore(hostHasVectors());
  return compiled;
}

/**
 * One of the two builds.
 * @throws PmsegError when its file cannot be read, as for want of descriptors
 */
export function compileCore(vectors: boolean): WebAssembly.Module {
  return new WebAssembly.Module(readCore(vectors ? VECTOR_URL : SCALAR_URL));
}

function readCore(url: URL): Buffer<ArrayBuffer> {
  try {
    return readFileSync(url);
  } catch (error) {
    throw fromFs('read', error, { path: fileURLToPath(url) });
  }
}

/**
 * A core on a memory; builds the memory's tables if nobody has yet. `scratchPtr`: the piece of plan.SCRATCH_… that it works in, alone.
 * Throws if core and host were built from different layouts.
 */
export function instantiateCore(memory: WebAssembly.Memory, module = loadCore(), scratchPtr: number = plan.SCRATCH_PTR): Core {
  const env = { memory, scratchPtr };
  const { instance } = instantiateSync(module, { env });
  assertSameConstants(instance.exports);
  const raw = instance.exports as unknown as Raw;
  raw.coreInit();
  return {
    crc32c: (crc, ptr, len) => raw.crc32c(crc, ptr, len) >>> 0,
    crc32cStandard: (crc, ptr, len) => raw.crc32cStandard(crc, ptr, len) >>> 0,
    crc32cCombine: (crcA, crcB, lenB) => raw.crc32cCombine(crcA, crcB, lenB) >>> 0,
    crc32cCopy: (crc, dstPtr, srcPtr, len) => raw.crc32cCopy(crc, dstPtr, srcPtr, len) >>> 0,

    metaSeal: raw.metaSeal,
    metaVerify: (ptr, size) => raw.metaVerify(ptr, size) !== 0,
    metaSeqAfter: (a, b) => raw.metaSeqAfter(a, b) !== 0,
    metaFindNewest: raw.metaFindNewest,
    slotClassify: raw.slotClassify,

    superblockInit: raw.superblockInit,
    superblockCheck: raw.superblockCheck,
    superblockMagic: (ptr) => raw.superblockMagic(ptr) !== 0,

    infoFill: raw.infoFill,
    infoCheck: raw.infoCheck,
    infoType: raw.infoType,
    infoNext: raw.infoNext,

    ownerFill: raw.ownerFill,
    ownerCheck: raw.ownerCheck,
    ownerSameChain: (aPtr, bPtr) => raw.ownerSameChain(aPtr, bPtr) !== 0,
    ownerSupersedes: (newPtr, oldPtr) => raw.ownerSupersedes(newPtr, oldPtr) !== 0,
    nameValid: (ptr, len) => raw.nameValid(ptr, len) !== 0,

    logCursorInit: raw.logCursorInit,
    logCursorEpoch: raw.logCursorEpoch,
    logCursorSegment: raw.logCursorSegment,
    logRecordSize: raw.logRecordSize,
    logSeal: raw.logSeal,
    logSealEpoch: raw.logSealEpoch,
    logStep: raw.logStep,
    logProof: raw.logProof,

    bitmapSet: (ptr, index) => raw.bitmapSet(ptr, index) !== 0,
    bitmapClear: (ptr, index) => raw.bitmapClear(ptr, index) !== 0,
    bitmapTest: (ptr, index) => raw.bitmapTest(ptr, index) !== 0,
    bitmapTake: raw.bitmapTake,
    bitmapCount: raw.bitmapCount,

    segmentDataSize: raw.segmentDataSize,
    copyToBio: raw.copyToBio,
    copyFromBio: raw.copyFromBio,
    bvecLen: raw.bvecLen,

    posAdvance: raw.posAdvance,
    posRemain: raw.posRemain,

    faultCount: () => raw.faultCount() >>> 0,
  };
}

const NAMES = new Map<number, string>(
  Object.entries(verdicts)
    .filter(([, value]) => value < 0)
    .map(([name, value]) => [value, name]),
);

/** The constant's name, for messages: BAD_CRC, EIO, …. */
export function verdictName(verdict: number): string {
  return NAMES.get(verdict) ?? String(verdict);
}

/** The host's constants and the core's must be the same set with the same values. */
function assertSameConstants(exports: Record<string, unknown>): void {
  const wanted = new Map<string, number>(Object.entries({ ...media, ...plan, ...verdicts }));
  for (const [name, value] of wanted) {
    const found = exports[name];
    if (!(found instanceof WebAssembly.Global)) throw staleError(`it has no ${name}`);
    // A global of type u32 comes out as a signed number.
    if ((found.value | 0) !== (value | 0)) throw staleError(`its ${name} is ${found.value}, the host's is ${value}`);
  }
  for (const [name, found] of Object.entries(exports)) {
    if (found instanceof WebAssembly.Global && !wanted.has(name)) throw staleError(`its ${name} is unknown to the host`);
  }
}

function staleError(why: string): Error {
  return new Error(`the core does not belong to this host: ${why}; run \`npm run build\``);
}
