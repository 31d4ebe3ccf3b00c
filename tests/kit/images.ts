/**
 * Images that are changed in place and opened again and again, for tests that look at thousands of them.
 *
 * What is always true
 *   - `undo` puts every byte back that was patched or stored since the last one: no copy of the whole image per case.
 *   - A medium of this kit refuses what no medium may be asked for: bytes outside of itself, a copy that crosses from one segment into another.
 */
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { WINDOW_PTR_MIN } from '../../assembly/plan.js';
import type { Bank } from '../../src/bank.js';
import { MemoryMedium, PmsegError, type Bio, type Geometry, type Log, type Pool } from '../../src/index.js';

/** A medium that holds every call against its size and the pool's geometry, and remembers which ranges were stored to. */
export class WatchedMedium extends MemoryMedium {
  /** [offset, length] of what was stored since the last `forget`. */
  readonly stored: [number, number][];
  /** Reads and acquires since the last `forget`: what work was done. */
  lookCount = 0;
  #segments: Geometry = { segmentsOff: 0, segmentSize: 0, segmentCount: 0 };

  constructor(content: number | Uint8Array, writable: boolean) {
    const stored: [number, number][] = [];
    super(content, {
      granularity: 'page',
      writable,
      onOperation: (operation) => {
        assert.ok(writable, `a medium that is only read was asked for a ${operation.kind}`);
        if (operation.kind === 'store') stored.push([operation.off, operation.bytes.byteLength]);
      },
    });
    this.stored = stored;
  }

  override attach(geometry: Geometry): void {
    this.#segments = geometry;
    const { segmentsOff, segmentSize, segmentCount } = geometry;
    assert.ok(segmentsOff + segmentSize * segmentCount <= this.size - media.COPY_SIZE, 'segments lie before the second superblock');
    super.attach(geometry);
  }

  #inside(off: number, len: number): void {
    assert.ok(off >= 0 && len >= 0 && off + len <= this.size, `${off}+${len} is outside of the medium`);
  }

  override read(off: number, bank: Bank, ptr: number, len: number): void {
    this.lookCount++;
    this.#inside(off, len);
    super.read(off, bank, ptr, len);
  }

  override write(off: number, bio: Bio, bioOff: number, len: number): void {
    this.#inside(off, len);
    const { segmentsOff, segmentSize, segmentCount } = this.#segments;
    const inSegments = off >= segmentsOff && off < segmentsOff + segmentSize * segmentCount;
    if (inSegments) assert.ok(((off - segmentsOff) % segmentSize) + len <= segmentSize, `${off}+${len} leaves its segment`);
    else assert.ok([0, this.size - media.COPY_SIZE].includes(off) && len === media.SUPERBLOCK_SIZE, `${off}+${len} is no superblock`);
    super.write(off, bio, bioOff, len);
  }

  override acquire(segmentId: number, off: number, len: number, writable: boolean): number {
    this.lookCount++;
    const { segmentSize, segmentCount } = this.#segments;
    assert.ok(segmentId >= 0 && segmentId < segmentCount && off >= 0 && off + len <= segmentSize, `segment ${segmentId}: ${off}+${len}`);
    return super.acquire(segmentId, off, len, writable);
  }

  forget(): void {
    this.stored.length = 0;
    this.lookCount = 0;
  }
}

/** One image on two media: one that is only read, and one that is written. */
export class Rig {
  readonly base: Uint8Array;
  readonly reader: WatchedMedium;
  readonly writer: WatchedMedium;
  readonly #patched: [number, number][] = [];

  constructor(base: Uint8Array) {
    this.base = base.slice();
    this.reader = new WatchedMedium(base, false);
    this.writer = new WatchedMedium(base, true);
  }

  readonly #foreign: [number, number][] = [];

