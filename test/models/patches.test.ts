import { noGrad } from '../../lib/job';
import { LatentDiffusion } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { ddconfig, difference, IDENTITY, images, numbers } from '../helpers/tiny-autoencoder';
import { randomized, tinyUnet } from '../helpers/tiny-diffusion';

const t = (...steps: number[]) => Tensor.from(BigInt64Array.from(steps, BigInt));
const SPLIT = { ks: [8, 8], stride: [4, 4], vqf: 2 };

/** A KL first stage that halves images, and a network that concatenates a conditioning of the latents' size. */
async function superResolution(): Promise<LatentDiffusion> {
  const first = { embed_dim: 3, ddconfig: ddconfig({ z_channels: 3 }), lossconfig: IDENTITY };
  return randomized(
    await LatentDiffusion.create(
      {
        unet_config: tinyUnet({ in_channels: 6 }),
        first_stage_config: { target: 'ldm.models.autoencoder.AutoencoderKL', params: first },
        cond_stage_config: IDENTITY,
        cond_stage_key: 'LR_image',
        timesteps: 6,
        image_size: 8,
        use_ema: false,
      },
      { random: new Generator(3) },
    ),
  );
}

test('weights fall towards the border of a patch, and add up where patches overlap', async () => {
  using model = await superResolution();
  await model.setSplitInputParams({ ks: [3, 5], stride: [1, 5], vqf: 2, clip_max_weight: 0.4 });
  const { weighting, normalization } = await model.patchWeighting(4, 5);
  expect(weighting.shape).toEqual([1, 1, 3, 5, 2]);
  const row = [0.01, 0.25, 0.4, 0.25, 0.01];
  const border = Array(5).fill(0.01);
  const patch = (await numbers(weighting.select(4, 0))).map((v) => Number(v.toFixed(6)));
  expect(patch).toEqual([...border, ...row, ...border]);
  const sums = (await numbers(normalization)).map((v) => Number(v.toFixed(6)));
  expect(sums).toEqual(
    [...border, ...row.map((v) => v + 0.01), ...row.map((v) => v + 0.01), ...border].map((v) => Number(v.toFixed(6))),
  );
});

test('a single row of patches has weights also with the tie breaker', async () => {
  using model = await superResolution();
  await model.setSplitInputParams({ ...SPLIT, tie_braker: true });
  const { normalization } = await model.patchWeighting(8, 16);
  const sums = await numbers(normalization);
  expect(sums.every((v) => v > 0)).toBe(true);
});

test('one patch is the whole', async () => {
  using model = await superResolution();
  const [image, z, lr] = [images([1, 3, 16, 16]), images([1, 3, 8, 8], 6), images([1, 3, 8, 8], 7)];
  const all = () =>
    noGrad(async () => [
      await model.applyModel(z, t(3), lr),
      await model.decodeFirstStage(z),
      await model.encodeFirstStage(image, { random: new Generator(9) }),
    ]);
  const whole = await all();
  await model.setSplitInputParams({ ...SPLIT, ks: [8, 8], patch_distributed_vq: false });
  const [eps] = await all();
  expect(await difference(eps, whole[0])).toBeLessThan(1e-6);
  // Smaller inputs than a patch are one patch for the first stage.
  await model.setSplitInputParams({ ...SPLIT, ks: [16, 16], stride: [16, 16] });
  const random = new Generator(9);
  const [decoded, encoded] = await noGrad(async () => [
    await model.decodeFirstStage(z),
    await model.encodeFirstStage(image, { random }),
  ]);
  expect(await difference(decoded, whole[1])).toBeLessThan(1e-5);
  expect(await difference(encoded, whole[2])).toBeLessThan(1e-5);
  await model.setSplitInputParams(null);
  expect(await difference((await all())[0], whole[0])).toBe(0);
});

test('a KL first stage blends the posteriors of its patches and draws once', async () => {
  using model = await superResolution();
  await model.setSplitInputParams(SPLIT);
  const image = images([1, 3, 16, 24]);
  const draw = (seed: number) => noGrad(() => model.encodeFirstStage(image, { random: new Generator(seed) }));
  const z = await draw(9);
  expect(z.shape).toEqual([1, 3, 8, 12]);
  expect(await difference(z, await draw(9))).toBe(0);
  // Blended samples would lose variance where patches overlap; noise of a standard deviation of its own does not.
  const { posterior } = await model.call('encodeFirstStage', { x: image });
  const { mean, std } = await posteriorOf(posterior);
  using noise = Tensor.randn([1, 3, 8, 12], { random: new Generator(9) });
  expect(await difference(z, mean.add(std.mul(noise)))).toBeLessThan(1e-6);
});

