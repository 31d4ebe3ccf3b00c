/**
 * Crash enumerator: what a pool looks like after power was lost at any moment of a workload, and whether it recovers.
 *
 * A workload runs on a medium in memory that records every store, flush and drain. At each point of the recording the bytes since the last
 * drain may or may not have arrived, piece by piece: 8-byte words of 64-byte lines where the granularity is `cache-line` or `byte`, 512-byte
 * sectors of 4 KiB pages where it is `page`. Every piece takes any of the values that it had since it was last durable, independently of all
 * others. Each such image is opened like any pool, and an oracle looks at what is there.
 *
 * What is always true
 *   - All in process, on one linear memory: an image is made by patching bytes and unmade by putting them back.
 *   - Small sets of images are enumerated completely; of larger ones the extremes (nothing, everything, all but one, only one) and seeded
 *     samples are taken. The seed is in the summary.
 *   - What recovery itself writes is recorded too, and power is lost in it again.
 */
import { PmsegError } from './errors.js';
import type { Granularity } from './medium.js';
import { MemoryMedium, type Operation } from './medium/memory.js';
import { Pool, type OpenOptions } from './pool.js';
import type { FormatOptions } from './create.js';

/** Something that the workload was told, at a point of the recording: from there on it must hold. */
export interface Acknowledgement {
  /** Operations that had been recorded when it was given. */
  readonly at: number;
  readonly value: unknown;
}

export interface Recording {
  readonly granularity: Granularity;
  /** The medium before the workload. */
  readonly initial: Uint8Array;
  readonly operations: readonly Operation[];
  readonly acknowledgements: readonly Acknowledgement[];
}

export interface RecordOptions extends FormatOptions {
  /** Bytes of the pool. */
  size: number;
  granularity: Granularity;
  /** Runs before the recording begins; what it does is durable. */
  setup?: (pool: Pool) => void;
  /** What is recorded. `acknowledge` says that something was promised: the oracle gets all values promised before the crash. */
  workload: (pool: Pool, acknowledge: (value: unknown) => void) => void;
  /** Records from the opening of the pool on, not only from the workload. */
  withOpen?: boolean;
  open?: OpenOptions;
}

/** Runs a workload once and records what it does to the medium. */
export function record(options: RecordOptions): Recording {
  const operations: Operation[] = [];
  const acknowledgements: Acknowledgement[] = [];
  let recording = false;
  const onOperation = (operation: Operation): void => {
    if (recording) operations.push(operation);
  };
  const medium = new MemoryMedium(options.size, { granularity: options.granularity, onOperation });
  Pool.format(medium, options);
  const open = { ownerSeed: 'crashtest', ...options.open };
  if (options.setup) {
    const pool = Pool.open(medium, open);
    options.setup(pool);
    pool.close();
  }
  let initial = medium.image();
  recording = options.withOpen ?? false;
  const pool = Pool.open(medium, open);
  if (!recording) {
    pool.drain();
    initial = medium.image();
    recording = true;
  }
  options.workload(pool, (value) => acknowledgements.push({ at: operations.length, value }));
  recording = false;
  return { granularity: options.granularity, initial, operations, acknowledgements };
}

export interface ExploreOptions {
  /** Images of one crash point that are enumerated completely; more are sampled. */
  exhaustiveMax?: number;
  /** Random samples of a crash point that is not enumerated completely. */
  sampleCount?: number;
  seed?: number;
  /** Points in recovery at which power is lost again, of each image that is looked at; 0 = none. */
  againCount?: number;
  /** Every how many images recovery is crashed. */
  againEvery?: number;
  open?: OpenOptions;
}

export interface Summary {
  /** Images opened. */
  images: number;
  /** Images that differ from each other. */
  distinct: number;
  /** Points of the workload at which power was lost. */
  points: number;
  /** Images of crashes inside recovery, of `images`. */
  again: number;
  seed: number;
}

/** What the oracle is shown. */
export interface Outcome {
  /** The pool as opened for writing after the crash. */
  readonly pool: Pool;
  /** Values that had been acknowledged before the power was lost. */
  readonly acknowledged: readonly unknown[];
  /** How to find this image again. */
  readonly where: string;
}

/** A piece of the medium that may or may not have arrived: offset, and the values that it had since it was durable, oldest first. */
interface Atom {
  readonly off: number;
  readonly values: Uint8Array[];
}

/** Which piece of which size may be torn from the others. */
const ATOM_SIZES: Record<Granularity, number> = { byte: 8, 'cache-line': 8, page: 512 };
const LINE_SIZE = 64;

/**
 * The medium as it may be at a moment: durable bytes, and the pieces about which nothing is known.
 */
