/**
 * Owner record: whose segment this is, and in which of its lives.
 *
 * What is always true
 *   - A segment in use has a generation, one that is free may; generations only rise.
 *   - Free and raw segments have no owner: id, name and everything that describes an object or log are zero.
 *   - Only the head of a chain (index 0) has a name and a state other than building; a head that is committed or sealed has a name.
 *   - Byte length, data crc and the replaced object's id belong to heads of objects, the trim position to heads of logs.
 */
import {
  MEDIA_VERSION, NAME_SIZE_MAX, OWNER_BUILDING, OWNER_COMMITTED, OWNER_NAME_OFF, OWNER_NONE, OWNER_PAD_OFF, OWNER_SEALED, OWNER_SIZE,
  TYPE_FREE, TYPE_LOG, TYPE_OBJECT,
} from "./media";
import {
  BAD_CRC, BAD_FIELD, BAD_GENERATION, BAD_KIND, BAD_NAME, BAD_OWNER_ID, BAD_RANGE, BAD_RESERVED, BAD_SEGMENT_ID, BAD_STATE, BAD_UUID,
  BAD_VERSION, FINE,
} from "./verdicts";
import { bytesEqual, bytesZero } from "./bytes";
import { Owner } from "./layout";
import { metaVerify } from "./meta";
import { nameValid } from "./text";
import { whole, WHOLE_MAX } from "./whole";

/** Writes an unsealed owner record: no owner for free and raw segments, one in the building for others. */
export function ownerFill(
  ptr: usize, uuidPtr: usize, segmentId: u32, kind: u32, ownerIdPtr: usize, generation: f64, chainIndex: u32,
): void {
  assert(kind <= TYPE_LOG);
  // Read before the record is zeroed: both may lie in it.
  const uuid0 = load<u64>(uuidPtr);
  const uuid1 = load<u64>(uuidPtr, 8);
  const owned = kind >= TYPE_OBJECT;
  const ownerId: u64 = owned ? load<u64>(ownerIdPtr) : 0;

  memory.fill(ptr, 0, OWNER_SIZE);
  const owner = changetype<Owner>(ptr);
  owner.version = <u8>MEDIA_VERSION;
  owner.uuid0 = uuid0;
  owner.uuid1 = uuid1;
  owner.segmentId = segmentId;
  owner.kind = kind;
  owner.ownerId = ownerId;
  owner.generation = whole(generation);
  owner.chainIndex = chainIndex;
  owner.state = owned ? OWNER_BUILDING : OWNER_NONE;
}

/** Verdict on the owner record of segment `segmentId`: crc, version, reserved, uuid, id, kind, generation, then what the kind allows. */
export function ownerCheck(ptr: usize, uuidPtr: usize, segmentId: u32): i32 {
  const owner = changetype<Owner>(ptr);
  if (!metaVerify(ptr, OWNER_SIZE)) return BAD_CRC;
  if (owner.version != MEDIA_VERSION) return BAD_VERSION;
  if (owner.res != 0 || !bytesZero(ptr + OWNER_PAD_OFF, OWNER_NAME_OFF - OWNER_PAD_OFF)) return BAD_RESERVED;
  if (owner.uuid0 != load<u64>(uuidPtr) || owner.uuid1 != load<u64>(uuidPtr, 8)) return BAD_UUID;
  if (owner.segmentId != segmentId) return BAD_SEGMENT_ID;
  if (owner.kind > TYPE_LOG) return BAD_KIND;
  if (owner.generation == 0 && owner.kind != TYPE_FREE) return BAD_GENERATION;
  if (owner.generation > WHOLE_MAX || owner.byteLen > WHOLE_MAX || owner.trimPos > WHOLE_MAX) return BAD_RANGE;
  return owner.kind < TYPE_OBJECT ? checkOwnerless(owner) : owner.chainIndex == 0 ? checkHead(owner) : checkFollower(owner);
}

/** Whether both records belong to one object or log. */
export function ownerSameChain(aPtr: usize, bPtr: usize): bool {
  const a = changetype<Owner>(aPtr);
  const b = changetype<Owner>(bPtr);
  return a.kind >= TYPE_OBJECT && a.kind == b.kind && a.ownerId == b.ownerId;
}

/** Whether `newPtr` is a committed object that replaced the committed object `oldPtr` under the same name. */
export function ownerSupersedes(newPtr: usize, oldPtr: usize): bool {
  const newer = changetype<Owner>(newPtr);
  const older = changetype<Owner>(oldPtr);
  if (!committedObject(newer) || !committedObject(older)) return false;
  return newer.replaces != 0 && newer.replaces == older.ownerId && sameName(newer, older);
}

/** Free and raw segments. Raw ones may be chained, so their chain index is the embedder's. */
function checkOwnerless(owner: Owner): i32 {
  if (owner.state != OWNER_NONE) return BAD_STATE;
  if (owner.ownerId != 0) return BAD_OWNER_ID;
  if (owner.kind == TYPE_FREE && owner.chainIndex != 0) return BAD_FIELD;
  if (hasObjectFields(owner) || owner.trimPos != 0) return BAD_FIELD;
  return nameAbsent(owner) ? FINE : BAD_NAME;
}

/** Segments of an object or log after the first. */
function checkFollower(owner: Owner): i32 {
  if (owner.state != OWNER_BUILDING) return BAD_STATE;
  if (owner.ownerId == 0) return BAD_OWNER_ID;
  if (hasObjectFields(owner) || owner.trimPos != 0) return BAD_FIELD;
  return nameAbsent(owner) ? FINE : BAD_NAME;
}

/** First segment of an object or log. */
function checkHead(owner: Owner): i32 {
  if (owner.state < OWNER_BUILDING || owner.state > OWNER_SEALED) return BAD_STATE;
  if (owner.ownerId == 0) return BAD_OWNER_ID;
  if (owner.kind == TYPE_OBJECT ? owner.trimPos != 0 : hasObjectFields(owner)) return BAD_FIELD;
  if (owner.state == OWNER_BUILDING && nameAbsent(owner)) return FINE;
  return nameWellFormed(owner) ? FINE : BAD_NAME;
}

function hasObjectFields(owner: Owner): bool {
  return owner.byteLen != 0 || owner.replaces != 0 || owner.dataCrc != 0;
}

function namePtr(owner: Owner): usize {
  return changetype<usize>(owner) + OWNER_NAME_OFF;
}

function nameAbsent(owner: Owner): bool {
  return owner.nameLen == 0 && bytesZero(namePtr(owner), NAME_SIZE_MAX);
}

function nameWellFormed(owner: Owner): bool {
  const len = owner.nameLen;
  return nameValid(namePtr(owner), len) && bytesZero(namePtr(owner) + len, NAME_SIZE_MAX - len);
}

function committedObject(owner: Owner): bool {
  return owner.kind == TYPE_OBJECT && owner.chainIndex == 0 && owner.state == OWNER_COMMITTED;
}

/** Lengths are bounded before they are used: these records may not have been checked. */
function sameName(a: Owner, b: Owner): bool {
  return a.nameLen == b.nameLen && a.nameLen <= NAME_SIZE_MAX && bytesEqual(namePtr(a), namePtr(b), a.nameLen);
}
