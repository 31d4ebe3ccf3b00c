/**
 * Goal: no barrier of the host can be left out or moved without a test failing.
 * Method: every mutant of every call site, held against the suites that see barriers; the survivors must be the ones that are explained.
 */
import * as assert from 'uvu/assert';
import { join } from 'node:path';
import { ROOT } from '../kit/playground.js';
import { suite } from '../kit/suite.js';
import { JUDGES, judge } from './judge.js';
import { allMutants } from './mutants.js';
import { SURVIVORS } from './survivors.js';

const test = suite('barrier mutation');
const seed = process.env['SEED'] ?? '1';
const words = (process.env['MUTANTS'] ?? '').split(',').filter((word) => word !== '');

test('every mutant but the explained ones is seen', async () => {
  const all = allMutants(join(ROOT, 'dist', 'src'));
  const mutants = all.filter(({ key }) => words.length === 0 || words.some((word) => key.includes(word)));
  const verdicts = await judge(mutants, JUDGES, seed, ({ mutant, killedBy }) =>
    console.log(`NOTE ${killedBy ?? 'SURVIVED'}: ${mutant.key}`),
  );
  const survivors = verdicts.flatMap(({ mutant, killedBy }) => (killedBy === undefined ? [mutant.key] : []));
  const byJudge = JUDGES.map((name) => `${verdicts.filter(({ killedBy }) => killedBy === name).length} by ${name}`);
  console.log(
    `NOTE barrier mutation: ${verdicts.length - survivors.length} of ${verdicts.length} mutants killed (${byJudge.join(', ')}), seed ${seed}`,
  );
  assert.equal(
    survivors.filter((key) => !SURVIVORS.has(key)),
    [],
    'survivors without an explanation',
  );
  assert.equal(
    [...SURVIVORS.keys()].filter((key) => !all.some((mutant) => mutant.key === key)),
    [],
    'explanations of mutants that are none',
  );
});
