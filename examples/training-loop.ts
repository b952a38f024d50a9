/**
 * A training loop written by hand: a KL autoencoder against a patch discriminator, with the classes and the order of
 * optimizers of CompVis latent-diffusion.
 *
 *     npx tsx examples/training-loop.ts [--steps N] [--out FILE]
 *
 * `ldm train` does this with checkpoints, logs, schedules and validation around it.
 */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Adam, AutoencoderKL, noGrad, type Tensor, writeSafetensors } from 'node-ldm';
import { readBatch } from './images';

const SIZE = 32;
const BATCH = 4;
const LEARNING_RATE = 2e-4;

/** Small images that are at hand: emoji of an npm package. */
function someImages(): string[] {
  const folder = path.join(path.dirname(require.resolve('@lobehub/fluent-emoji-3d/package.json')), 'assets');
  return fs
    .readdirSync(folder)
    .filter((name) => /^1f9..\.webp$/.test(name))
    .slice(0, 64)
    .map((name) => path.join(folder, name));
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { steps: { type: 'string', default: '60' }, out: { type: 'string' } } });
  const steps = Number(values.steps);

  const model = await AutoencoderKL.create({
    embed_dim: 4,
    ddconfig: {
      double_z: true,
      z_channels: 4,
      resolution: SIZE,
      in_channels: 3,
      out_ch: 3,
      ch: 32,
      ch_mult: [1, 2, 2],
      num_res_blocks: 1,
      attn_resolutions: [],
      dropout: 0,
    },
    lossconfig: {
      target: 'ldm.modules.losses.LPIPSWithDiscriminator',
      // The perceptual loss needs `ldm download lpips` first; the discriminator begins half-way.
      params: {
        disc_start: Math.floor(steps / 2),
        kl_weight: 1e-6,
        disc_weight: 0.5,
        disc_num_layers: 2,
        perceptual_weight: 0,
      },
    },
  });
  await model.train();

  // The reference's configure_optimizers: two Adams, over everything of the autoencoder and over the discriminator.
  const parameters = await model.namedParameters();
  const startingWith = (...prefixes: string[]): Tensor[] =>
    [...parameters].filter(([name]) => prefixes.some((p) => name.startsWith(p))).map(([, tensor]) => tensor);
  const adam = { lr: LEARNING_RATE, betas: [0.5, 0.9] } as const;
  const optimizers = [
    await Adam.create(startingWith('encoder.', 'decoder.', 'quant_conv.', 'post_quant_conv.'), adam),
    await Adam.create(startingWith('loss.discriminator.'), adam),
  ];

  const images = await readBatch(someImages(), SIZE);
  const total = images.shape[0];
  for (let step = 0; step < steps; step++) {
    const start = (step * BATCH) % (total - BATCH + 1);
    const batch = { image: images.slice(0, start, start + BATCH) };
    const shown: string[] = [];
    for (const [index, optimizer] of optimizers.entries()) {
      const { loss, log } = await model.trainingStep(batch, index, step);
      // Gradients that the other turn has left in these parameters do not count.
      await optimizer.zeroGrad();
      await loss.backward();
      await optimizer.step();
      const name = index === 0 ? 'train/rec_loss' : 'train/disc_loss';
      shown.push(`${name} ${(await log[name].item()).toFixed(4)}`);
      for (const tensor of [loss, ...Object.values(log)]) tensor.dispose();
    }
    batch.image.dispose();
    console.log(`step ${step + 1}/${steps}  ${shown.join('  ')}`);
  }

  await model.eval();
  const probe = images.slice(0, 0, BATCH).permute(0, 3, 1, 2);
  const { reconstructions } = await noGrad(() => model.forward(probe, { samplePosterior: false }));
  const error = await probe.sub(reconstructions).abs().mean().item();
  console.log(`mean absolute error of the reconstructions: ${error.toFixed(4)}`);
  if (values.out) {
    await writeSafetensors(values.out, await model.stateDict());
    console.log(`${values.out}: the weights`);
  }
}

main();
