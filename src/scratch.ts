/** What lies where in a thread's scratch (plan.SCRATCH_SIZE bytes, bank 0). Offsets from its beginning. */
import { COPY_SIZE, DATA_OFF, LOG_SEED_SIZE, UUID_SIZE } from '../assembly/media.js';
import { CURSOR_SIZE } from '../assembly/plan.js';

/** Image of a segment's metadata, at the same offsets as on the medium. */
export const META_IMAGE_OFF = 0;
/** Image of both copies of the superblock. */
export const SUPERBLOCK_IMAGE_OFF = META_IMAGE_OFF + DATA_OFF;
/** A second owner record, for comparisons. */
export const OWNER_IMAGE_OFF = SUPERBLOCK_IMAGE_OFF + 2 * COPY_SIZE;
/** A record that is being built outside of a slot update. */
export const RECORD_OFF = OWNER_IMAGE_OFF + COPY_SIZE;
/** uuid of the pool; stays for the life of the pool. */
export const UUID_OFF = RECORD_OFF + COPY_SIZE;
export const OWNER_ID_OFF = UUID_OFF + UUID_SIZE;
/** A bvec table of one entry. */
export const TABLE_OFF = OWNER_ID_OFF + 48;
export const CURSOR_OFF = TABLE_OFF + 64;
export const CURSOR_END = CURSOR_OFF + Math.max(CURSOR_SIZE, LOG_SEED_SIZE);
