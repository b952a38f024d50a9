/**
 * Draws by each sampler without graphs and with them. Prints, as JSON, for each the largest difference and value, the replays, and how
 * often the host waited in the steps.
 */

import { resolveProject } from '../../../lib/config';
import { configureBackend } from '../../../lib/kernels';
import { instantiateFromConfig, type LatentDiffusion } from '../../../lib/models';
import { Generator } from '../../../lib/random';
import { DDIMSampler, DDPMSampler, PLMSSampler } from '../../../lib/sampling';
import { Tensor } from '../../../lib/tensor';
import { randomized } from '../../helpers/tiny-diffusion';
import { tinyLatentDiffusion } from '../../training/tiny';
import type { DeviceCounts } from '../pretend';

declare const pretendDevice: { counts(): DeviceCounts; reset(): void };

const device = 'cuda';
const STEPS = 6;

async function main(): Promise<void> {
  const node = resolveProject(tinyLatentDiffusion('none')).model;
  const model = await randomized(
    (await instantiateFromConfig(node, { device, random: new Generator(1) })) as LatentDiffusion,
  );
  const labels = (n: bigint) => Tensor.from(new BigInt64Array([n, n]), [2], { device });
  const conditioning = await model.getLearnedConditioning({ class_label: labels(0n) });
  const unconditionalConditioning = await model.getLearnedConditioning({ class_label: labels(1n) });
  const guided = { unconditionalConditioning, unconditionalGuidanceScale: 3 };
  const plain = () => ({ batchSize: 2, conditioning, random: new Generator(5) });
  const runs: Record<string, () => PromiseLike<{ samples: Tensor }>> = {
    ddim: () => new DDIMSampler(model).sample({ ...plain(), steps: STEPS, eta: 0.5 }),
    guided: () => new DDIMSampler(model).sample({ ...plain(), ...guided, steps: STEPS }),
    plms: () => new PLMSSampler(model).sample({ ...plain(), ...guided, steps: STEPS }),
    ddpm: () => new DDPMSampler(model).sample({ ...plain(), timesteps: STEPS }),
    bf16: () => new DDIMSampler(model).sample({ ...plain(), ...guided, steps: STEPS, precision: 'bf16' }),
  };
  const draw = async (run: () => PromiseLike<{ samples: Tensor }>, graphs: boolean) => {
    configureBackend({ graphs });
    pretendDevice.reset();
    const { samples } = await run();
    const { operators, waits } = pretendDevice.counts();
    return { values: (await samples.data()) as Float32Array, replays: operators.replay ?? 0, waits };
  };
  const out: Record<string, unknown> = {};
  for (const [name, run] of Object.entries(runs)) {
    const without = await draw(run, false);
    const { values, replays, waits } = await draw(run, true);
    const difference = values.reduce((most, value, i) => Math.max(most, Math.abs(value - without.values[i])), 0);
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    out[name] = { difference, largest, replays, waits: [without.waits, waits] };
  }
  console.log(JSON.stringify(out));
  process.exit(0);
}
void main();
