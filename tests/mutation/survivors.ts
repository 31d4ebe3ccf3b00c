/** Mutants that no test can kill, because nothing that was promised depends on the change: one by one, and why. */
export const SURVIVORS: ReadonlyMap<string, string> = new Map([
  [
    'check.js Check.degraded: pool.drain() — moved down',
    'past a line that only lists what was repaired: nothing is told before the call returns',
  ],
  [
    'complete.js completeZeroed: engine.barrier.drain() — moved up',
    "past the superblock's copy: every opening for writing writes both superblocks anew before anything else",
  ],
  [
    'engine.js Engine.flush: this.#store(segmentId, off, len, () => this.medium.flush(poolOff, len) — moved down',
    "past the ledger's entry, whose stamp is the same before and after",
  ],
  ['engine.js Engine.flushMetadata: this.slots.flush(this.slots.info(id)) — moved down', 'two flushes before one fence have no order'],
  ['engine.js Engine.flushMetadata: this.slots.flush(this.slots.owner(id)) — moved up', 'two flushes before one fence have no order'],
  [
    'log/log.js Log.recover: this.#persistRecovered() — moved up',
    'past lines that only judge what was read: nothing is shown before the constructor returns',
  ],
  [
    'log/log.js Log.recover: this.#persistRecovered() — moved down',
    'past lines that only keep what was read: nothing is shown before the constructor returns',
  ],
  [
    'log/log.js Log.rollOver: engine.barrier.drain() — moved up',
    'the allocation that follows waits twice before the link is written; the drain stands for the reader, and costs one wait a segment',
  ],
  [
    'log/log.js Log.trim: this.persist() — moved down',
    'a trim position behind the end of what survived comes down at the next append (settleTrim), and nothing was promised before trim returned',
  ],
  [
    'log/object.js ObjectWriter.commit: engine.barrier.drain() — moved up',
    'past the release of orphans, which has barriers of its own; the data was stored before',
  ],
  [
    'medium/dax.js DaxMedium.drain: this.#check("fence", this.native.fence() — moved up',
    'both the fence and the system call are done when it returns',
  ],
  [
    'medium/poolfile.js Base.dropCache: this.drain() — moved down',
    'past forgetting that a drain had failed: a drain that fails enters that again',
  ],
  [
    'pool.js Pool.close: doAll([ () => engine.medium.writable && !engine.barrier.halted && this.#markClean() — moved up',
    'past closing the logs, which gives memory back and stores nothing',
  ],
]);
