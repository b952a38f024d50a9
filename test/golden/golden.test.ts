/**
 * Parity with the reference: the golden cases that lie here and, in continuous integration and where they are beside the
 * checkout, all the others.
 */
import fs from 'node:fs';
import path from 'node:path';
import { toleratedFactor } from './deviations';
import { findCases, knownKinds, runCase } from './runner/runner';

const OWN = path.join(__dirname, 'cases');
const SHARED = path.join(__dirname, '../../../shared/golden/cases');
// A case that lies in both is taken from the shared ones.
const folders = process.env.CI && fs.existsSync(SHARED) ? [OWN, SHARED] : [OWN];
const cases = [...new Map(findCases(folders).map((dir) => [path.basename(dir), dir]))];

test('there are cases of every kind that has a handler', () => {
  const kinds = cases.map(([, dir]) => JSON.parse(fs.readFileSync(path.join(dir, 'meta.json'), 'utf8')).kind as string);
  const tooLarge = ['e2e', 'resume_gan', 'resume_ldm', 'vq'].filter(() => folders.length === 1); // to be copied
  expect(knownKinds().filter((kind) => !kinds.includes(kind) && !tooLarge.includes(kind))).toEqual([]);
});

test.each(cases)('%s', async (name, dir) => {
  const result = await runCase(dir);
  const failures = result.verdicts.filter((v) => !v.ok && !(v.ratio <= toleratedFactor(name, v.name)));
  expect([result.error, ...failures.map((v) => `${v.name}: ${v.detail}`)].filter(Boolean)).toEqual([]);
  expect(result.computedOnly).toBe(false);
});
