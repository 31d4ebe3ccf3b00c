/**
 * A segment's data as a contiguous array of bytes, moved to and from bios.
 *
 * What is always true
 *   - Nothing is copied unless the whole range is inside the data and the bio has all of its bytes: a copy is whole or not begun.
 *   - The fault counter is read after the copy. While it is not zero no copy is called good here: which bytes are bad, and were before,
 *     only the guard's table knows.
 */
import { bvecCheck, bvecGather, bvecScatter } from "./bvec";
import { faultCount } from "./fault";
import { posRemain } from "./pos";
import { EFAULT, EINVAL, FINE } from "./verdicts";
import { WHOLE_MAX } from "./whole";

/** Bytes of data in a segment. */
export function segmentDataSize(segmentSize: u32, dataOff: u32): u32 {
  assert(dataOff < segmentSize);
  return segmentSize - dataOff;
}

/** Data to bio: returns dataLen, EINVAL, EIO or EFAULT. */
export function copyToBio(
  dataPtr: usize, dataSize: u32, dataOff: u32, dataLen: u32, bvecsPtr: usize, bvecCount: u32, bioOff: f64,
): i32 {
  const verdict = checkCopy(dataPtr, dataSize, dataOff, dataLen, bvecsPtr, bvecCount, bioOff);
  if (verdict != FINE) return verdict;
  bvecScatter(bvecsPtr, <u64>bioOff, dataPtr + dataOff, dataLen);
  return faultCount() == 0 ? <i32>dataLen : EFAULT;
}

/** Bio to data: returns dataLen, EINVAL, EIO or EFAULT. */
export function copyFromBio(
  dataPtr: usize, dataSize: u32, dataOff: u32, dataLen: u32, bvecsPtr: usize, bvecCount: u32, bioOff: f64,
): i32 {
  const verdict = checkCopy(dataPtr, dataSize, dataOff, dataLen, bvecsPtr, bvecCount, bioOff);
  if (verdict != FINE) return verdict;
  bvecGather(bvecsPtr, <u64>bioOff, dataPtr + dataOff, dataLen);
  return faultCount() == 0 ? <i32>dataLen : EFAULT;
}

/** FINE if the copy can be done in full. */
function checkCopy(
  dataPtr: usize, dataSize: u32, dataOff: u32, dataLen: u32, bvecsPtr: usize, bvecCount: u32, bioOff: f64,
): i32 {
  const remain = posRemain(dataOff, dataSize);
  if (remain < 0 || dataLen > <u32>remain) return EINVAL;
  if (<u64>dataPtr + dataSize > <u64>memory.size() << 16) return EINVAL;
  // Written so that NaN is refused too.
  if (!(bioOff >= 0 && bioOff <= <f64>WHOLE_MAX)) return EINVAL;
  return bvecCheck(bvecsPtr, bvecCount, <u64>bioOff, dataLen);
}
