/**
 * `pmseg/crashtest`: what a pool looks like after power was lost at any moment of a workload, and whether that may be so.
 *
 *     const recording = await record({ size, granularity: 'cache-line', setup, workload });
 *     const summary = explore(recording, ({ pool, acknowledged }) => { … throw what must not be … }, { seed });
 *
 * docs/CRASHTEST.md has the model and an example.
 */
export { record, type Acknowledge, type Acknowledgement, type RecordOptions, type Recording } from './record.js';
export { explore, type ExploreOptions, type Oracle, type Outcome, type Summary } from './explore.js';
export { PIECE_SIZES } from './model.js';
