/** A new process: `require` to the first result of a computation. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { compiledWorker } from '../../compiled-worker';
import { type Measured, workload } from '../workload';

const SCRIPT = `
const start = performance.now();
const { Tensor } = require(process.argv[1]);
Tensor.ones([4]).add(1).sum().item().then((value) => {
  const seconds = (performance.now() - start) / 1000;
  const [, kilobytes] = /VmHWM:\\s*(\\d+)/.exec(require('node:fs').readFileSync('/proc/self/status', 'utf8'));
  console.log(JSON.stringify({ seconds, value, peakRss: kilobytes * 1024 }));
});`;

export const startUp = () =>
  workload({
    name: 'start-up',
    title: 'start-up: `require` (Python: `import torch`) to the first result',
    peer: 'start_up',
    tolerance: { fp32: 0 },
    settings: () => ({}),
    async setup() {
      const library = compiledWorker('index')!;
      return {
        async run() {
          const { stdout } = await promisify(execFile)(process.execPath, ['-e', SCRIPT, library]);
          const { value, ...measured } = JSON.parse(stdout) as Measured & { value: number };
          return { outputs: { value: Float32Array.of(value) }, measured };
        },
      };
    },
  });
