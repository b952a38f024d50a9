/** The U-Net: `unet_config` <-> config.json of UNet2DModel and UNet2DConditionModel. */
import { z } from 'zod';
import type { unetModel } from '../targets/unets';
import { attentionLevels } from './autoencoder';
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

type Params = z.output<typeof unetModel>;

/** Options without counterpart, with the values that stand for the official network; the first list is of both classes. */
const FIXED: Json = {
  act_fn: 'silu',
  center_input_sample: false,
  flip_sin_to_cos: true,
  freq_shift: 0,
  norm_num_groups: 32,
  norm_eps: 1e-5,
  mid_block_scale_factor: 1,
  downsample_padding: 1,
  time_embedding_type: 'positional',
  time_embedding_dim: null,
};
const FIXED_PLAIN: Json = {
  ...FIXED,
  mid_block_type: 'UNetMidBlock2D',
  add_attention: true,
  class_embed_type: null,
  num_train_timesteps: null,
};
const FIXED_CONDITIONED: Json = {
  ...FIXED,
  mid_block_type: 'UNetMidBlock2DCrossAttn',
  reverse_transformer_layers_per_block: null,
  encoder_hid_dim: null,
  encoder_hid_dim_type: null,
  num_attention_heads: null,
  dual_cross_attention: false,
  addition_embed_type: null,
  addition_time_embed_dim: null,
  addition_embed_type_num_heads: 64,
  resnet_skip_time_act: false,
  resnet_out_scale_factor: 1,
  time_embedding_act_fn: null,
  timestep_post_act: null,
  time_cond_proj_dim: null,
  conv_in_kernel: 3,
  conv_out_kernel: 3,
  attention_type: 'default',
  class_embeddings_concat: false,
  cross_attention_norm: null,
};

const common = {
  sample_size: side().nullish(),
  in_channels: positive(),
  out_channels: positive(),
  down_block_types: words(),
  up_block_types: words(),
  block_out_channels: widths(),
  dropout: z.number().default(0),
  resnet_time_scale_shift: z.enum(['default', 'scale_shift']).default('default'),
  num_class_embeds: positive().nullish(),
};
const plainSchema = z.looseObject({
  ...common,
  in_channels: positive().default(3),
  out_channels: positive().default(3),
  layers_per_block: positive().default(2),
  attention_head_dim: positive().nullable().default(8),
  downsample_type: z.enum(['conv', 'resnet']).default('conv'),
  upsample_type: z.enum(['conv', 'resnet']).default('conv'),
  attn_norm_num_groups: z.literal(32).nullish(),
});
const conditionedSchema = z.looseObject({
  ...common,
  in_channels: positive().default(4),
  out_channels: positive().default(4),
  down_block_types: words().default([
    'CrossAttnDownBlock2D',
    'CrossAttnDownBlock2D',
    'CrossAttnDownBlock2D',
    'DownBlock2D',
  ]),
  up_block_types: words().default(['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D']),
  block_out_channels: widths().default([320, 640, 1280, 1280]),
  layers_per_block: z.union([positive(), widths()]).default(2),
  cross_attention_dim: z.union([positive(), widths()]).default(1280),
  attention_head_dim: z.union([positive(), widths()]).default(8),
  transformer_layers_per_block: z.union([positive(), widths()]).default(1),
  use_linear_projection: z.boolean().default(false),
  only_cross_attention: z.union([z.boolean(), z.array(z.boolean())]).default(false),
  mid_block_only_cross_attention: z.boolean().nullish(),
  class_embed_type: z.enum(['projection']).nullish(),
  projection_class_embeddings_input_dim: positive().nullish(),
  /** Attention in float32 where the rest is half; nothing to the weights. */
  upcast_attention: z.boolean().optional(),
});

/**
 * The config.json of an official U-Net.
 * @param sampleSize side of the samples, or height and width
 */
