/**
 * Segment info: the record of the segment layer. It says what a segment is for and which one follows it in its chain.
 *
 * What is always true
 *   - A free segment is in no chain.
 *   - A segment does not follow itself. Longer cycles only a walk can see: the host counts its steps.
 */
import {
  DATA_OFF, INFO_FLAGS_KNOWN, INFO_HAS_NEXT, INFO_SIZE, INFO_TYPE_MASK, INFO_TYPE_SHIFT, MEDIA_VERSION, TYPE_FREE, TYPE_LOG,
} from "./media";
import { BAD_CRC, BAD_DATA_OFF, BAD_NEXT, BAD_RESERVED, BAD_SEGMENT_ID, BAD_TYPE, BAD_VERSION, FINE } from "./verdicts";
import { SegmentInfo } from "./layout";
import { metaVerify } from "./meta";

/** Writes an unsealed info record; `next` is -1 for none. */
export function infoFill(ptr: usize, segmentId: u32, type: u32, next: i32): void {
  assert(type <= TYPE_LOG && next >= -1);
  assert(next == -1 || (type != TYPE_FREE && <u32>next != segmentId));
  const hasNext = next >= 0;
  memory.fill(ptr, 0, INFO_SIZE);
  const info = changetype<SegmentInfo>(ptr);
  info.version = <u8>MEDIA_VERSION;
  info.flags = (type << INFO_TYPE_SHIFT) | (hasNext ? INFO_HAS_NEXT : 0);
  info.next = hasNext ? <u32>next : 0;
  info.segmentId = segmentId;
  info.dataOff = DATA_OFF;
}

/** Verdict on the info record of segment `segmentId`: crc, version, reserved bits, id, data offset, type, next. */
export function infoCheck(ptr: usize, segmentId: u32, segmentCount: u32): i32 {
  const info = changetype<SegmentInfo>(ptr);
  if (!metaVerify(ptr, INFO_SIZE)) return BAD_CRC;
  if (info.version != MEDIA_VERSION) return BAD_VERSION;
  if (info.res != 0 || (info.flags & ~INFO_FLAGS_KNOWN)) return BAD_RESERVED;
  if (info.segmentId != segmentId) return BAD_SEGMENT_ID;
  if (info.dataOff != DATA_OFF) return BAD_DATA_OFF;
  if (infoType(ptr) > TYPE_LOG) return BAD_TYPE;
  return nextValid(info, segmentCount) ? FINE : BAD_NEXT;
}

/** TYPE_…. */
export function infoType(ptr: usize): u32 {
  return (changetype<SegmentInfo>(ptr).flags >>> INFO_TYPE_SHIFT) & INFO_TYPE_MASK;
}

/** Id of the next segment, or -1. */
export function infoNext(ptr: usize): i32 {
  const info = changetype<SegmentInfo>(ptr);
  return info.flags & INFO_HAS_NEXT ? <i32>info.next : -1;
}

function nextValid(info: SegmentInfo, segmentCount: u32): bool {
  if (!(info.flags & INFO_HAS_NEXT)) return info.next == 0;
  return infoType(changetype<usize>(info)) != TYPE_FREE && info.next < segmentCount && info.next != info.segmentId;
}
