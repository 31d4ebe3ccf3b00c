/** What a log gives out: its records, and where it is damaged. */
import type { PmsegError } from '../errors.js';

/** A record as read. */
export interface LogRecord {
  /** Where it begins; pass it to `trim` or `records({ from })`. */
  readonly position: number;
  /** A copy of the payload. */
  readonly data: Uint8Array<ArrayBuffer>;
}

/** Where a log is damaged: a record is bad although something after it proves that it had been durable. */
export interface LogDamage {
  /** Position of the bad record: everything before it is good. */
  readonly position: number;
  /** Position of what proves it. */
  readonly provedBy: number;
  /** Set where the medium has lost bytes: what they held is unknown, so it counts as having been durable. */
  readonly lost: PmsegError | undefined;
}
