/** Our side of the bench, in a process of its own: `node side.js SPEC`. See {@link SideSpec}. */
import fs from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { native } from '../native';
import { Tensor } from '../tensor';
import type { RunAnswer, RunLine, SideSpec } from './protocol';
import type { Session } from './workload';
import { workloads } from './workloads';

async function main(): Promise<void> {
  const spec = JSON.parse(process.argv[2]) as SideSpec;
  const workload = workloads.find(({ name }) => name === spec.workload)!;
  native().setThreads(spec.device, spec.threads);
  if (spec.prepare) return workload.prepare?.(spec.settings, spec.folder);
  const { device, precision, folder } = spec;
  const session = await workload.setup(spec.settings, { device, precision, folder });
  say({ ready: { version: native().info().torchVersion } });
  for await (const line of createInterface({ input: process.stdin })) {
    const { outputs, loopDelay } = JSON.parse(line) as RunLine;
    say(await runOnce(session, outputs, loopDelay));
  }
}

async function runOnce(session: Session, file: string | null, watched: boolean): Promise<RunAnswer> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  if (watched) delay.enable();
  const start = performance.now();
  const { outputs, measured } = await session.run();
  const values: [string, Float32Array][] = [];
  for (const [name, output] of Object.entries(outputs)) values.push([name, await valuesOf(output)]);
  const seconds = (performance.now() - start) / 1000;
  const answer: RunAnswer = { seconds, ...measured };
  if (delay.disable()) answer.loopDelay = delay.percentile(99) / 1e6;
  if (file !== null) {
    fs.writeFileSync(file, Buffer.concat(values.map(([, v]) => Buffer.from(v.buffer, v.byteOffset, v.byteLength))));
    answer.outputs = values.map(([name, v]) => [name, v.length]);
  }
  return answer;
}

async function valuesOf(output: Tensor | Float32Array): Promise<Float32Array> {
  if (!(output instanceof Tensor)) return output;
  using tensor = output;
  using single = tensor.to({ dtype: 'float32' });
  return (await single.data()) as Float32Array;
}

function say(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

main().catch((error) => {
  // The bench waits for an answer or the end, and standard input would keep this process alive.
  process.stderr.write(`${(error as Error).stack ?? error}\n`, () => process.exit(1));
});
