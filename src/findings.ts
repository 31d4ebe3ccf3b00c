/**
 * What a check can find: every code, how bad it is, what it means, and what `--repair` does about it. docs/CHECK.md is this table.
 *
 * What is always true
 *   - Codes are stable. A note is how power loss looks; damage is what lost something durable, or would lose it at the next fault.
 *   - Repair writes a good copy of a record over a bad one and nothing else; what opening for writing does is said as such.
 */

export type Severity = 'note' | 'damage';

interface Row {
  readonly severity: Severity;
  readonly meaning: string;
  /** What `check --repair` does about it, opening for writing included. */
  readonly repair: string;
}

const COPY = 'writes the good copy over the bad one';
const NOTHING = 'nothing';

export const FINDINGS = {
  UNCLEAN: { severity: 'note', meaning: 'the pool was not closed; recovery does not depend on it', repair: 'closes it' },
  UPDATE_UNFINISHED: {
    severity: 'note',
    meaning: 'an update was cut short: the copies are one step apart, or one is bad in a pool that was not closed',
    repair: 'completes it',
  },
  ORPHAN: {
    severity: 'note',
    meaning: 'a segment of an object or log that was never committed, was replaced or removed, or that its intact chain does not reach',
    repair: 'frees it',
  },
  MARK_UNFINISHED: {
    severity: 'note',
    meaning: 'free records above the high-water mark: a rise of the mark was cut short',
    repair: `${NOTHING}; its first use writes them anew`,
  },
  STRAY_BYTES: {
    severity: 'note',
    meaning: 'metadata pages above the high-water mark that are neither zero nor records',
    repair: `${NOTHING}; its first use writes them anew`,
  },
  TORN_TAIL: {
    severity: 'note',
    meaning: 'bytes behind the end of a log that are no record and that nothing proves to have been durable',
    repair: `${NOTHING}; the next append writes over them`,
  },
  SUPERBLOCK_DEGRADED: { severity: 'damage', meaning: 'one of the two superblocks is bad', repair: COPY },
  INFO_DEGRADED: { severity: 'damage', meaning: "one of the two copies of a segment's info is bad", repair: COPY },
  OWNER_DEGRADED: { severity: 'damage', meaning: 'one of the two copies of an owner record is bad', repair: COPY },
  INFO_LOST: { severity: 'damage', meaning: 'no copy of the info verifies', repair: NOTHING },
  OWNER_LOST: { severity: 'damage', meaning: 'no copy of the owner record verifies', repair: NOTHING },
  INFO_MISSING: { severity: 'damage', meaning: 'both copies of the info are zero below the high-water mark', repair: NOTHING },
  OWNER_MISSING: { severity: 'damage', meaning: 'both copies of the owner record are zero below the high-water mark', repair: NOTHING },
  INFO_SPLIT: { severity: 'damage', meaning: 'both copies of the info verify but are not one step apart', repair: NOTHING },
  OWNER_SPLIT: { severity: 'damage', meaning: 'both copies of the owner record verify but are not one step apart', repair: NOTHING },
  INFO_INVALID: {
    severity: 'damage',
    meaning: 'the info verifies but breaks a rule of the format, which the message names',
    repair: NOTHING,
  },
  OWNER_INVALID: {
    severity: 'damage',
    meaning: 'the owner record verifies but breaks a rule of the format, which the message names',
    repair: NOTHING,
  },
  OWNER_MISMATCH: { severity: 'damage', meaning: 'info and owner record say different kinds', repair: NOTHING },
  LIVES_SPENT: {
    severity: 'damage',
    meaning: 'the generation of a free segment cannot rise any more: it is never allocated',
    repair: NOTHING,
  },
  OWNER_TWICE: { severity: 'damage', meaning: 'two committed heads have one owner id', repair: NOTHING },
  NAME_TWICE: {
    severity: 'damage',
    meaning: 'two committed heads have one name and none replaced the other: the first is shown',
    repair: NOTHING,
  },
  CHAIN_BROKEN: {
    severity: 'damage',
    meaning: 'a chain leads to a segment that is damaged, not in use or not its continuation; what is before it can be read',
    repair: NOTHING,
  },
  CHAIN_CROSSED: { severity: 'damage', meaning: "a chain leads into another one's, to which the segment then belongs", repair: NOTHING },
  CHAIN_SHORT: { severity: 'damage', meaning: 'an object has more bytes than its chain', repair: NOTHING },
  UNREACHED: {
    severity: 'damage',
    meaning: 'a segment of an object or log that damage hides or may hide: never freed by opening',
    repair: NOTHING,
  },
  USED_ABOVE_MARK: { severity: 'damage', meaning: 'a record above the high-water mark says that the segment is in use', repair: NOTHING },
  LOG_DAMAGED: {
    severity: 'damage',
    meaning: 'a record of a log is bad although it had been durable; appends are refused until the log is cut',
    repair: `${NOTHING}; \`log cut\` gives up what is behind it`,
  },
  DATA_CORRUPT: { severity: 'damage', meaning: "an object's bytes do not have the CRC that they were put with", repair: NOTHING },
  DATA_LOST: { severity: 'damage', meaning: 'the medium cannot deliver bytes of an object or log', repair: NOTHING },
  DATA_UNREADABLE: {
    severity: 'damage',
    meaning: 'an object or log cannot be read for another reason, which the message names',
    repair: NOTHING,
  },
  BAD_RANGE: { severity: 'damage', meaning: 'the medium cannot deliver a range of the pool', repair: 'nothing; `pool.repair` can' },
} as const satisfies Record<string, Row>;

export type FindingCode = keyof typeof FINDINGS;

/** Something that a check found. Offsets count from the beginning of the pool. */
export interface Finding {
  severity: Severity;
  /** Stable: a key of FINDINGS. */
  code: FindingCode;
  segmentId: number | undefined;
  offset: number | undefined;
  message: string;
}

/** A finding, with the severity that belongs to its code. */
export function finding(code: FindingCode, segmentId: number | undefined, offset: number | undefined, message: string): Finding {
  return { severity: FINDINGS[code].severity, code, segmentId, offset, message };
}
