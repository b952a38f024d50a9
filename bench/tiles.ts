/**
 * Peak memory of decoding one large image through the official KL-f8 first stage (random weights), as a whole or by strips.
 *
 *     npx tsx bench/tiles.ts [--size 2048] [--tile 256] [--precision bf16] [--threads N]
 *
 * `--tile 0` decodes the image as a whole. Prints seconds and the most memory that was resident in the process.
 */
import os from 'node:os';
import { parseArgs } from 'node:util';
import { AutoencoderKL, Generator, loadConfig, noGrad, Tensor } from 'node-ldm';
import { native } from '../lib/native';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      size: { type: 'string', default: '2048' },
      tile: { type: 'string', default: '256' },
      precision: { type: 'string', default: 'fp32' },
      threads: { type: 'string', default: String(os.availableParallelism()) },
    },
  });
  const precision = values.precision as 'fp32' | 'bf16';
  native().setThreads('cpu', Number(values.threads));
  const config = loadConfig(['models/first_stage_models/kl-f8/config.yaml']).get('model.params') as never;
  const random = new Generator(1);
  const params = { ...(config as object), lossconfig: { target: 'torch.nn.Identity' } } as never;
  const model = await AutoencoderKL.create(params, { random });
  await model.eval();
  if (precision === 'bf16') await model.compact('bfloat16');
  const side = Number(values.size) / 8;
  using z = Tensor.randn([1, 4, side, side], { random });
  const start = performance.now();
  using y = await noGrad(() => model.decode(z, { precision, tile: Number(values.tile) }));
  const pixels = (await y.data()) as Float32Array;
  const seconds = (performance.now() - start) / 1000;
  const { maxRSS, userCPUTime } = process.resourceUsage();
  let squares = 0;
  for (const v of pixels) squares += v * v;
  console.log(
    `${values.size} x ${values.size}, tile ${values.tile}, ${precision}: ${seconds.toFixed(1)} s (${(userCPUTime / 1e6).toFixed(0)} s of a processor), ` +
      `peak ${(maxRSS / 1024).toFixed(0)} MiB, rms ${Math.sqrt(squares / pixels.length).toFixed(6)}`,
  );
  model.dispose();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