class Volatile {
  readonly #atomSize: number;
  readonly #granularity: Granularity;
  /** Newest values, as loads see them. */
  readonly newest: Uint8Array;
  readonly atoms = new Map<number, Atom>();
  /** Offsets of lines that have been flushed and not stored to since. */
  readonly #flushed = new Set<number>();

  constructor(granularity: Granularity, image: Uint8Array) {
    this.#granularity = granularity;
    this.#atomSize = ATOM_SIZES[granularity];
    this.newest = image.slice();
  }

  apply(operation: Operation): void {
    if (operation.kind === 'store') this.#store(operation.off, operation.bytes);
    else if (operation.kind === 'flush') this.#flush(operation.off, operation.len);
    else this.#drain();
  }

  #atomAt(off: number): Atom {
    let atom = this.atoms.get(off);
    if (!atom) {
      atom = { off, values: [this.newest.slice(off, off + this.#atomSize)] };
      this.atoms.set(off, atom);
    }
    return atom;
  }

  #store(begin: number, bytes: Uint8Array): void {
    const size = this.#atomSize;
    const first = Math.floor(begin / size) * size;
    for (let off = first; off < begin + bytes.byteLength; off += size) this.#atomAt(off);
    this.newest.set(bytes, begin);
    for (let off = first; off < begin + bytes.byteLength; off += size) this.#atomAt(off).values.push(this.newest.slice(off, off + size));
    for (let line = Math.floor(begin / LINE_SIZE) * LINE_SIZE; line < begin + bytes.byteLength; line += LINE_SIZE)
      this.#flushed.delete(line);
  }

  #flush(begin: number, len: number): void {
    for (let line = Math.floor(begin / LINE_SIZE) * LINE_SIZE; line < begin + len; line += LINE_SIZE) this.#flushed.add(line);
  }

  /** fdatasync makes everything durable; a fence only what was flushed. */
  #drain(): void {
    for (const off of this.atoms.keys()) {
      const line = Math.floor(off / LINE_SIZE) * LINE_SIZE;
      if (this.#granularity !== 'cache-line' || this.#flushed.has(line)) this.atoms.delete(off);
    }
    this.#flushed.clear();
  }

  /** What of the medium is durable. */
  durable(): Uint8Array {
    const image = this.newest.slice();
    for (const { off, values } of this.atoms.values()) image.set(values[0] as Uint8Array, off);
    return image;
  }
}

/** Small, seeded, good enough to choose subsets. */
function randomOf(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 12), 0x297a2d39);
    mixed = (mixed ^ (mixed >>> 15)) >>> 0;
    return mixed % limit;
  };
}

/** Choices of a value for each atom: all of them, or extremes and samples. */
function* choices(atoms: readonly Atom[], options: Required<ExploreOptions>, random: (limit: number) => number): Generator<number[]> {
  const counts = atoms.map(({ values }) => values.length);
  const total = counts.reduce((product, count) => Math.min(product * count, Number.MAX_SAFE_INTEGER), 1);
  if (total <= options.exhaustiveMax) {
    for (let number = 0; number < total; number++) {
      let rest = number;
      yield counts.map((count) => {
        const choice = rest % count;
        rest = Math.floor(rest / count);
        return choice;
      });
    }
    return;
  }
  const newest = counts.map((count) => count - 1);
  yield counts.map(() => 0);
  yield newest;
  const step = Math.max(1, Math.floor(atoms.length / options.sampleCount));
  for (let i = 0; i < atoms.length; i += step) {
    yield newest.map((value, j) => (i === j ? 0 : value));
    yield counts.map((count, j) => (i === j ? count - 1 : 0));
    // Everything up to here, nothing behind it, and the other way round.
    yield newest.map((value, j) => (j < i ? value : 0));
    yield newest.map((value, j) => (j < i ? 0 : value));
  }
  for (let n = 0; n < options.sampleCount; n++) yield counts.map((count) => random(count));
}

/** FNV-1a over a choice and the number of its crash point's durable state: tells images apart, well enough to count them. */
function fingerprint(seed: number, atoms: readonly Atom[], choice: readonly number[]): number {
  let hash = seed >>> 0;
  let high = 0x811c9dc5;
  atoms.forEach(({ off, values }, i) => {
    const value = values[choice[i] as number] as Uint8Array;
    for (let b = 0; b < value.byteLength; b += value.byteLength > 64 ? 8 : 1) {
      hash = Math.imul(hash ^ (value[b] as number) ^ (off & 0xff), 0x01000193);
      high = Math.imul(high ^ (value[b] as number) ^ (off >>> 8), 0x85ebca6b);
    }
  });
  return (hash >>> 0) * 0x200000 + ((high >>> 0) & 0x1fffff);
}

/**
 * Loses power at every point of a recording, opens every image and asks the oracle.
 * @param oracle throws when what it is shown cannot be; whatever `Pool.open` or the oracle throws ends the exploration with the place named
 */
