/** First stages small enough for tests: one or two levels of 32 channels. */
import type { AutoencoderKLParams, VQModelParams } from '../../lib/config/targets/autoencoders';
import { AutoencoderKL, VQModel, VQModelInterface } from '../../lib/models';
import { native } from '../../lib/native';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';

// Models this small gain nothing by a second thread, and lose much where other tests run beside.
native().setThreads('cpu', 1);

export const IDENTITY = { target: 'torch.nn.Identity' };

export function ddconfig(overrides: Record<string, unknown> = {}) {
  return {
    double_z: true,
    z_channels: 2,
    resolution: 16,
    in_channels: 3,
    out_ch: 3,
    ch: 32,
    ch_mult: [1, 1],
    num_res_blocks: 1,
    attn_resolutions: [],
    ...overrides,
  };
}

/** Architecture of a first stage that makes latents of 4 channels and a quarter of the sides of 32-pixel images. */
export const quarterOf32 = ddconfig({
  z_channels: 4,
  resolution: 32,
  ch_mult: [1, 1, 1],
  attn_type: 'none',
  dropout: 0,
});

/** The loss without its perceptual part, so that no weights have to be there. */
export function ganLoss(overrides: Record<string, unknown> = {}) {
  return {
    target: 'ldm.modules.losses.LPIPSWithDiscriminator',
    params: { disc_start: 0, kl_weight: 1e-3, disc_num_layers: 1, perceptual_weight: 0, ...overrides },
  };
}

/** Halves images; the latent has 3 channels. */
export function tinyKl(params: Partial<AutoencoderKLParams> = {}, seed = 1): Promise<AutoencoderKL> {
  const all = { embed_dim: 3, ddconfig: ddconfig(), lossconfig: IDENTITY, ...params } as AutoencoderKLParams;
  return AutoencoderKL.create(all, { random: new Generator(seed) });
}

/** The loss of the VQ models without its perceptual part. */
export function vqLoss(overrides: Record<string, unknown> = {}) {
  return {
    target: 'ldm.modules.losses.vqperceptual.VQLPIPSWithDiscriminator',
    params: { disc_start: 0, disc_num_layers: 1, disc_ndf: 8, perceptual_weight: 0, n_classes: 8, ...overrides },
  };
}

/** Options of a model that halves images and has 8 codes of 3 numbers. */
export function vqParams(params: Partial<VQModelParams> = {}): VQModelParams {
  return {
    embed_dim: 3,
    n_embed: 8,
    ddconfig: ddconfig({ double_z: false, z_channels: 4 }),
    lossconfig: IDENTITY,
    ...params,
  } as VQModelParams;
}

export function tinyVq(params: Partial<VQModelParams> = {}, seed = 1): Promise<VQModelInterface> {
  return VQModelInterface.create(vqParams(params), { random: new Generator(seed) });
}

export function tinyVqModel(params: Partial<VQModelParams> = {}, seed = 1): Promise<VQModel> {
  return VQModel.create(vqParams(params), { random: new Generator(seed) });
}

/** Smooth random images [b, c, h, w] in [-1, 1]. */
export function images(shape: readonly number[], seed = 5): Tensor {
  return Tensor.rand(shape, { seed }).mul(2).sub(1);
}

/** The elements as numbers. */
export async function numbers(t: Tensor): Promise<number[]> {
  using wide = t.to({ dtype: 'float64' });
  return [...((await wide.data()) as Float64Array)];
}

/** The largest absolute difference of two tensors. */
export async function difference(a: Tensor, b: Tensor): Promise<number> {
  expect(a.shape).toEqual(b.shape);
  return a.sub(b).abs().max().item();
}