export function unetToJson(p: Params, sampleSize: number | number[], findings: Findings): Json {
  findings.expect(p.dims === 2, `unet_config: dims is ${p.dims}`);
  findings.expect(p.n_embed === null, 'unet_config: n_embed makes it predict codes');
  findings.expect(p.conv_resample || p.resblock_updown, 'unet_config: conv_resample is false');
  findings.expect(p.channel_mult[0] === 1, `unet_config: channel_mult begins with ${p.channel_mult[0]} instead of 1`);
  findings.expect(p.num_classes !== 'continuous', 'unet_config: num_classes is continuous');
  const blocks = typeof p.num_res_blocks === 'number' ? [p.num_res_blocks] : p.num_res_blocks;
  findings.expect(!blocks.includes(0), 'unet_config: num_res_blocks is 0');
  findings.expect(
    p.num_attention_blocks === null || p.num_attention_blocks.every((n, i) => n >= (blocks[i] ?? blocks[0])),
    'unet_config: num_attention_blocks leaves attention out of some blocks',
  );
  findings.expect(
    p.num_head_channels !== -1 || p.num_heads_upsample === -1 || p.num_heads_upsample === p.num_heads,
    `unet_config: num_heads_upsample ${p.num_heads_upsample} differs from num_heads ${p.num_heads}`,
  );
  const channels = p.channel_mult.map((mult) => mult * p.model_channels);
  const heads = channels.map((c) => (p.num_head_channels === -1 ? p.num_heads : c / p.num_head_channels));
  const attention = channels.map((_, i) => p.attention_resolutions.includes(2 ** i));
  const used = attention.map((has, i) => has || i === channels.length - 1); // the middle always has attention
  findings.expect(
    heads.every((n, i) => !used[i] || (Number.isInteger(n) && channels[i] % n === 0)),
    `unet_config: the heads do not divide the channels (${channels.join(', ')})`,
  );
  const values: Json = {
    act_fn: 'silu',
    block_out_channels: channels,
    center_input_sample: false,
    downsample_padding: 1,
    dropout: p.dropout,
    flip_sin_to_cos: true,
    freq_shift: 0,
    in_channels: p.in_channels,
    layers_per_block: same(blocks) ? blocks[0] : blocks,
    mid_block_scale_factor: 1,
    norm_eps: 1e-5,
    norm_num_groups: 32,
    out_channels: p.out_channels,
    resnet_time_scale_shift: p.use_scale_shift_norm ? 'scale_shift' : 'default',
    sample_size: sampleSize,
    ...(typeof p.num_classes === 'number' ? { num_class_embeds: p.num_classes } : {}),
  };
  return p.use_spatial_transformer
    ? conditionedJson(p, values, heads, attention, findings)
    : plainJson(p, values, heads, attention, used, findings);
}

function plainJson(
  p: Params,
  values: Json,
  heads: number[],
  attention: boolean[],
  used: boolean[],
  findings: Findings,
): Json {
  const channels = values.block_out_channels as number[];
  const sizes = channels.map((c, i) => c / heads[i]).filter((_, i) => used[i]);
  const single = heads.every((n, i) => !used[i] || n === 1);
  findings.expect(
    same(sizes) || single,
    `unet_config: heads of ${[...new Set(sizes)].join(', ')} channels; UNet2DModel has one size for all levels`,
  );
  findings.expect(
    p.num_classes !== 'sequential',
    'unet_config: num_classes is sequential without spatial transformers',
  );
  findings.expect(!Array.isArray(values.layers_per_block), 'unet_config: num_res_blocks differs between the levels');
  const type = p.resblock_updown ? 'resnet' : 'conv';
  const [down, up] = p.resblock_updown ? PLAIN_RESNET : PLAIN;
  const types = ([plain, attentive]: readonly [string, string]) => attention.map((has) => (has ? attentive : plain));
  return configJson('UNet2DModel', {
    ...values,
    add_attention: true,
    attention_head_dim: same(sizes) ? sizes[0] : null,
    attn_norm_num_groups: p.use_scale_shift_norm ? 32 : null,
    down_block_types: types(down),
    downsample_type: type,
    time_embedding_type: 'positional',
    up_block_types: types(up).reverse(),
    upsample_type: type,
  });
}

const PLAIN = [
  ['DownBlock2D', 'AttnDownBlock2D'],
  ['UpBlock2D', 'AttnUpBlock2D'],
] as const;
const PLAIN_RESNET = [
  ['ResnetDownsampleBlock2D', 'AttnDownBlock2D'],
  ['ResnetUpsampleBlock2D', 'AttnUpBlock2D'],
] as const;
const CONDITIONED = [
  ['DownBlock2D', 'CrossAttnDownBlock2D'],
  ['UpBlock2D', 'CrossAttnUpBlock2D'],
] as const;

function conditionedJson(p: Params, values: Json, heads: number[], attention: boolean[], findings: Findings): Json {
  findings.expect(!p.resblock_updown, 'unet_config: resblock_updown with spatial transformers');
  const widthsOfContext = typeof p.context_dim === 'number' ? [p.context_dim] : p.context_dim!;
  findings.expect(same(widthsOfContext), `unet_config: context_dim is ${widthsOfContext.join(', ')}`);
  const only = p.disable_self_attentions ?? [false];
  const [down, up] = CONDITIONED;
  const types = ([plain, attentive]: readonly [string, string]) => attention.map((has) => (has ? attentive : plain));
  return configJson('UNet2DConditionModel', {
    ...values,
    attention_head_dim: same(heads) ? heads[0] : heads,
    cross_attention_dim: widthsOfContext[0],
    down_block_types: types(down),
    mid_block_type: 'UNetMidBlock2DCrossAttn',
    only_cross_attention: same(only) ? only[0] : only,
    ...(p.disable_middle_self_attn === (same(only) && only[0])
      ? {}
      : { mid_block_only_cross_attention: p.disable_middle_self_attn }),
    transformer_layers_per_block: p.transformer_depth,
    up_block_types: types(up).reverse(),
    use_linear_projection: p.use_linear_in_transformer,
    ...(p.num_classes === 'sequential'
      ? { class_embed_type: 'projection', projection_class_embeddings_input_dim: p.adm_in_channels }
      : {}),
  });
}

/** What a config.json says of a U-Net: official params, and the side of its samples. */
export interface TranslatedUNet {
  params: Record<string, unknown>;
  sampleSize: number | number[] | null;
}

