/** `npm run fuzz -- --runs N --seed S`: reads mutated checkpoint files and reports what was found. */
import path from 'node:path';
import { parseArgs } from 'node:util';
import { LIMITS, runCampaign } from './campaign';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    jobs: { type: 'string', default: '1' },
    keep: { type: 'string', default: path.join('out', 'fuzz') },
  },
});

async function main(): Promise<void> {
  const [runs, seed, first, jobs] = [values.runs, values.seed, values.first, values.jobs].map(Number);
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const { keep } = values;
  const onProgress = (done: number) => console.error(`${done} of ${runs}, ${Math.round(done / seconds())} a second`);
  const result = await runCampaign({ runs, seed, first, jobs, keep, onProgress });
  console.log(`${result.runs} inputs with seed ${seed} in ${seconds().toFixed(0)} s`);
  for (const [format, { inputs, read, refused }] of Object.entries(result.formats))
    console.log(`  ${format.padEnd(12)}${inputs} inputs: ${read} read, ${refused} refused`);
  console.log(`  slowest ${result.slowestMs.toFixed(0)} ms (limit ${LIMITS.ms})`);
  console.log(`  largest growth ${result.largestMb.toFixed(0)} MB (limit ${LIMITS.grownMb})`);
  for (const { index, what } of result.findings.slice(0, 20)) console.log(`FOUND input ${index}: ${what}`);
  console.log(`${result.findings.length} findings${result.findings.length > 0 ? `, kept in ${keep}` : ''}`);
  process.exitCode = result.findings.length > 0 ? 1 : 0;
}

void main();