  /** Takes over the image of a medium of the same size that was all zero once, and of which `stored` says where it is not any more. */
  rebase(medium: WatchedMedium): void {
    const all = [this.base, Rig.live(this.reader), Rig.live(this.writer)];
    for (const [off, len] of this.#foreign.splice(0)) for (const bytes of all) bytes.fill(0, off, off + len);
    this.#foreign.push(...medium.stored);
    for (const [off, len] of medium.stored) for (const bytes of all) bytes.set(Rig.live(medium, off, len), off);
  }

  static live(medium: MemoryMedium, off = 0, len = medium.size): Uint8Array {
    return (medium.banks[0] as Bank).subarray(WINDOW_PTR_MIN + off, len);
  }

  /** Bytes of the image as it is patched now. */
  bytes(off: number, len: number): Uint8Array {
    return Rig.live(this.reader, off, len).slice();
  }

  patch(off: number, bytes: Uint8Array): void {
    Rig.live(this.reader, off, bytes.byteLength).set(bytes);
    Rig.live(this.writer, off, bytes.byteLength).set(bytes);
    this.#patched.push([off, bytes.byteLength]);
  }

  flip(bit: number): void {
    const off = Math.floor(bit / 8);
    this.patch(off, Uint8Array.of((this.bytes(off, 1)[0] as number) ^ (1 << (bit & 7))));
  }

  undo(): void {
    for (const [off, len] of this.#patched)
      for (const medium of [this.reader, this.writer]) Rig.live(medium, off, len).set(this.base.subarray(off, off + len));
    for (const [off, len] of this.writer.stored) Rig.live(this.writer, off, len).set(this.base.subarray(off, off + len));
    this.#patched.length = 0;
    this.reader.forget();
    this.writer.forget();
  }
}

/** What a name gives: bytes, or records, and the code of the error that ended the reading. */
export interface Content {
  readonly kind: 'object' | 'log';
  readonly pieces: Uint8Array[];
  readonly positions: number[];
  readonly error: string | undefined;
}

/** Runs a call that may fail with a typed error; anything else that it throws is a failure of the product. */
export function typed<T>(call: () => T): { value: T } | { error: PmsegError } {
  try {
    return { value: call() };
  } catch (error) {
    if (error instanceof PmsegError) return { error };
    throw error;
  }
}

function logContent(log: Log): Content {
  const pieces: Uint8Array[] = [];
  const positions: number[] = [];
  const result = typed(() => {
    for (const { position, data } of log.recordsSync()) {
      pieces.push(data);
      positions.push(position);
    }
  });
  return { kind: 'log', pieces, positions, error: 'error' in result ? result.error.code : undefined };
}

/** Everything that can be got out of a pool, by name. */
export function contents(pool: Pool): Map<string, Content> {
  const all = new Map<string, Content>();
  for (const { name, kind } of pool.list()) {
    const result = typed((): Content => {
      if (kind === 'log') return logContent(pool.log(name));
      return { kind, pieces: [pool.get(name)], positions: [], error: undefined };
    });
    all.set(name, 'value' in result ? result.value : { kind, pieces: [], positions: [], error: result.error.code });
  }
  return all;
}

/** Fails unless all that `before` gave is given by `after` too: the same bytes, at the same positions, and perhaps more records. */
export function assertKept(before: Map<string, Content>, after: Map<string, Content>, where: string): void {
  for (const [name, was] of before) {
    const is = after.get(name);
    if (was.pieces.length === 0 && was.error !== undefined) continue;
    assert.ok(is, `${where}: "${name}" is gone`);
    assert.is(is?.kind, was.kind, where);
    assert.ok(
      (is?.pieces.length ?? 0) >= was.pieces.length,
      `${where}: "${name}" had ${was.pieces.length} pieces, has ${is?.pieces.length}`,
    );
    was.pieces.forEach((piece, i) => {
      assert.is(is?.positions[i], was.positions[i], `${where}: position of record ${i} of "${name}"`);
      assert.is(Buffer.compare(piece, is?.pieces[i] as Uint8Array), 0, `${where}: bytes of "${name}", piece ${i}`);
    });
  }
}

/** Fails unless both say the same. */
export function assertSame(before: Map<string, Content>, after: Map<string, Content>, where: string): void {
  assertKept(before, after, where);
  assertKept(after, before, where);
  for (const [name, was] of before) assert.is(after.get(name)?.error, was.error, `${where}: how reading "${name}" ends`);
}

/** Where the first copy of a segment's slot lies, in a pool of `segmentSize`. */
export function homeOff(segmentId: number, kind: 'info' | 'owner', segmentSize: number): number {
  return media.SEGMENTS_OFF + segmentId * segmentSize + (kind === 'info' ? media.SEGMENT_INFO_OFF : media.SEGMENT_OWNER_OFF);
}

/** Makes the crc of a record fit whatever its bytes are; seq, version and all else stay. */
export function resealed(bank: Bank, record: Uint8Array): Uint8Array {
  const ptr = bank.arena.allocate(record.byteLength);
  try {
    bank.bytes.set(record, ptr);
    const crc = bank.core.crc32c(media.CRC_SEED, ptr + media.META_SEQ_OFF, record.byteLength - media.META_SEQ_OFF);
    bank.view.setUint32(ptr + media.META_CRC_OFF, crc, true);
    return bank.bytes.slice(ptr, ptr + record.byteLength);
  } finally {
    bank.arena.release(ptr);
  }
}
