/**
 * Bvec tables: pieces of memory that a bio strings together.
 *
 * What is always true
 *   - A table is read, never changed: a bio's own position is its owner's.
 *   - Copying begins only after the table was found to hold the bytes asked for, all of them inside memory: a copy is whole or not begun.
 *   - A piece may overlap the other side of its copy. Pieces are copied one after the other, so a piece whose copy changes the source of
 *     a later one is seen there.
 */
import { BVEC_SIZE } from "./plan";
import { EINVAL, EIO, FINE } from "./verdicts";
import { Bvec } from "./layout";

/** Bytes in all pieces. */
export function bvecLen(bvecsPtr: usize, count: u32): f64 {
  let total: u64 = 0;
  for (let i: u32 = 0; i < count; i++) total += bvecAt(bvecsPtr, i).len;
  return <f64>total;
}

/** FINE if the table has `len` bytes from its byte `skip` on, inside memory: EIO if it has fewer, EINVAL if they are elsewhere. */
export function bvecCheck(bvecsPtr: usize, count: u32, skip: u64, len: u32): i32 {
  const memorySize = <u64>memory.size() << 16;
  let left = len;
  for (let i: u32 = 0; i < count && left > 0; i++) {
    const bvec = bvecAt(bvecsPtr, i);
    const head = min<u64>(skip, bvec.len);
    const take = min<u64>(bvec.len - head, left);
    if (take > 0 && <u64>bvec.ptr + head + take > memorySize) return EINVAL;
    skip -= head;
    left -= <u32>take;
  }
  return left == 0 ? FINE : EIO;
}

/** Copies `len` bytes at `ptr` to the table's bytes from `skip` on. `bvecCheck` has said FINE. */
export function bvecScatter(bvecsPtr: usize, skip: u64, ptr: usize, len: u32): void {
  for (let i: u32 = 0, done: u32 = 0; done < len; i++) {
    const bvec = bvecAt(bvecsPtr, i);
    const head = <u32>min<u64>(skip, bvec.len);
    const take = min(bvec.len - head, len - done);
    memory.copy(bvec.ptr + head, ptr + done, take);
    skip -= head;
    done += take;
  }
}

/** Copies `len` of the table's bytes from `skip` on to `ptr`. `bvecCheck` has said FINE. */
export function bvecGather(bvecsPtr: usize, skip: u64, ptr: usize, len: u32): void {
  for (let i: u32 = 0, done: u32 = 0; done < len; i++) {
    const bvec = bvecAt(bvecsPtr, i);
    const head = <u32>min<u64>(skip, bvec.len);
    const take = min(bvec.len - head, len - done);
    memory.copy(ptr + done, bvec.ptr + head, take);
    skip -= head;
    done += take;
  }
}

function bvecAt(bvecsPtr: usize, index: u32): Bvec {
  return changetype<Bvec>(bvecsPtr + index * BVEC_SIZE);
}
