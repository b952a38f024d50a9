/**
 * Encodes an image into the latent space of a KL autoencoder and decodes it again.
 *
 *     npx tsx examples/encode-decode.ts [IMAGE] [--config FILE] [--ckpt FILE] [--out FILE]
 *
 * Without a checkpoint the weights are random, and so is the picture; after `npm start` there is a trained one, whose path
 * it prints. Official first stages work the same way: --config models/first_stage_models/kl-f8/config.yaml --ckpt model.ckpt
 */
import { parseArgs } from 'node:util';
import { AutoencoderKL, instantiateFromConfig, loadConfig, noGrad, type TargetNode, Tensor } from 'node-ldm';
import { readPixels, writeRow } from './images';

const EMOJI = require.resolve('@lobehub/fluent-emoji-3d/assets/1f34e.webp');

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      config: { type: 'string', default: 'models/demo/autoencoder.yaml' },
      ckpt: { type: 'string' },
      out: { type: 'string', default: 'encode-decode.png' },
    },
  });
  const config = loadConfig(values.config);
  const size = config.get('model.params.ddconfig.resolution') as number;

  const model = await instantiateFromConfig(config.get('model') as unknown as TargetNode);
  if (!(model instanceof AutoencoderKL)) throw new Error(`${values.config} does not describe an AutoencoderKL`);
  if (values.ckpt) await model.initFromCkpt(values.ckpt);
  else console.error('No --ckpt: the weights are random, expect noise.');
  await model.eval();

  // The reference's data sets give height, width, channel; networks take channel, height, width.
  const pixels = await readPixels(positionals[0] ?? EMOJI, size);
  const image = Tensor.from(pixels, [1, size, size, 3]).permute(0, 3, 1, 2);

  const posterior = await noGrad(() => model.encode(image));
  const latent = await posterior.mode();
  const reconstruction = await noGrad(() => model.decode(latent));

  const error = await image.sub(reconstruction).pow(2).mean().item();
  console.log(`image ${image.shape.join('x')}, latent ${latent.shape.join('x')}`);
  console.log(`mean squared error ${error.toFixed(4)}, PSNR ${(10 * Math.log10(4 / error)).toFixed(1)} dB`);
  await writeRow(Tensor.cat([image, reconstruction]), values.out);
  console.log(`${values.out}: the image and its reconstruction`);
}

main();
