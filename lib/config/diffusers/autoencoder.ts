/** First stages: `ddconfig` and its surroundings <-> config.json of AutoencoderKL and VQModel. */
import { z } from 'zod';
import type { DDConfig } from '../targets/architecture';
import type { autoencoderKL, vqModel } from '../targets/autoencoders';
import {
  configJson,
  type Findings,
  type Json,
  multiples,
  positive,
  readJson,
  side,
  widths,
  words,
} from './translation';

type Params = z.output<typeof autoencoderKL> | z.output<typeof vqModel>;

/** Options that have no counterpart, with the values that stand for what the official networks do. */
const FIXED: Json = {
  act_fn: 'silu',
  norm_num_groups: 32,
  norm_type: 'group',
  shift_factor: null,
  latents_mean: null,
  latents_std: null,
  use_quant_conv: true,
  use_post_quant_conv: true,
  lookup_from_codebook: false,
};

const common = {
  in_channels: positive().default(3),
  out_channels: positive().default(3),
  down_block_types: words().default(['DownEncoderBlock2D']),
  up_block_types: words().default(['UpDecoderBlock2D']),
  block_out_channels: widths().default([64]),
  layers_per_block: positive().default(1),
  sample_size: side().default(32),
  mid_block_add_attention: z.boolean().default(true),
  /** Computing in float32 where the rest is half; nothing to the weights. */
  force_upcast: z.boolean().optional(),
};
const kl = z.looseObject({
  ...common,
  latent_channels: positive().default(4),
  scaling_factor: z.number().default(0.18215),
});
const vq = z.looseObject({
  ...common,
  latent_channels: positive().default(3),
  num_vq_embeddings: positive().default(256),
  vq_embed_dim: positive().nullish(),
  scaling_factor: z.number().optional(),
});

/** The official params of a first stage, and the factor that a diffusion model in its latents has. */
export interface FirstStage {
  params: Record<string, unknown>;
  scaleFactor: number;
}

/** Whether a node is a first stage with a codebook. */
export const isQuantized = (target: string) => target.endsWith('.VQModel') || target.endsWith('.VQModelInterface');

/** The config.json of an official first stage. */
export function autoencoderToJson(
  target: string,
  params: Params,
  scaleFactor: number | null,
  findings: Findings,
): Json {
  const dd = params.ddconfig;
  const quantized = isQuantized(target);
  checkLayout(dd, findings);
  findings.expect(dd.double_z !== quantized, `ddconfig.double_z has to be ${!quantized} in diffusers' class`);
  findings.expect(
    quantized || params.embed_dim === dd.z_channels,
    `embed_dim is ${params.embed_dim} but ddconfig.z_channels ${dd.z_channels}; AutoencoderKL has one number for both`,
  );
  const attention = dd.ch_mult.map((_, i) => hasAttentionAt(dd, i));
  const types = (plain: string, attentive: string) => attention.map((has) => (has ? attentive : plain));
  const values: Json = {
    act_fn: 'silu',
    block_out_channels: dd.ch_mult.map((mult) => mult * dd.ch),
    down_block_types: types('DownEncoderBlock2D', 'AttnDownEncoderBlock2D'),
    in_channels: dd.in_channels,
    latent_channels: dd.z_channels,
    layers_per_block: dd.num_res_blocks,
    mid_block_add_attention: dd.attn_type !== 'none',
    norm_num_groups: 32,
    out_channels: dd.out_ch,
    sample_size: dd.resolution,
    up_block_types: types('UpDecoderBlock2D', 'AttnUpDecoderBlock2D').reverse(),
  };
  if (!quantized) {
    return configJson('AutoencoderKL', { ...values, ...(scaleFactor === null ? {} : { scaling_factor: scaleFactor }) });
  }
  const { n_embed, embed_dim, remap } = params as z.output<typeof vqModel>;
  findings.note(remap !== null, 'remap renumbers the codebook for other models; diffusers has nothing like it');
  return configJson('VQModel', {
    ...values,
    num_vq_embeddings: n_embed,
    // a model without a factor would be divided by the default of AutoencoderKL
    scaling_factor: scaleFactor ?? 1,
    vq_embed_dim: embed_dim,
  });
}