export function explore(recording: Recording, oracle: (outcome: Outcome) => void, options: ExploreOptions = {}): Summary {
  const settings: Required<ExploreOptions> = {
    exhaustiveMax: options.exhaustiveMax ?? 64,
    sampleCount: options.sampleCount ?? 24,
    seed: options.seed ?? Math.floor(Math.random() * 2 ** 32),
    againCount: options.againCount ?? 4,
    againEvery: options.againEvery ?? 16,
    open: { ownerSeed: 'recovery', ...options.open },
  };
  const random = randomOf(settings.seed);
  const explorer = new Explorer(recording, oracle, settings, random);
  const state = new Volatile(recording.granularity, recording.initial);
  for (let at = 0; at <= recording.operations.length; at++) {
    const operation = recording.operations[at - 1];
    if (operation) state.apply(operation);
    // A flush changes nothing that a crash could show; the next store or drain will.
    if (operation?.kind !== 'flush') explorer.point(state, at, `operation ${at}`, true);
  }
  return explorer.summary;
}

class Explorer {
  readonly summary: Summary;
  readonly #recording: Recording;
  readonly #oracle: (outcome: Outcome) => void;
  readonly #options: Required<ExploreOptions>;
  readonly #random: (limit: number) => number;
  readonly #medium: MemoryMedium;
  readonly #seen = new Set<number>();
  /** What recovery and oracle do to the medium. */
  #trace: Operation[] = [];

  constructor(
    recording: Recording,
    oracle: (outcome: Outcome) => void,
    options: Required<ExploreOptions>,
    random: (limit: number) => number,
  ) {
    this.#recording = recording;
    this.#oracle = oracle;
    this.#options = options;
    this.#random = random;
    this.#medium = new MemoryMedium(recording.initial, {
      granularity: recording.granularity,
      onOperation: (operation) => this.#trace.push(operation),
    });
    this.summary = { images: 0, distinct: 0, points: 0, again: 0, seed: options.seed };
  }

  /** All images of one moment. */
  point(state: Volatile, at: number, where: string, mayCrashAgain: boolean): void {
    if (mayCrashAgain) this.summary.points++;
    const atoms = [...state.atoms.values()];
    const base = state.durable();
    let n = 0;
    for (const choice of choices(atoms, this.#options, this.#random)) {
      const name = `${where}, image ${n++} of ${atoms.length} pieces (${this.#recording.granularity}, seed ${this.#options.seed})`;
      this.#seen.add(fingerprint(at, atoms, choice));
      const image = base.slice();
      atoms.forEach(({ off, values }, i) => image.set(values[choice[i] as number] as Uint8Array, off));
      const trace = this.#look(image, at, name);
      if (mayCrashAgain && this.#options.againCount > 0 && this.summary.images % this.#options.againEvery === 0)
        this.#again(image, trace, at, name);
    }
    this.summary.distinct = this.#seen.size;
  }

  /** Opens one image and asks the oracle; returns what opening did to the medium. */
  #look(image: Uint8Array, at: number, where: string): Operation[] {
    this.summary.images++;
    this.#medium.restore(image);
    this.#trace = [];
    const acknowledged = this.#recording.acknowledgements.filter((given) => given.at <= at).map(({ value }) => value);
    let opened: Operation[] = [];
    try {
      const pool = Pool.open(this.#medium, this.#options.open);
      opened = this.#trace;
      this.#trace = [];
      this.#oracle({ pool, acknowledged, where });
      pool.close({ force: true });
    } catch (cause) {
      const code = cause instanceof PmsegError ? `${cause.code}: ` : '';
      throw new Error(`after power loss at ${where}: ${code}${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    }
    return opened;
  }

  /** Power is lost again while the image is being recovered. */
  #again(image: Uint8Array, trace: readonly Operation[], at: number, where: string): void {
    const state = new Volatile(this.#recording.granularity, image);
    const stops = new Set(Array.from({ length: this.#options.againCount }, () => this.#random(trace.length + 1)));
    const inner = {
      ...this.#options,
      exhaustiveMax: Math.min(16, this.#options.exhaustiveMax),
      sampleCount: Math.min(4, this.#options.sampleCount),
    };
    trace.forEach((operation, i) => {
      state.apply(operation);
      if (!stops.has(i)) return;
      const atoms = [...state.atoms.values()];
      const base = state.durable();
      for (const choice of choices(atoms, inner, this.#random)) {
        const second = base.slice();
        atoms.forEach(({ off, values }, j) => second.set(values[choice[j] as number] as Uint8Array, off));
        this.summary.again++;
        this.#look(second, at, `${where}, then again at operation ${i + 1} of recovery`);
      }
    });
  }
}
