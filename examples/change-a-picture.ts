/**
 * Changes a picture as a text says (image to image), and draws only its upper half anew (inpainting), with the bundled model.
 *
 *     npx tsx examples/change-a-picture.ts [IMAGE] [--prompt TEXT] [--steps N] [--out FILE]
 */
import { parseArgs } from 'node:util';
import { encodePictures, Generator, imageToImage, LatentDiffusion, loadModel, repaint, Tensor } from 'node-ldm';
import { readPixels, writeRow } from './images';

const EMOJI = require.resolve('@lobehub/fluent-emoji-3d/assets/1f34e.webp');

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      prompt: { type: 'string', default: 'avatar, orange curly hair, light skin, big smile' },
      steps: { type: 'string', default: '25' },
      out: { type: 'string', default: 'change-a-picture.png' },
    },
  });
  const { model } = await loadModel('models/demo/txt2img');
  if (!(model instanceof LatentDiffusion)) throw new Error('not a latent diffusion model');

  // [1, 3, 64, 64] in [0, 1], as the pipelines take and give pictures.
  const pixels = Tensor.from(await readPixels(positionals[0] ?? EMOJI, 64), [1, 64, 64, 3]);
  const image = pixels.permute(0, 3, 1, 2).add(1).div(2);
  const common = { steps: Number(values.steps), random: new Generator(7) };

  const latents = await encodePictures(model, image, common);
  const changed = await imageToImage(model, { ...common, prompts: [values.prompt], latents, strength: 0.7, scale: 3 });

  // 1 where it is drawn anew.
  const mask = Tensor.cat([Tensor.ones([1, 1, 32, 64]), Tensor.zeros([1, 1, 32, 64])], 2);
  const painted = await repaint(model, { ...common, image, mask, guide: { prompt: values.prompt, scale: 3 } });

  await writeRow(Tensor.cat([image, changed, painted]).mul(2).sub(1), values.out);
  console.log(`${values.out}: the picture, changed, and with a new upper half`);
  model.dispose();
}

main();
