// What .ci/run does: `npm test`, and its count as the last line. (With CI set the tests include all claimed golden cases of
// ../shared where that folder exists.)
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installChromium, WHAT_TO_DO } from './chromium.mjs';
import { ROOT } from './setup/index.mjs';

// Without it the browser tests fail, and say why: better here, before everything else has run.
if (!installChromium()) console.error(WHAT_TO_DO);

const folder = mkdtempSync(join(tmpdir(), 'node-ldm-ci-'));
const report = join(folder, 'jest.json');
const npm = spawnSync('npm', ['test', '--', '--json', `--outputFile=${report}`], { cwd: ROOT, stdio: 'inherit' });

// Without a report set-up or jest itself has failed: that is a failure too, and so is a suite that could not run.
let passed = 0;
let failed = 1;
if (existsSync(report)) {
  const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(readFileSync(report, 'utf8'));
  passed = numPassedTests;
  failed = numFailedTests + numRuntimeErrorTestSuites;
  if (failed === 0 && npm.status !== 0) failed = 1;
}
rmSync(folder, { recursive: true, force: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
