import { instantiateFromConfig, Layout2ImgDiffusion } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { images } from '../helpers/tiny-autoencoder';
import { tinyUnet } from '../helpers/tiny-diffusion';

const params = {
  unet_config: tinyUnet({ use_spatial_transformer: true, context_dim: 16 }),
  first_stage_config: { target: 'ldm.models.autoencoder.IdentityFirstStage', params: {} },
  cond_stage_config: {
    target: 'ldm.modules.encoders.modules.BERTEmbedder',
    params: { n_embed: 16, n_layer: 1, vocab_size: 64, max_seq_len: 5, use_tokenizer: false },
  },
  conditioning_key: 'crossattn',
  cond_stage_key: 'coordinates_bbox',
  cond_stage_trainable: true,
  timesteps: 4,
  image_size: 8,
  use_ema: false,
} as const;

test('log_images shows the boxes', async () => {
  using model = await Layout2ImgDiffusion.create(params, { random: new Generator(1) });
  // As a data set with 64 tokens would: a grid of 8 x 8 places.
  model.readLayout = (tokens) => ({
    objects: tokens[0] === 63 ? [] : [{ label: `class ${tokens[0]}`, box: [1 / 7, 1 / 7, 3 / 7, 3 / 7] }],
    crop: [0, 0, 1, 1],
  });
  using image = images([2, 8, 8, 3]);
  using boxes = Tensor.from(BigInt64Array.of(3n, 9n, 36n, 0n, 62n, 63n, 63n, 63n, 0n, 62n), [2, 5]);
  const batch = { image, coordinates_bbox: boxes };
  const log = await model.logImages(batch, { N: 2, ddim_steps: 2, inpaint: false });
  expect(Object.keys(log)).toEqual([
    'inputs',
    'reconstruction',
    'diffusion_row',
    'samples',
    'progressive_row',
    'bbox_image',
  ]);
  expect(log.bbox_image.shape).toEqual([2, 3, 256, 256]);
  // One image has an object, the other none: only the first is more than white and the crop's grey.
  const colourful = async (i: number) =>
    log.bbox_image.select(0, i).select(0, 0).sub(log.bbox_image.select(0, i).select(0, 2)).abs().max().item();
  expect(await colourful(0)).toBeGreaterThan(0.5);
  expect(await colourful(1)).toBe(0);
});

test('it takes boxes only', async () => {
  await expect(
    instantiateFromConfig({ target: Layout2ImgDiffusion.target, params: { ...params, cond_stage_key: 'caption' } }),
  ).rejects.toMatchObject({ code: 'ERR_CONFIG', message: expect.stringContaining('cond_stage_key') });
});
