/**
 * Parity with the reference: the copy of the golden cases that lies here, or, in continuous integration and where they
 * are beside the checkout, all of the claimed cases.
 */
import fs from 'node:fs';
import path from 'node:path';
import { isClaimed } from './claims';
import { toleratedFactor } from './deviations';
import { findCases, runCase } from './runner/runner';

const OWN = path.join(__dirname, 'cases');
const SHARED = path.join(__dirname, '../../../shared/golden/cases');
// A case that lies in both is taken from the shared ones.
const folders = process.env.CI && fs.existsSync(SHARED) ? [OWN, SHARED] : [OWN];
const cases = [...new Map(findCases(folders).map((dir) => [path.basename(dir), dir]))].filter(([name]) =>
  isClaimed(name),
);

test('there are cases of every claimed group', () => expect(cases.length).toBeGreaterThan(50));

test.each(cases)('%s', async (name, dir) => {
  const result = await runCase(dir);
  const failures = result.verdicts.filter((v) => !v.ok && !(v.ratio <= toleratedFactor(name, v.name)));
  expect([result.error, ...failures.map((v) => `${v.name}: ${v.detail}`)].filter(Boolean)).toEqual([]);
  expect(result.computedOnly).toBe(false);
});
