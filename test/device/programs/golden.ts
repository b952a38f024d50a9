/** Runs the golden cases of a folder on 'cuda' and prints, as JSON, their number and what failed. */
import path from 'node:path';
import { toleratedFactor } from '../../golden/deviations';
import { findCases, runCase } from '../../golden/runner/runner';

async function main(): Promise<void> {
  const failed: string[] = [];
  const cases = findCases([process.argv[2]]);
  for (const dir of cases) {
    const name = path.basename(dir);
    const { error, verdicts } = await runCase(dir, { device: 'cuda' });
    if (error) failed.push(`${name}: ${error}`);
    for (const v of verdicts)
      if (!v.ok && !(v.ratio <= toleratedFactor(name, v.name))) failed.push(`${name}: ${v.name}: ${v.detail}`);
  }
  console.log(JSON.stringify({ cases: cases.length, failed }));
}
void main();
