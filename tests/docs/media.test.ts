/**
 * Goal: docs/MEDIA.md shows the bytes that the code writes.
 * Method: make the example pool again (fixed uuid, seeded owner ids), render its records field by field from media.ts's offsets, and
 * look for exactly these lines in the document. UPDATE_DOCS=1 writes them into it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import * as media from '../../assembly/media.js';
import { MemoryMedium, Pool } from '../../src/index.js';
import { suite } from '../kit/suite.js';

const test = suite('docs/MEDIA.md');
const DOCUMENT = new URL('../../../docs/MEDIA.md', import.meta.url);

/** [offset in the record, bytes, what it is] */
type Field = [number, number, string];

const HEADER: Field[] = [
  [media.META_CRC_OFF, 4, 'crc'],
  [media.META_SEQ_OFF, 1, 'seq'],
  [media.META_VERSION_OFF, 1, 'version'],
  [media.META_RES_OFF, 2, 'res'],
];
const SUPERBLOCK: Field[] = [
  ...HEADER,
  [media.SUPERBLOCK_MAGIC_OFF, 8, 'magic "PMSEGv1\\0"'],
  [media.SUPERBLOCK_INCOMPAT_OFF, 4, 'incompat features'],
  [media.SUPERBLOCK_RO_COMPAT_OFF, 4, 'ro_compat features'],
  [media.SUPERBLOCK_COMPAT_OFF, 4, 'compat features'],
  [media.SUPERBLOCK_STATE_OFF, 4, 'state: 1 clean, 2 dirty'],
  [media.SUPERBLOCK_UUID_OFF, 16, 'uuid'],
  [media.SUPERBLOCK_POOL_SIZE_OFF, 8, 'pool size'],
  [media.SUPERBLOCK_SEGMENTS_OFF_OFF, 8, 'segments_off'],
  [media.SUPERBLOCK_SEGMENT_SIZE_OFF, 4, 'segment_size'],
  [media.SUPERBLOCK_SEGMENT_COUNT_OFF, 4, 'segment_count'],
  [media.SUPERBLOCK_DATA_OFF_OFF, 4, 'data_off'],
  [media.SUPERBLOCK_HIGH_WATER_OFF, 4, 'high-water segment id'],
  [media.SUPERBLOCK_EPOCH_OFF, 8, 'epoch'],
  [media.SUPERBLOCK_RES_OFF, 8, 'reserved, zero'],
  [media.SUPERBLOCK_LABEL_OFF, 16, 'label (first 16 of 64 bytes)'],
];
const INFO: Field[] = [
  ...HEADER,
  [media.INFO_FLAGS_OFF, 4, 'flags: bit 0 has-next, bits 1-4 type'],
  [media.INFO_NEXT_OFF, 4, 'next_seg'],
  [media.INFO_SEGMENT_ID_OFF, 4, 'seg_id'],
  [media.INFO_DATA_OFF_OFF, 4, 'data_off'],
];
const OWNER: Field[] = [
  ...HEADER,
  [media.OWNER_POOL_UUID_OFF, 16, 'pool uuid'],
  [media.OWNER_SEGMENT_ID_OFF, 4, 'segment id'],
  [media.OWNER_KIND_OFF, 4, 'kind: 2 object, 3 log'],
  [media.OWNER_ID_OFF, 8, 'owner id'],
  [media.OWNER_GENERATION_OFF, 8, 'generation'],
  [media.OWNER_CHAIN_INDEX_OFF, 4, 'chain index'],
  [media.OWNER_STATE_OFF, 4, 'state: 1 building, 2 committed, 3 sealed'],
  [media.OWNER_BYTE_LEN_OFF, 8, 'byte length'],
  [media.OWNER_REPLACES_OFF, 8, 'owner id that it replaced'],
  [media.OWNER_TRIM_POS_OFF, 8, 'trim position'],
  [media.OWNER_DATA_CRC_OFF, 4, 'CRC-32C of the data'],
  [media.OWNER_NAME_LEN_OFF, 4, 'name length'],
  [media.OWNER_PAD_OFF, media.OWNER_NAME_OFF - media.OWNER_PAD_OFF, 'padding, zero'],
  [media.OWNER_NAME_OFF, 16, 'name (first 16 of 1024 bytes)'],
];
const LOG_HEADER: Field[] = [
  [media.LOG_CRC_OFF, 4, 'crc'],
  [media.LOG_LEN_KIND_OFF, 4, 'bits 0-29 length, bits 30-31 kind'],
  [media.LOG_SEQUENCE_OFF, 8, 'sequence'],
  [media.LOG_DURABLE_POS_OFF, 8, 'durable-up-to position'],
];

