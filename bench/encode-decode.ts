/**
 * Encode and decode of a 256x256 picture through the official KL-f8 autoencoder (83.7 M parameters, random weights): this
 * library beside the same network in PyTorch, and the delay of the event loop meanwhile.
 *
 *     npm run bench -- [--rounds N] [--threads N] [--python PYTHON]
 *
 * Both sides run in turns, who begins alternates, and both hold the same weights: the outputs are compared. The delay is
 * measured with one compute thread. Without a Python that has torch (--python, default python3) only our side is timed.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { AutoencoderKL, Generator, noGrad, Tensor, writeTorchFile } from 'node-ldm';
import { native } from '../lib/native';

/** models/first_stage_models/kl-f8/config.yaml */
const DDCONFIG = {
  double_z: true,
  z_channels: 4,
  resolution: 256,
  in_channels: 3,
  out_ch: 3,
  ch: 128,
  ch_mult: [1, 2, 4, 4],
  num_res_blocks: 2,
  attn_resolutions: [],
  dropout: 0,
};
const EMBED_DIM = 4;

interface Run {
  seconds: number;
  mean: number;
  rms: number;
}

async function encodeDecode(model: AutoencoderKL, pixels: Float32Array): Promise<Run> {
  const size = DDCONFIG.resolution;
  const start = performance.now();
  using x = Tensor.from(pixels, [1, DDCONFIG.in_channels, size, size]);
  using posterior = await noGrad(() => model.encode(x));
  using z = await posterior.mode();
  using y = await noGrad(() => model.decode(z));
  const values = (await y.data()) as Float32Array;
  const seconds = (performance.now() - start) / 1000;
  let sum = 0;
  let squares = 0;
  for (const v of values) {
    sum += v;
    squares += v * v;
  }
  return { seconds, mean: sum / values.length, rms: Math.sqrt(squares / values.length) };
}

/** bench/peers/autoencoder_kl.py in a process of its own. */
class Peer {
  #child: ChildProcess;
  #lines: AsyncIterator<string>;
  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  static async start(python: string, model: AutoencoderKL, threads: number): Promise<Peer | undefined> {
    if (spawnSync(python, ['-c', 'import torch']).status !== 0) return undefined;
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-bench-'));
    try {
      const file = path.join(folder, 'model.ckpt');
      await writeTorchFile(file, new Map([['state_dict', await model.stateDict()]]));
      const script = path.join(__dirname, 'peers/autoencoder_kl.py');
      const args = [script, file, JSON.stringify(DDCONFIG), String(EMBED_DIM), String(threads)];
      const peer = new Peer(spawn(python, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
      console.log(`PyTorch ${(await peer.#read()).ready} of ${python}`);
      return peer;
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  }

  async run(): Promise<Run> {
    this.#child.stdin!.write('go\n');
    return this.#read();
  }

  stop(): void {
    this.#child.stdin!.end();
  }

  async #read(): Promise<any> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('The Python side ended early');
    return JSON.parse(value);
  }
}

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
function quantile(values: readonly number[], q: number): number {
  const ordered = sorted(values);
  const at = (ordered.length - 1) * q;
  const low = Math.floor(at);
  return ordered[low] + (ordered[Math.ceil(at)] - ordered[low]) * (at - low);
}
const median = (values: readonly number[]) => quantile(values, 0.5);
const spread = (values: readonly number[], digits = 3) =>
  `median ${median(values).toFixed(digits)}, quartiles ${quantile(values, 0.25).toFixed(digits)} to ${quantile(values, 0.75).toFixed(digits)}`;

async function compare(model: AutoencoderKL, peer: Peer, pixels: Float32Array, rounds: number): Promise<void> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = -1; round < rounds; round++) {
    let own: Run;
    let other: Run;
    if (round % 2 === 0) {
      own = await encodeDecode(model, pixels);
      other = await peer.run();
    } else {
      other = await peer.run();
      own = await encodeDecode(model, pixels);
    }
    if (Math.abs(own.mean - other.mean) > 1e-4 || Math.abs(own.rms - other.rms) > 1e-4)
      throw new Error(`The outputs differ: ${JSON.stringify(own)}, PyTorch ${JSON.stringify(other)}`);
    if (round < 0) continue; // warm-up
    ours.push(own.seconds);
    theirs.push(other.seconds);
  }
  console.log(`this library  ${spread(ours)} s`);
  console.log(`PyTorch       ${spread(theirs)} s`);
  console.log(
    `ratio         ${spread(ours.map((s, i) => s / theirs[i]))} (by round; of the medians ${(median(ours) / median(theirs)).toFixed(3)})`,
  );
}

async function eventLoopDelay(model: AutoencoderKL, pixels: Float32Array): Promise<void> {
  native().setThreads('cpu', 1);
  await encodeDecode(model, pixels);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  for (let i = 0; i < 3; i++) await encodeDecode(model, pixels);
  delay.disable();
  const seconds = (performance.now() - start) / 3000;
  const ms = (nanoseconds: number) => (nanoseconds / 1e6).toFixed(1);
  console.log(
    `event loop    delay with one compute thread: 99th percentile ${ms(delay.percentile(99))} ms, largest ${ms(delay.max)} ms (${seconds.toFixed(2)} s a picture)`,
  );
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '10' },
      threads: { type: 'string', default: String(os.availableParallelism()) },
      python: { type: 'string', default: 'python3' },
    },
  });
  const threads = Number(values.threads);
  native().setThreads('cpu', threads);
  const params = { ddconfig: DDCONFIG, embed_dim: EMBED_DIM, lossconfig: { target: 'torch.nn.Identity' } };
  const model = await AutoencoderKL.create(params, { random: new Generator(1) });
  await model.eval();
  const count = DDCONFIG.in_channels * DDCONFIG.resolution ** 2;
  const pixels = Float32Array.from({ length: count }, (_, i) => (i / count) * 2 - 1);

  console.log(
    `${os.cpus()[0].model}, ${threads} threads, libtorch ${native().info().torchVersion}, ${values.rounds} rounds`,
  );
  const peer = await Peer.start(values.python, model, threads);
  if (peer) {
    await compare(model, peer, pixels, Number(values.rounds));
    peer.stop();
  } else {
    console.log(`${values.python} has no torch: give one with --python to compare`);
    const runs: number[] = [];
    for (let i = 0; i < Number(values.rounds); i++) runs.push((await encodeDecode(model, pixels)).seconds);
    console.log(`this library  ${spread(runs)} s`);
  }
  await eventLoopDelay(model, pixels);
  model.dispose();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