test('patches that do not cover the input, or do not fit the first stage, are refused', async () => {
  using model = await superResolution();
  await model.setSplitInputParams(SPLIT);
  await expect(model.decodeFirstStage(images([1, 3, 10, 12]))).rejects.toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    message: expect.stringContaining('Patches of 8x8 (ks) every 4x4 (stride) do not cover an input of 10x12'),
  });
  await model.setSplitInputParams({ ...SPLIT, vqf: 4 });
  await expect(model.decodeFirstStage(images([1, 3, 8, 12]))).rejects.toMatchObject({
    message: expect.stringContaining("gave results of 16x16 where 'vqf' lets expect 32x32"),
  });
  await expect(model.setSplitInputParams({ kernel: 3 } as never)).rejects.toMatchObject({ code: 'ERR_CONFIG' });
});

describe('layouts', () => {
  const NO_TOKENS = 64; // a grid of 8 x 8 places
  const create = async () =>
    randomized(
      await LatentDiffusion.create(
        {
          unet_config: tinyUnet({ use_spatial_transformer: true, context_dim: 16, attention_resolutions: [1] }),
          first_stage_config: { target: 'ldm.models.autoencoder.IdentityFirstStage', params: {} },
          cond_stage_config: {
            target: 'ldm.modules.encoders.modules.BERTEmbedder',
            params: { n_embed: 16, n_layer: 1, vocab_size: NO_TOKENS, max_seq_len: 5, use_tokenizer: false },
          },
          conditioning_key: 'crossattn',
          cond_stage_key: 'coordinates_bbox',
          timesteps: 6,
          image_size: 8,
          use_ema: false,
        },
        { random: new Generator(3) },
      ),
    );
  const tokens = (...rows: number[][]) =>
    Tensor.from(BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0].length]);

  test('every patch gets its own place as the crop', async () => {
    using model = await create();
    const z = images([2, 3, 8, 12]);
    const objects = [
      [3, 0, 62],
      [7, 9, 27],
    ];
    const embedded = (crop: [number, number]) =>
      model.getLearnedConditioning(tokens(...objects.map((o) => [...o, ...crop])));
    const own = await noGrad(async () => {
      // Two patches: columns 0 to 7 and 4 to 11 of 12; places round to the grid of 8.
      const places: [number, number][] = [
        [0, 7 * 8 + 5],
        [2, 7 * 8 + 7],
      ];
      const patches = [z.slice(3, 0, 8), z.slice(3, 4, 12)];
      return Promise.all(patches.map(async (p, i) => model.applyModel(p, t(3, 5), await embedded(places[i]))));
    });
    await model.setSplitInputParams({ ...SPLIT, patch_distributed_vq: false, bbox_tokens: NO_TOKENS });
    const whole = await noGrad(() =>
      model.applyModel(z, t(3, 5), tokens([...objects[0], 1, 2], [...objects[1], 1, 2])),
    );
    expect(whole.shape).toEqual([2, 3, 8, 12]);
    // Outside of the overlap a patch stands alone.
    const apart = [
      await difference(whole.slice(3, 0, 4), own[0].slice(3, 0, 4)),
      await difference(whole.slice(3, 8, 12), own[1].slice(3, 4, 8)),
    ];
    expect(Math.max(...apart)).toBeLessThan(1e-5);
    expect(await difference(own[0], own[1])).toBeGreaterThan(1e-3);
  });

  test('an embedded layout is refused: its tokens are needed', async () => {
    using model = await create();
    await model.setSplitInputParams({ ...SPLIT, patch_distributed_vq: false, bbox_tokens: NO_TOKENS });
    const c = await model.getLearnedConditioning(tokens([3, 0, 62, 0, 63]));
    await expect(model.applyModel(images([1, 3, 8, 8]), t(3), c)).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining('takes the tokens of its boxes'),
    });
  });
});

async function posteriorOf(handle: any): Promise<{ mean: Tensor; std: Tensor }> {
  const { DiagonalGaussianDistribution } = await import('../../lib/models');
  return new DiagonalGaussianDistribution(handle).fields();
}
