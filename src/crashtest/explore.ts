/**
 * Loses power at every moment of a recording, opens what is left like any pool, and asks an oracle whether it may be so.
 *
 * What is always true
 *   - All in process, on one linear memory: an image is made by patching bytes and unmade by putting them back.
 *   - Small sets of images are enumerated completely, larger ones sampled from a seed that is in the summary. An image that was looked at
 *     under the same promises is not looked at again.
 *   - What recovery and the oracle do is recorded too, and power is lost in that as well. Some processes die without loss of power: the next one
 *     then sees bytes that are not durable yet, and power is lost after that.
 */
import { PmsegError } from '../errors.js';
import { MemoryMedium, type Operation } from '../medium/memory.js';
import { Pool, type OpenOptions } from '../pool.js';
import { choices, randomOf, type Bounds, type Random } from './choices.js';
import { Model, type Hash, type Piece } from './model.js';
import type { Acknowledgement, Recording } from './record.js';

export interface ExploreOptions {
  /** Images of one moment that are all looked at; of more, the telling ones and samples are. */
  exhaustiveMax?: number | undefined;
  /** Random images of a moment that is not enumerated completely. */
  sampleCount?: number | undefined;
  seed?: number | undefined;
  /** After every how many images power is lost again, in what followed; 0 = never. */
  againEvery?: number | undefined;
  /** Moments at which it then is; three times as many after a death without loss of power. */
  againCount?: number | undefined;
  /** At every how many moments the process dies without loss of power; 0 = never. */
  killEvery?: number | undefined;
  open?: OpenOptions | undefined;
}

export interface Summary {
  /** Images opened and judged. */
  images: number;
  /** Of them, images that differ in a byte. */
  distinct: number;
  /** Different answers of the oracle. */
  states: number;
  /** Moments of the recording at which power was lost. */
  moments: number;
  /** Of the images, those of a second loss of power. */
  again: number;
  /** Deaths of the process alone. */
  kills: number;
  seed: number;
}

/** What the oracle is shown. */
export interface Outcome {
  /** The pool as opened for writing. */
  readonly pool: Pool;
  /** Values that had been acknowledged before. */
  readonly acknowledged: readonly unknown[];
  /** Says that something was promised now: it must hold when power is lost after this. */
  acknowledge(value: unknown): void;
  /** How to find this image again. */
  readonly where: string;
}

/** Throws when what it is shown cannot be. May return a name for what it saw, to count different states. */
export type Oracle = (outcome: Outcome) => string | void;

/**
 * Explores a recording.
 * @throws Error that names the image, with what `Pool.open` or the oracle threw as its cause
 */
export function explore(recording: Recording, oracle: Oracle, options: ExploreOptions = {}): Summary {
  return new Explorer(recording, oracle, options).run();
}

/** All options, defaults filled in. */
type Settings = { readonly [Name in keyof ExploreOptions]-?: NonNullable<ExploreOptions[Name]> };

/** What was promised, and a number that is the same for the same promises. */
interface Promises {
  readonly id: number;
  readonly values: readonly unknown[];
}

/** What one process did: operations, and what it promised when. */
interface Life {
  readonly id: number;
  readonly operations: readonly Operation[];
  readonly acknowledgements: readonly Acknowledgement[];
  readonly before: Promises;
  readonly where: () => string;
}

class Explorer {
  readonly #recording: Recording;
  readonly #oracle: Oracle;
  readonly #options: Settings;
  readonly #random: Random;
  readonly #medium: MemoryMedium;
  readonly #live: Uint8Array<ArrayBufferLike>;
  /** Images, and images under the promises that they were looked at with. */
  readonly #images = new Set<number>();
  readonly #looked = new Set<number>();
  readonly #states = new Set<string>();
  /** Ids of promises, by the life that made them and their number. */
  readonly #promiseIds = new Map<string, number>();
  #lifeCount = 0;
  readonly #summary: Summary;
  /** What is done to the medium while a pool is looked at, with the bytes that were there before each store. */
  #trace: { operation: Operation; before: Uint8Array | undefined }[] = [];

