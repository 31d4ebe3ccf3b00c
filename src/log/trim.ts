/**
 * What a trim does to the chain of a log.
 *
 * What is always true: the trim position is in force before; the head stays, it has the name; nothing points to a segment that is given back.
 */
import { linkSegment, releaseSegments } from '../allocator.js';
import type { Store } from './store.js';
import type { LogSegment } from './walk.js';

/** Unlinks and frees a log's segments between the head and the one with index `liveIndex`. */
export function dropDead(
  store: Store,
  headId: number,
  segments: readonly LogSegment[],
  liveIndex: number,
  keep: (kept: LogSegment[]) => void,
): void {
  const dead = segments.filter(({ index }) => index > 0 && index < liveIndex);
  if (dead.length === 0) return;
  const kept = segments.filter(({ index }) => index === 0 || index >= liveIndex);
  linkSegment(store.engine, headId, kept[1]?.id);
  keep(kept);
  releaseSegments(
    store.engine,
    dead.map(({ id }) => id),
  );
}