/** The official params of a config.json. */
export function unetFromJson(json: Json, where: string, findings: Findings): TranslatedUNet {
  return json._class_name === 'UNet2DConditionModel'
    ? conditionedFromJson(json, where, findings)
    : plainFromJson(json, where, findings);
}

function plainFromJson(json: Json, where: string, findings: Findings): TranslatedUNet {
  const c = readJson(json, where, plainSchema, FIXED_PLAIN, findings);
  const resnet = c.downsample_type === 'resnet';
  findings.expect(c.upsample_type === c.downsample_type, `${where}: downsample_type and upsample_type differ`);
  const levels = levelsFromJson(c, resnet ? PLAIN_RESNET : PLAIN, where, findings);
  findings.expect(
    c.resnet_time_scale_shift === 'default' || c.attn_norm_num_groups === 32,
    `${where}: with scale_shift the middle attention needs attn_norm_num_groups 32`,
  );
  return {
    sampleSize: c.sample_size ?? null,
    params: {
      ...levels,
      num_res_blocks: c.layers_per_block,
      dropout: c.dropout,
      ...(c.attention_head_dim === null ? { num_heads: 1 } : { num_head_channels: c.attention_head_dim }),
      use_scale_shift_norm: c.resnet_time_scale_shift === 'scale_shift',
      resblock_updown: resnet,
      ...(c.num_class_embeds ? { num_classes: c.num_class_embeds } : {}),
    },
  };
}

function conditionedFromJson(json: Json, where: string, findings: Findings): TranslatedUNet {
  const c = readJson(json, where, conditionedSchema, FIXED_CONDITIONED, findings);
  const levels = levelsFromJson(c, CONDITIONED, where, findings);
  const all = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : c.block_out_channels.map(() => value));
  const single = <T>(value: T | T[], name: string): T => {
    findings.expect(same(all(value)), `${where}: ${name} differs between the levels`);
    return all(value)[0];
  };
  const heads = all(c.attention_head_dim); // the number of heads, in spite of its name
  const sizes = c.block_out_channels.map((channels, i) => channels / heads[i]);
  findings.expect(same(heads) || same(sizes), `${where}: attention_head_dim ${heads.join(', ')} has no official form`);
  findings.expect(sizes.every(Number.isInteger), `${where}: attention_head_dim does not divide block_out_channels`);
  const only = all(c.only_cross_attention);
  const middleOnly = c.mid_block_only_cross_attention ?? (Array.isArray(c.only_cross_attention) ? false : only[0]);
  const projected = c.class_embed_type === 'projection';
  findings.expect(
    !projected || typeof c.projection_class_embeddings_input_dim === 'number',
    `${where}: class_embed_type "projection" needs projection_class_embeddings_input_dim`,
  );
  return {
    sampleSize: c.sample_size ?? null,
    params: {
      ...levels,
      num_res_blocks:
        Array.isArray(c.layers_per_block) && same(c.layers_per_block) ? c.layers_per_block[0] : c.layers_per_block,
      dropout: c.dropout,
      ...(same(heads) ? { num_heads: heads[0] } : { num_head_channels: sizes[0] }),
      use_scale_shift_norm: c.resnet_time_scale_shift === 'scale_shift',
      use_spatial_transformer: true,
      transformer_depth: single(c.transformer_layers_per_block, 'transformer_layers_per_block'),
      context_dim: single(c.cross_attention_dim, 'cross_attention_dim'),
      legacy: false,
      ...(c.use_linear_projection ? { use_linear_in_transformer: true } : {}),
      ...(only.includes(true) ? { disable_self_attentions: only } : {}),
      ...(middleOnly ? { disable_middle_self_attn: true } : {}),
      ...(c.num_class_embeds ? { num_classes: c.num_class_embeds } : {}),
      ...(projected ? { num_classes: 'sequential', adm_in_channels: c.projection_class_embeddings_input_dim } : {}),
    },
  };
}

interface Levels {
  in_channels: number;
  out_channels: number;
  block_out_channels: number[];
  down_block_types: string[];
  up_block_types: string[];
  sample_size?: number | number[] | null;
}

function levelsFromJson(
  c: Levels,
  [down, up]: readonly [readonly [string, string], readonly [string, string]],
  where: string,
  findings: Findings,
): Record<string, unknown> {
  const mults = multiples(c.block_out_channels, where, findings);
  const attention = attentionLevels(c.down_block_types, down, where, findings);
  const above = attentionLevels(c.up_block_types, up, where, findings).reverse();
  findings.expect(
    attention.length === mults.length && String(above) === String(attention),
    `${where}: down_block_types, up_block_types and block_out_channels do not belong together`,
  );
  const sample = c.sample_size ?? 32;
  return {
    image_size: typeof sample === 'number' ? sample : Math.max(...sample),
    in_channels: c.in_channels,
    out_channels: c.out_channels,
    model_channels: c.block_out_channels[0],
    attention_resolutions: attention.flatMap((has, i) => (has ? [2 ** i] : [])).reverse(),
    channel_mult: mults,
  };
}

const same = (values: readonly unknown[]) => new Set(values).size <= 1;
