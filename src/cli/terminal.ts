/**
 * What every verb shares: output, exit status, sizes, the progress bar.
 *
 * What is always true
 *   - stdout is for data and for the one JSON object of `--json`, stderr for people.
 *   - Exit status 0 is fine; 1 damage or a negative answer; 2 bad usage, not a pool, unreadable.
 */
import { once } from 'node:events';
import { SingleBar } from 'cli-progress';
import { PmsegError, rangeError, type PmsegCode } from '../errors.js';

export const EXIT = { fine: 0, negative: 1, unusable: 2 } as const;

/** Codes that are an answer rather than a failure to answer: exit status 1. */
const NEGATIVE = new Set<PmsegCode>([
  'ERR_PMSEG_NO_ENTRY',
  'ERR_PMSEG_EXISTS',
  'ERR_PMSEG_CORRUPT',
  'ERR_PMSEG_DAMAGED',
  'ERR_PMSEG_MEDIA',
  'ERR_PMSEG_FULL',
  'ERR_PMSEG_NO_SPACE',
  'ERR_PMSEG_SEALED',
]);

/** Damage of the pool itself, found at open, means that nothing could be looked at. */
export function exitStatusOf(error: unknown, opened: boolean): number {
  if (!(error instanceof PmsegError) || !NEGATIVE.has(error.code)) return EXIT.unusable;
  if (!opened && (error.code === 'ERR_PMSEG_CORRUPT' || error.code === 'ERR_PMSEG_DAMAGED' || error.code === 'ERR_PMSEG_MEDIA'))
    return EXIT.unusable;
  return EXIT.negative;
}

/** Says what went wrong: one line for people, or one JSON object. */
export function reportError(error: unknown, json: boolean): void {
  if (json) {
    const shown =
      error instanceof PmsegError
        ? error.toJSON()
        : {
            code: (error as { code?: string }).code ?? 'ERR_PMSEG_INTERNAL',
            message: error instanceof Error ? error.message : String(error),
          };
    process.stdout.write(`${JSON.stringify({ error: shown })}\n`);
  } else process.stderr.write(`pmseg: ${error instanceof Error ? error.message : String(error)}\n`);
}

/** The answer of a verb: one JSON object with `--json`, else lines. */
export function answer(json: boolean, value: Record<string, unknown>, lines: readonly string[]): void {
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : lines.map((line) => `${line}\n`).join(''));
}

/** Writes to stdout no faster than its reader takes it. */
export async function pour(bytes: Uint8Array): Promise<void> {
  // The bytes lie in shared memory that will be used again: what the stream may keep must be a copy.
  if (!process.stdout.write(Uint8Array.from(bytes))) await once(process.stdout, 'drain');
}

const UNITS: Record<string, number> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/**
 * `16MiB`, `1e9`, `512`, `1.5GiB` → bytes.
 * @throws RangeError
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?(?:e\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = UNITS[(match?.[2] ?? '').toUpperCase()];
  const size = match && unit !== undefined ? Math.floor(Number(match[1]) * unit) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw rangeError(`"${text}" is not a size: write 512, 1e9, 64KiB, 16MiB, 4GiB, 1TiB`);
  return size;
}

/** Bytes for people. */
export function formatSize(size: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let index = 0;
  let value = size;
  while (value >= 1024 && index < units.length - 1) {
    value /= 1024;
    index++;
  }
  return index === 0 ? `${size} B` : `${Number(value.toFixed(1))} ${units[index]}`;
}

/** Work shorter than this shows no bar. */
const BAR_AFTER_MS = 300;

/** A progress bar on a terminal for work that takes a while; nothing anywhere else. */
export class Progress {
  readonly #title: string;
  readonly #shown: boolean;
  readonly #begin = Date.now();
  #bar: SingleBar | undefined;

  constructor(title: string, json: boolean) {
    this.#title = title;
    this.#shown = !json && process.stderr.isTTY === true;
  }

  /** `total` 0: not known. */
  readonly update = (done: number, total: number): void => {
    if (!this.#shown || total === 0) return;
    if (!this.#bar) {
      if (Date.now() - this.#begin < BAR_AFTER_MS) return;
      this.#bar = new SingleBar({
        format: `${this.#title} [{bar}] {percentage}% of {size}, {eta_formatted} left`,
        stream: process.stderr,
        clearOnComplete: true,
        hideCursor: true,
      });
      this.#bar.start(total, done, { size: formatSize(total) });
    }
    this.#bar.update(done);
  };

  stop(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }
}
