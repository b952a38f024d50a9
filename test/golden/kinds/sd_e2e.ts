/** sd_e2e: scripts/txt2img.py and scripts/img2img.py of Stable Diffusion, from a seed to grey levels. */
import { readPicture } from '../../../lib/data/picture-tensors';
import type { LatentDiffusion } from '../../../lib/models';
import { encodePng } from '../../../lib/pictures';
import { Generator } from '../../../lib/random';
import { encodePictures, imageToImage, textToImage } from '../../../lib/sampling';
import { Tensor } from '../../../lib/tensor';
import type { GoldenCase, KindHandler } from '../runner/case';

/** As the scripts save pictures in [0, 1]: [n, H, W, 3], levels cut off. */
const saved = (pictures: Tensor) => pictures.permute(0, 2, 3, 1).mul(255).to({ dtype: 'uint8' });

async function txt2img(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as LatentDiffusion;
  const { seed, prompts, n_samples, H: height, W: width, steps, scale } = c.meta.run;
  await c.out('text.cond', (await model.getLearnedConditioning(prompts)).slice(1, 0, 8));
  for (const [tag, { sampler = 'ddim', eta = 0, fixed = false, iterations = 1 }] of Object.entries({
    'ddim.': { eta: 0.3 },
    'plms.': { sampler: 'plms' },
    'fixed.': { fixed: true, iterations: 2 },
  } as Record<string, { sampler?: 'ddim' | 'plms'; eta?: number; fixed?: boolean; iterations?: number }>)) {
    const random = c.keep(new Generator(seed));
    const xT = fixed ? Tensor.randn([n_samples, 4, height / 8, width / 8], { random }) : null;
    const images: Tensor[] = [];
    for (let i = 0; i < iterations; i++)
      images.push(saved(await textToImage(model, { prompts, scale, sampler, steps, eta, height, width, xT, random })));
    await c.out(`${tag}images`, Tensor.cat(images));
  }
}

async function img2img(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as LatentDiffusion;
  const { seed, prompts, n_samples, strength, steps, scale } = c.meta.run;
  const [height, width] = c.input('init').shape;
  const bytes = (await c.input('init').data()) as Uint8Array;
  const png = await encodePng(bytes, { width, height, channels: 3 });
  const picture = await readPicture({ bytes: png, name: 'init.png' }, { multiple: 32 });
  await c.out('resized', picture.mul(255).round().to({ dtype: 'uint8' }).squeeze(0).permute(1, 2, 0));
  const pictures = picture.to({ device: c.device }).expand(n_samples, ...picture.shape.slice(1));
  for (const [tag, eta] of [
    ['', 0],
    ['eta05.', 0.5],
  ] as const) {
    const random = c.keep(new Generator(seed));
    const latents = await encodePictures(model, pictures, { random });
    const drawn = await imageToImage(model, { prompts, latents, strength, scale, steps, eta, random });
    await c.out(`${tag}images`, saved(drawn));
  }
}

const CASES: Record<string, (c: GoldenCase) => Promise<void>> = { sd1_img2img: img2img, sd1_txt2img: txt2img };

const sdE2e: KindHandler = async (c) => {
  const run = CASES[c.meta.case];
  if (!run) throw new Error(`no script for the case '${c.meta.case}'; known: ${Object.keys(CASES).join(', ')}`);
  await run(c);
};

export default sdE2e;