/** The pool of the document: one object of two chunks of text, one log of two records, closed cleanly. */
function exampleImage(): Uint8Array {
  const medium = new MemoryMedium(5 * 1024 * 1024 + media.COPY_SIZE);
  Pool.format(medium, { segmentSize: 1024 * 1024, label: 'example', uuid: '00112233-4455-6677-8899-aabbccddeeff' });
  const pool = Pool.open(medium, { ownerSeed: 'MEDIA.md' });
  pool.put('greeting', Buffer.from('hello, medium'));
  const log = pool.log('journal', { create: true });
  log.append(Buffer.from('first'));
  log.append(Buffer.from('second record'));
  log.persist();
  pool.close();
  return medium.image();
}

/** One line a field: pool offset, bytes, what they are. Long fields go over several lines. */
function render(image: Uint8Array, base: number, fields: Field[]): string {
  const lines: string[] = [];
  for (const [off, len, title] of fields) {
    for (let at = 0; at < len; at += 8) {
      const bytes = image.subarray(base + off + at, base + off + Math.min(len, at + 8));
      const offText = (base + off + at).toString(16).padStart(8, '0');
      lines.push(`${offText}  ${Buffer.from(bytes).toString('hex').replace(/../g, '$& ').padEnd(26)}${at === 0 ? title : ''}`.trimEnd());
    }
  }
  return lines.join('\n');
}

const image = exampleImage();
const segment = (id: number): number => media.SEGMENTS_OFF + id * 1024 * 1024;
const logData = segment(1) + media.DATA_OFF;
const payload = (len: number): Field => [media.LOG_HEADER_SIZE, Math.ceil(len / 8) * 8, 'payload, zeros up to a multiple of 8'];
const BLOCKS: Record<string, string> = {
  superblock: render(image, 0, SUPERBLOCK),
  'object-info': render(image, segment(0) + media.SEGMENT_INFO_OFF, INFO),
  'object-owner': render(image, segment(0) + media.SEGMENT_OWNER_OFF, OWNER),
  'object-data': render(image, segment(0) + media.DATA_OFF, [[0, 16, 'data']]),
  'log-epoch': render(image, logData, [...LOG_HEADER, [media.LOG_HEADER_SIZE, 8, 'payload: epoch']]),
  'log-first': render(image, logData + 32, [...LOG_HEADER, payload(5)]),
  'log-second': render(image, logData + 64, [...LOG_HEADER, payload(13)]),
};

for (const [name, expected] of Object.entries(BLOCKS)) {
  test(`the ${name} dump is what the code writes`, () => {
    const text = readFileSync(DOCUMENT, 'utf8');
    const block = new RegExp(`(\`\`\`dump ${name}\\n)([^\`]*?)(\\n?\`\`\`)`);
    const shown = block.exec(text)?.[2];
    if (process.env['UPDATE_DOCS']) writeFileSync(DOCUMENT, text.replace(block, `$1${expected}\n\`\`\``));
    else assert.is(shown, expected);
  });
}

test('both copies of every record in the example are equal', () => {
  const end = image.byteLength - media.COPY_SIZE;
  assert.equal(image.subarray(0, media.COPY_SIZE), image.subarray(end, end + media.COPY_SIZE));
  for (const id of [0, 1, 2]) {
    for (const home of [media.SEGMENT_INFO_OFF, media.SEGMENT_OWNER_OFF]) {
      const first = segment(id) + home;
      assert.equal(image.subarray(first, first + media.COPY_SIZE), image.subarray(first + media.COPY_SIZE, first + 2 * media.COPY_SIZE));
    }
  }
});