  constructor(recording: Recording, oracle: Oracle, options: ExploreOptions) {
    this.#recording = recording;
    this.#oracle = oracle;
    this.#options = {
      exhaustiveMax: options.exhaustiveMax ?? 1024,
      sampleCount: options.sampleCount ?? 64,
      seed: options.seed ?? Math.floor(Math.random() * 2 ** 32),
      againEvery: options.againEvery ?? 16,
      againCount: options.againCount ?? 3,
      killEvery: options.killEvery ?? 4,
      open: { ownerSeed: 'recovery', ...options.open },
    };
    this.#random = randomOf(this.#options.seed);
    this.#medium = new MemoryMedium(recording.initial, {
      granularity: recording.granularity,
      onOperation: (operation) => this.#watch(operation),
    });
    this.#live = this.#medium.bytes(0, this.#medium.size);
    this.#summary = { images: 0, distinct: 0, states: 0, moments: 0, again: 0, kills: 0, seed: this.#options.seed };
  }

  #watch(operation: Operation): void {
    const before = operation.kind === 'store' ? this.#live.slice(operation.off, operation.off + operation.bytes.byteLength) : undefined;
    this.#trace.push({ operation, before });
  }

  #model(): Model {
    return new Model(this.#recording.granularity, (off, len) => this.#live.subarray(off, off + len));
  }

  run(): Summary {
    const { operations, acknowledgements } = this.#recording;
    const life: Life = { id: this.#lifeCount++, operations, acknowledgements, before: { id: 0, values: [] }, where: () => '' };
    this.#liveThrough(life, this.#model(), [0, 0], undefined);
    this.#summary.distinct = this.#images.size;
    this.#summary.states = this.#states.size;
    return this.#summary;
  }

  /**
   * Loses power in one life of a process, at every moment or at those in `stops`. The medium holds what is durable, and does so again after.
   * @param hash of what is durable, relative to the recording's beginning
   */
  #liveThrough(life: Life, model: Model, hash: Hash, stops: ReadonlySet<number> | undefined): void {
    const undo: [number, Uint8Array][] = [];
    for (let at = 0; at <= life.operations.length; at++) {
      const operation = life.operations[at - 1];
      for (const { off, from, to } of operation ? model.apply(operation) : []) {
        undo.push([off, from.bytes]);
        this.#live.set(to.bytes, off);
        hash = sum(hash, sum(from.hash, to.hash));
      }
      // A flush changes nothing that a loss of power could show; the next drain will.
      if (operation?.kind === 'flush' && at < life.operations.length) continue;
      if (stops && !stops.has(at)) continue;
      this.#moment(life, model, hash, at, stops === undefined);
    }
    for (const [off, bytes] of undo.reverse()) this.#live.set(bytes, off);
  }

  /** What had been promised when `at` operations were done. */
  #promisesAt(life: Life, at: number): Promises {
    const given = life.acknowledgements.filter((acknowledgement) => acknowledgement.at <= at);
    if (given.length === 0) return life.before;
    const key = `${life.id}:${given.length}`;
    let id = this.#promiseIds.get(key);
    if (id === undefined) this.#promiseIds.set(key, (id = this.#promiseIds.size + 1));
    return { id, values: [...life.before.values, ...given.map(({ value }) => value)] };
  }

  /** All images of one moment. */
  #moment(life: Life, model: Model, hash: Hash, at: number, first: boolean): void {
    const pieces = [...model.pieces.values()];
    const promises = this.#promisesAt(life, at);
    if (first) this.#summary.moments++;
    for (const choice of choices(pieces, this.#bounds(first), this.#random)) {
      const image = pieces.reduce((all, { values }, i) => {
        const chosen = choice[i] as number;
        return chosen === 0 ? all : sum(all, sum(values[0]?.hash as Hash, values[chosen]?.hash as Hash));
      }, hash);
      if (!this.#isNew(image, promises)) continue;
      this.#put(pieces, choice);
      const where = (): string => `${life.where()}power lost at operation ${at} of ${life.operations.length}: ${described(pieces, choice)}`;
      const next = this.#look(promises, where);
      this.#summary.images++;
      if (!first) this.#summary.again++;
      if (first && this.#options.againEvery > 0 && this.#summary.images % this.#options.againEvery === 0)
        this.#liveThrough(next, this.#model(), image, this.#stopsOf(next));
      this.#put(pieces, []);
    }
    if (first && this.#options.killEvery > 0 && at % this.#options.killEvery === 0) this.#kill(life, model, hash, at, pieces, promises);
  }

  #bounds(first: boolean): Bounds {
    const { exhaustiveMax, sampleCount } = this.#options;
    return first ? { exhaustiveMax, sampleCount } : { exhaustiveMax: Math.min(exhaustiveMax, 32), sampleCount: Math.min(sampleCount, 16) };
  }

  #stopsOf(life: Life, count = this.#options.againCount): ReadonlySet<number> {
    return new Set(Array.from({ length: count }, () => this.#random(life.operations.length + 1)));
  }

  /** The process dies; the next one sees everything, durable or not; then power is lost. */
  #kill(life: Life, model: Model, hash: Hash, at: number, pieces: readonly Piece[], promises: Promises): void {
    this.#summary.kills++;
    this.#put(
      pieces,
      pieces.map(({ values }) => values.length - 1),
    );
    const next = this.#look(promises, () => `${life.where()}process killed at operation ${at} of ${life.operations.length}`);
    this.#put(pieces, []);
    // A life that begins on bytes which are not durable is the rarer and the more telling one.
    this.#liveThrough(next, model.fork(), hash, this.#stopsOf(next, 3 * this.#options.againCount));
  }

  /** Gives the pieces the chosen values, or with no choice the durable ones. */
  #put(pieces: readonly Piece[], choice: readonly number[]): void {
    for (let i = 0; i < pieces.length; i++) {
      const { off, values } = pieces[i] as Piece;
      this.#live.set(values[choice[i] ?? 0]?.bytes as Uint8Array, off);
    }
  }

  #isNew([a, b]: Hash, { id }: Promises): boolean {
    this.#images.add(a * 0x200000 + (b & 0x1fffff));
    const key = a * 0x200000 + ((b ^ Math.imul(id, 0x9e3779b1)) & 0x1fffff);
    if (this.#looked.has(key)) return false;
    this.#looked.add(key);
    return true;
  }

  /** Opens the image, asks the oracle, closes; puts everything back. Returns what that life did. */
  #look(before: Promises, where: () => string): Life {
    this.#trace = [];
    const acknowledgements: Acknowledgement[] = [];
    const trace = this.#trace;
    const outcome = {
      acknowledged: before.values,
      acknowledge: (value: unknown): void => void acknowledgements.push({ at: trace.length, value }),
      get where(): string {
        return where();
      },
    };
    this.#medium.reboot();
    try {
      const pool = Pool.open(this.#medium, this.#options.open);
      const state = this.#oracle(Object.assign(Object.create(outcome) as Omit<Outcome, 'pool'>, { pool }));
      if (state !== undefined) this.#states.add(state);
      pool.close({ force: true });
    } catch (cause) {
      throw failure(cause, where(), this.#recording.granularity, this.#options.seed);
    }
    for (let i = trace.length - 1; i >= 0; i--) {
      const { operation, before: bytes } = trace[i] as (typeof trace)[number];
      if (operation.kind === 'store') this.#live.set(bytes as Uint8Array, operation.off);
    }
    const operations = trace.map(({ operation }) => operation);
    return { id: this.#lifeCount++, operations, acknowledgements, before, where: () => `${where()}; then ` };
  }
}

function sum(x: Hash, y: Hash): Hash {
  return [(x[0] ^ y[0]) >>> 0, (x[1] ^ y[1]) >>> 0];
}

/** Which pieces arrived, for people. */
function described(pieces: readonly Piece[], choice: readonly number[]): string {
  const said = pieces.slice(0, 32).map(({ off, values }, i) => `${off}:${choice[i] as number}/${values.length - 1}`);
  return `${pieces.length} pieces (offset:value/newest) ${said.join(' ')}${pieces.length > 32 ? ' …' : ''}`;
}

function failure(cause: unknown, where: string, granularity: string, seed: number): Error {
  const code = cause instanceof PmsegError ? `${cause.code}: ` : '';
  const message = cause instanceof Error ? cause.message : String(cause);
  // Oracles mostly say where themselves.
  const what = message.replace(`${where}: `, '');
  return new Error(`${where} (${granularity}, seed ${seed}): ${code}${what}`, { cause });
}
