/** What the host gives an instance besides its memory. The file's name is the name of the imports' module. */

/**
 * The piece of scratch (SCRATCH_SIZE bytes, one of SCRATCH_COUNT) that belongs to this instance and to nobody else. It is a constant of the
 * instance: threads have an instance each over one memory, and no call can find the piece of another, or none.
 */
export declare const scratchPtr: usize;