function checkLayout(dd: DDConfig, findings: Findings): void {
  findings.expect(dd.attn_type === 'vanilla' || dd.attn_type === 'none', `ddconfig.attn_type is ${dd.attn_type}`);
  findings.expect(!dd.use_linear_attn, 'ddconfig.use_linear_attn is true');
  findings.expect(dd.resamp_with_conv, 'ddconfig.resamp_with_conv is false');
  findings.expect(!dd.tanh_out && !dd.give_pre_end, 'ddconfig.tanh_out or give_pre_end is true');
  findings.expect(dd.ch_mult[0] === 1, `ddconfig.ch_mult begins with ${dd.ch_mult[0]} instead of 1`);
  findings.expect(dd.num_res_blocks > 0, 'ddconfig.num_res_blocks is 0');
  findings.note(dd.dropout > 0, `ddconfig.dropout ${dd.dropout}: diffusers' autoencoders have none`);
}

/** Attention stands where an image of `resolution` has one of the sizes that the config names. */
function hasAttentionAt(dd: DDConfig, level: number): boolean {
  return dd.attn_type !== 'none' && dd.attn_resolutions.includes(Math.floor(dd.resolution / 2 ** level));
}

/** The official params of a config.json. */
export function autoencoderFromJson(json: Json, where: string, findings: Findings): FirstStage {
  const quantized = json._class_name === 'VQModel';
  const c = quantized ? readJson(json, where, vq, FIXED, findings) : readJson(json, where, kl, FIXED, findings);
  const resolution = typeof c.sample_size === 'number' ? c.sample_size : Math.max(...c.sample_size);
  const ch_mult = multiples(c.block_out_channels, where, findings);
  const attention = attentionLevels(
    c.down_block_types,
    ['DownEncoderBlock2D', 'AttnDownEncoderBlock2D'],
    where,
    findings,
  );
  const above = attentionLevels(c.up_block_types, ['UpDecoderBlock2D', 'AttnUpDecoderBlock2D'], where, findings);
  findings.expect(
    attention.length === ch_mult.length && String(above.reverse()) === String(attention),
    `${where}: down_block_types, up_block_types and block_out_channels do not belong together`,
  );
  findings.expect(
    c.mid_block_add_attention || !attention.includes(true),
    `${where}: attention in some levels but not in the middle`,
  );
  const ddconfig: Record<string, unknown> = {
    double_z: !quantized,
    z_channels: c.latent_channels,
    resolution,
    in_channels: c.in_channels,
    out_ch: c.out_channels,
    ch: c.block_out_channels[0],
    ch_mult,
    num_res_blocks: c.layers_per_block,
    attn_resolutions: attention.flatMap((has, i) => (has ? [Math.floor(resolution / 2 ** i)] : [])),
    ...(c.mid_block_add_attention ? {} : { attn_type: 'none' }),
    dropout: 0,
  };
  const codebook = c as z.output<typeof vq>;
  const params = {
    embed_dim: quantized ? (codebook.vq_embed_dim ?? c.latent_channels) : c.latent_channels,
    ...(quantized ? { n_embed: codebook.num_vq_embeddings } : {}),
    ddconfig,
    lossconfig: { target: 'torch.nn.Identity' },
  };
  findings.note(
    c.scaling_factor === undefined,
    `${where}: no scaling_factor; 1 is taken, with which models with a codebook were trained`,
  );
  return { params, scaleFactor: c.scaling_factor ?? 1 };
}

/** Which levels have attention, told by the names of block types. */
export function attentionLevels(
  types: readonly string[],
  [plain, attentive]: readonly [string, string],
  where: string,
  findings: Findings,
): boolean[] {
  return types.map((type) => {
    findings.expect(
      type === plain || type === attentive,
      `${where}: unknown block type ${type}; expected ${plain} or ${attentive}`,
    );
    return type === attentive;
  });
}
