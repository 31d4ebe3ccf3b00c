/**
 * Chooses the medium for a path: `dax` where the file system maps the file with MAP_SYNC, `file` on other files, `copy` without the shim.
 *
 * What is always true: the choice is made once, at open, shows in `status()`, and a wish that cannot be met is an error, not another mode.
 */
import { PmsegError, doAll, errnos, rangeError, systemError } from '../errors.js';
import { GRANULARITIES, type Granularity, type Medium } from '../medium.js';
import { native, nativeUnavailable, type Native } from '../native.js';
import { CopyMedium } from './copy.js';
import { DaxMedium } from './dax.js';
import { FileMedium } from './file.js';
import { FsFile, NativeFile } from './poolfile.js';

export interface MediumOptions {
  /** Opens for reading only: no lock, nothing is ever changed. */
  readOnly?: boolean | undefined;
  /** Insists on a mode instead of taking the best there is. */
  mode?: 'dax' | 'file' | 'copy' | undefined;
}

/** PMSEG_FORCE_GRANULARITY, for tests of paths that this machine does not have. */
export function forcedGranularity(): Granularity | undefined {
  const value = process.env['PMSEG_FORCE_GRANULARITY'];
  if (!value) return undefined;
  if ((GRANULARITIES as readonly string[]).includes(value)) return value as Granularity;
  throw rangeError(`PMSEG_FORCE_GRANULARITY is "${value}", not one of ${GRANULARITIES.join(', ')}`);
}

/** Opens the medium at a path. Changes nothing. */
export function openMedium(path: string, options: MediumOptions = {}): Medium {
  const writable = !options.readOnly;
  const { mode } = options;
  if (mode !== undefined && !['dax', 'file', 'copy'].includes(mode))
    throw rangeError(`mode "${String(mode)}" is not one of dax, file, copy`);
  const forced = forcedGranularity();
  if (mode === 'copy' || (!native && mode === undefined)) {
    if (forced !== undefined && forced !== 'page') {
      throw new PmsegError(
        'ERR_PMSEG_GRANULARITY',
        `granularity ${forced} cannot be forced in copy mode${nativeUnavailable ? `: ${nativeUnavailable}` : ''}`,
        { path },
      );
    }
    return new CopyMedium(new FsFile(path, writable));
  }
  if (!native) throw new PmsegError('ERR_PMSEG_UNSUPPORTED', `${mode} mode needs the native shim: ${nativeUnavailable}`, { path });
  const file = new NativeFile(native, path, writable);
  try {
    if (forced === 'page' && mode !== 'dax') return new FileMedium(native, file, true);
    if (forced !== undefined && forced !== 'page' && mode !== 'file') return new DaxMedium(native, file, forced, true);
    if (mode !== 'file' && isSyncable(native, file)) return new DaxMedium(native, file, native.cpu().eadr ? 'byte' : 'cache-line', false);
    if (mode === 'dax')
      throw new PmsegError('ERR_PMSEG_GRANULARITY', `${path} is not on byte-addressable memory: the kernel refuses MAP_SYNC`, { path });
    return new FileMedium(native, file, false);
  } catch (error) {
    doAll([() => file.close()], error);
    throw error;
  }
}

/** Whether the kernel maps the file with MAP_SYNC. A kernel that cannot say must not turn one mode into another. */
function isSyncable(shim: Native, file: NativeFile): boolean {
  const result = shim.syncable(file.fd);
  // A read-only descriptor cannot be mapped for writing.
  if (result < 0 && !(result === -errnos.EACCES && !file.writable)) throw systemError('mmap', -result, { path: file.path });
  return result === 1;
}
