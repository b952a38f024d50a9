import { noGrad } from '../../lib/job';
import { DDPM, DDPMUNet, instantiateFromConfig, type Layer, type Resize } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { tinyUnet } from '../helpers/tiny-diffusion';

const MODEL = 'ldm.modules.diffusionmodules.model';
const SHAPE = {
  ch: 32,
  out_ch: 3,
  ch_mult: [1, 2],
  num_res_blocks: 1,
  attn_resolutions: [4],
  in_channels: 3,
  resolution: 8,
};
const t = (...steps: number[]) => Tensor.from(BigInt64Array.from(steps, BigInt));
const x = (channels = 3, size = 8) => Tensor.randn([2, channels, size, size], { seed: 2 });
const difference = async (a: Tensor, b: Tensor) => a.sub(b).abs().max().item();

test('the timestep matters, and only with use_timestep', async () => {
  using unet = await DDPMUNet.create(SHAPE, { random: new Generator(1) });
  using untimed = await DDPMUNet.create({ ...SHAPE, use_timestep: false }, { random: new Generator(1) });
  const [early, late] = await noGrad(() => Promise.all([unet.forward(x(), t(3, 3)), unet.forward(x(), t(900, 900))]));
  expect(early.shape).toEqual([2, 3, 8, 8]);
  expect(await difference(early, late)).toBeGreaterThan(1e-4);
  expect((await noGrad(() => untimed.forward(x()))).shape).toEqual([2, 3, 8, 8]);
  await expect(unet.forward(x())).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
});

test('a context is appended to the channels', async () => {
  using unet = await DDPMUNet.create({ ...SHAPE, in_channels: 5 }, { random: new Generator(1) });
  const image = x();
  const context = x(2);
  const [apart, together] = await noGrad(() =>
    Promise.all([unet.forward(image, t(3, 9), context), unet.forward(Tensor.cat([image, context], 1), t(3, 9))]),
  );
  expect(await difference(apart, together)).toBe(0);
  await expect(unet.forward(image, t(3, 9))).rejects.toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    message: expect.stringContaining('[n, 5, h, w]'),
  });
});

test('it is a network for a diffusion model, whose loss reaches every parameter', async () => {
  using model = await DDPM.create(
    {
      unet_config: { target: `${MODEL}.Model`, params: SHAPE },
      timesteps: 10,
      image_size: 8,
      use_ema: false,
    },
    { random: new Generator(1) },
  );
  const { loss } = await model.pLosses(x(), t(3, 9), { noise: x() });
  await loss.backward();
  for (const [name, parameter] of await model.namedParameters()) {
    const gradient = await parameter.grad();
    expect([name, gradient === null]).toEqual([name, false]);
  }
});

test('resizing networks give the documented sizes', async () => {
  const sizes = async (name: string, params: object, input: Tensor) => {
    const module = (await instantiateFromConfig({ target: `${MODEL}.${name}`, params })) as Layer;
    try {
      return (await noGrad(() => module.forward(input))).shape;
    } finally {
      module.dispose();
    }
  };
  const rescale = { ...SHAPE, attn_resolutions: [], out_ch: 4 };
  const { in_channels, ...decoder } = rescale;
  expect(await sizes('MergedRescaleEncoder', { ...rescale, rescale_factor: 0.5 }, x())).toEqual([2, 4, 2, 2]);
  expect(await sizes('MergedRescaleDecoder', { ...decoder, z_channels: 32, rescale_factor: 2 }, x(32, 4))).toEqual([
    2, 4, 16, 16,
  ]);
  // 4 -> 8 by the decoder; the rescaler enlarges by 1 + 9 % 4.
  const upsampler = { in_size: 4, out_size: 9, in_channels: 32, out_channels: 3 };
  expect(await sizes('Upsampler', upsampler, x(32, 4))).toEqual([2, 3, 16, 16]);
  expect(await sizes('SimpleDecoder', { in_channels: 32, out_channels: 3 }, x(32, 4))).toEqual([2, 3, 8, 8]);
  // Halves are rounded to the even number, as in Python.
  const rescaler = { factor: 0.5, in_channels: 32, mid_channels: 32, out_channels: 1 };
  expect(await sizes('LatentRescaler', rescaler, x(32, 5))).toEqual([2, 1, 2, 2]);
  using resize = (await instantiateFromConfig({ target: `${MODEL}.Resize`, params: {} })) as Resize;
  expect((await resize.forward(x(), 1.5)).shape).toEqual([2, 3, 12, 12]);
});

test('features of a frozen first stage as tokens', async () => {
  const ddconfig = { ...SHAPE, double_z: true, z_channels: 4, attn_resolutions: [] };
  const params = { embed_dim: 4, ddconfig, lossconfig: { target: 'torch.nn.Identity' } };
  using stage = (await instantiateFromConfig({
    target: `${MODEL}.FirstStagePostProcessor`,
    params: {
      ch_mult: [1, 2],
      in_channels: 4,
      pretrained_config: { target: 'ldm.models.autoencoder.AutoencoderKL', params },
      reshape: true,
    },
  })) as Layer;
  const y = await stage.forward(x(3, 16));
  expect(y.shape).toEqual([2, 4, 64]); // 16 / 2 (encoder) / 2 / 2 in each direction
  await y.sum().backward();
  const frozen: string[] = [];
  for (const [name, parameter] of await stage.namedParameters())
    if ((await parameter.grad()) === null) frozen.push(name.split('.')[0]);
  // temb_proj is in the reference's checkpoints and has no use.
  expect(new Set(frozen)).toEqual(new Set(['pretrained_model', 'model']));
});

test('without memory: names and shapes, no numbers', async () => {
  using model = await instantiateFromConfig(
    { target: tinyUnet().target, params: { ...tinyUnet().params, model_channels: 4096 } },
    { init: 'meta' },
  );
  const state = await model.stateDict();
  const weight = state.get('input_blocks.1.0.in_layers.2.weight')!;
  expect([weight.shape, weight.device]).toEqual([[4096, 4096, 3, 3], 'meta']);
  await expect(weight.data()).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_/) });
});
