/** Public names, in the order in which a program meets them. */
export { Pool, type OpenOptions, type Status } from './pool.js';
export type { CreateOptions, FormatOptions } from './create.js';
export { Segment, View, type SegmentType } from './segment.js';
export { SegmentPos } from './pos.js';
export { Bio } from './bio.js';
export { ObjectReader, ObjectWriter, type PutOptions } from './log/object.js';
export { Log, type LogDamage, type LogRecord } from './log/log.js';
export type { Entry } from './catalog.js';
export { FINDINGS, type Finding, type FindingCode } from './findings.js';
export { checkPool, isSound, type CheckOptions, type CheckResult } from './check.js';
export { CODES, PmsegError, type PmsegCode } from './errors.js';
export type { BadRange, Geometry, Granularity, Medium, Mode } from './medium.js';
export { MemoryMedium, type MemoryOptions, type Operation } from './medium/memory.js';
