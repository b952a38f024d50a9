// What .ci/run does: `npm test`, then the claimed golden cases of ../shared where that folder exists; counts both.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './setup/index.mjs';

const CASES = join(ROOT, '../shared/golden/cases');

/** Runs npm with the output going through; resolves with exit code and what stdout said. */
function npm(...args) {
  return new Promise((resolve) => {
    const child = spawn('npm', args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      process.stdout.write(chunk);
      text += chunk;
    });
    child.on('error', () => resolve({ code: 1, text }));
    child.on('close', (code) => resolve({ code: code ?? 1, text }));
  });
}

async function jestTests() {
  const folder = mkdtempSync(join(tmpdir(), 'node-ldm-ci-'));
  const report = join(folder, 'jest.json');
  try {
    const { code } = await npm('test', '--', '--json', `--outputFile=${report}`);
    // Without a report set-up or jest itself has failed.
    if (!existsSync(report)) return { passed: 0, failed: 1 };
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(readFileSync(report, 'utf8'));
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    return { passed: numPassedTests, failed: failed === 0 && code !== 0 ? 1 : failed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Folders of the cases that test/golden/claimed.json names; a pattern may end in *. */
function claimedCases() {
  const { claimed, except } = JSON.parse(readFileSync(join(ROOT, 'test/golden/claimed.json'), 'utf8'));
  const matches = (name) => (pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
  return readdirSync(CASES)
    .filter((name) => claimed.some(matches(name)) && !except.some(matches(name)))
    .map((name) => join(CASES, name));
}

async function goldenCases() {
  if (!existsSync(CASES)) return { passed: 0, failed: 0 };
  const cases = claimedCases();
  const { code, text } = await npm('run', '--silent', 'golden', '--', ...cases);
  const count = /^(\d+) passed, (\d+) failed$/m.exec(text);
  if (!count) return { passed: 0, failed: cases.length };
  const failed = Number(count[2]);
  return { passed: Number(count[1]), failed: failed === 0 && code !== 0 ? 1 : failed };
}

const tests = await jestTests();
const golden = await goldenCases();
const failed = tests.failed + golden.failed;
console.log(`\ntests: ${tests.passed} passed, ${tests.failed} failed`);
console.log(`golden cases: ${golden.passed} passed, ${golden.failed} failed`);
console.log(`${tests.passed + golden.passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
