/**
 * npm run golden -- [--out DIR] [--device cpu|cuda] [--filter REGEX] CASE-DIR...
 *
 * Runs golden cases and prints, for each case and output, the largest error beside the allowed one. The last line is
 * `N passed, N failed`; the exit code is 1 when a case fails or is of an unknown kind, 2 for wrong arguments.
 */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type CaseResult, findCases, runCase } from './runner';

const USAGE = 'Usage: npm run golden -- [--out DIR] [--device cpu|cuda] [--filter REGEX] CASE-DIR...';

function print(result: CaseResult): void {
  const state = result.error ? 'FAILED' : !result.ok ? 'FAILED' : result.computedOnly ? 'computed' : 'passed';
  console.log(`${result.name} (${result.kind}): ${state}, ${result.seconds.toFixed(1)} s`);
  if (result.error) console.log(`  ${result.error.replaceAll('\n', '\n  ')}`);
  const width = Math.max(0, ...result.verdicts.map((v) => v.name.length));
  for (const v of result.verdicts) console.log(`  ${v.ok ? 'ok  ' : 'FAIL'} ${v.name.padEnd(width)}  ${v.detail}`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      device: { type: 'string', default: 'cpu' },
      filter: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const filter = values.filter === undefined ? undefined : new RegExp(values.filter);
  const cases = findCases(positionals).filter((dir) => !filter || filter.test(path.basename(path.resolve(dir))));
  if (cases.length === 0) {
    console.error(`No cases given.\n${USAGE}`);
    return 2;
  }
  let failed = 0;
  for (const dir of cases) {
    const result = await runCase(dir, { device: values.device, out: values.out });
    print(result);
    if (!result.ok) failed++;
  }
  console.log(`${cases.length - failed} passed, ${failed} failed`);
  return failed ? 1 : 0;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => {
    console.error(`${error.message}\n${USAGE}`);
    process.exitCode = 2;
  },
);
