/** diffusionmodules_model: the networks of ldm.modules.diffusionmodules.model one by one, with deterministic weights. */
import { noGrad } from '../../../lib/job';
import { type DDPMUNet, getTimestepEmbedding, type Layer, type Resize, timestepEmbedding } from '../../../lib/models';
import type { Module } from '../../../lib/models/module';
import type { Tensor } from '../../../lib/tensor';
import type { GoldenCase, KindHandler } from '../runner/case';

const MODEL = 'ldm.modules.diffusionmodules.model';
const NETWORK = { ch: 32, ch_mult: [1, 1], num_res_blocks: 1, resolution: 16 };

type Forward = (module: Module, c: GoldenCase) => Promise<Tensor>;
const layer =
  (input: string): Forward =>
  (module, c) =>
    (module as Layer).forward(c.input(input));

/** By the tag of the case's outputs and weights, which is the class's name. */
const PARTS: Record<string, { params: Record<string, unknown>; forward: Forward }> = {
  Model: {
    params: { ...NETWORK, out_ch: 3, attn_resolutions: [8], in_channels: 3 },
    forward: (module, c) => (module as DDPMUNet).forward(c.input('x'), c.input('t')),
  },
  LatentRescaler: {
    params: { factor: 1.5, in_channels: 32, mid_channels: 32, out_channels: 8, depth: 1 },
    forward: layer('z'),
  },
  UpsampleDecoder: { params: { ...NETWORK, in_channels: 32, out_channels: 3 }, forward: layer('z') },
  SimpleDecoder: { params: { in_channels: 32, out_channels: 3 }, forward: layer('z') },
  MergedRescaleEncoder: {
    params: { ...NETWORK, in_channels: 3, out_ch: 8, attn_resolutions: [], rescale_factor: 0.5 },
    forward: layer('x'),
  },
  Upsampler: {
    params: { in_size: 8, out_size: 16, in_channels: 32, out_channels: 3, ch_mult: 1 },
    forward: layer('z'),
  },
};

const ddpmUnet: KindHandler = async (c) => {
  for (const [tag, { params, forward }] of Object.entries(PARTS)) {
    const module = await c.build({ target: `${MODEL}.${tag}`, params }, { fill: false });
    await c.fillDet(module, `${tag}.`);
    const shapes = [...(await module.stateDict())].map(([name, tensor]) => [name, tensor.shape]);
    c.expectEqual(`keys of ${tag}`, Object.fromEntries(shapes), c.meta.keys![tag]);
    await c.out(`${tag}.y`, await noGrad(() => forward(module, c)));
  }
  const resize = (await c.build({ target: `${MODEL}.Resize`, params: {} }, { fill: false })) as Resize;
  await c.out('Resize.y', await resize.forward(c.input('x'), 0.5));

  const t = c.input('tt');
  for (const dim of [32, 33]) {
    await c.out(`get_timestep_embedding.y${dim}`, await getTimestepEmbedding(t, dim));
    await c.out(`timestep_embedding.y${dim}`, await timestepEmbedding(t, dim));
  }
  await c.out('timestep_embedding.repeat_only', await timestepEmbedding(t, 4, { repeatOnly: true }));
};

export default ddpmUnet;
