/** Key map of the U-Net: UNet2DModel and UNet2DConditionModel (diffusers: models/unets/unet_2d_blocks.py). */
import type { z } from 'zod';
import type { unetModel } from '../../config/targets/unets';
import { type KeyPair, type LayerRow, layers, pair, SAME } from './key-map';

/** Options of a U-Net with every default filled in. */
export type UNetParams = z.output<typeof unetModel>;

const TIME: LayerRow[] = [
  ['time_embed.0', 'time_embedding.linear_1'],
  ['time_embed.2', 'time_embedding.linear_2'],
];
const VECTOR_LABEL: LayerRow[] = [
  ['label_emb.0.0', 'class_embedding.linear_1'],
  ['label_emb.0.2', 'class_embedding.linear_2'],
];
const RES_BLOCK: LayerRow[] = [
  ['in_layers.0', 'norm1'],
  ['in_layers.2', 'conv1'],
  ['emb_layers.1', 'time_emb_proj'],
  ['out_layers.0', 'norm2'],
  ['out_layers.3', 'conv2'],
];
const SHORTCUT: LayerRow[] = [['skip_connection', 'conv_shortcut']];
const LAST: LayerRow[] = [
  ['out.0', 'conv_norm_out'],
  ['out.2', 'conv_out'],
];
/** Layers of a BasicTransformerBlock that have a bias, and those that have none, in the reference's order. */
const TRANSFORMER_BLOCK = [
  'attn1.to_q.weight',
  'attn1.to_k.weight',
  'attn1.to_v.weight',
  'attn1.to_out.0.weight',
  'attn1.to_out.0.bias',
  'ff.net.0.proj.weight',
  'ff.net.0.proj.bias',
  'ff.net.2.weight',
  'ff.net.2.bias',
  'attn2.to_q.weight',
  'attn2.to_k.weight',
  'attn2.to_v.weight',
  'attn2.to_out.0.weight',
  'attn2.to_out.0.bias',
  'norm1.weight',
  'norm1.bias',
  'norm2.weight',
  'norm2.bias',
  'norm3.weight',
  'norm3.bias',
];

/** A place in the U-Net: where attention stands, and how many heads it has. */
export interface UNetLevel {
  channels: number;
  attention: boolean;
  heads: number;
}

/** Residual blocks of each level. */
export function blocksPerLevel(p: UNetParams): number[] {
  return typeof p.num_res_blocks === 'number' ? p.channel_mult.map(() => p.num_res_blocks as number) : p.num_res_blocks;
}

/** Channels, attention and heads of each level on the way down. */
export function levelsOf(p: UNetParams): UNetLevel[] {
  return p.channel_mult.map((mult, level) => {
    const channels = mult * p.model_channels;
    const attention = p.attention_resolutions.includes(2 ** level);
    return { channels, attention, heads: headsOf(p, channels, false) };
  });
}

/** Heads of an attention over so many channels. */
export function headsOf(p: UNetParams, channels: number, upsample: boolean): number {
  if (p.num_head_channels !== -1) return channels / p.num_head_channels;
  return upsample && p.num_heads_upsample !== -1 ? p.num_heads_upsample : p.num_heads;
}

/** Keys below `model.diffusion_model.` */
export function unetKeys(p: UNetParams): KeyPair[] {
  const keys = layers('', '', TIME);
  if (typeof p.num_classes === 'number') keys.push(pair('label_emb.weight', 'class_embedding.weight'));
  if (p.num_classes === 'sequential') keys.push(...layers('', '', VECTOR_LABEL));
  keys.push(...layers('', '', [['input_blocks.0.0', 'conv_in']]));
  const { down, skips } = downKeys(p);
  keys.push(...down, ...middleKeys(p), ...upKeys(p, skips));
  return [...keys, ...layers('', '', LAST)];
}

function downKeys(p: UNetParams): { down: KeyPair[]; skips: number[] } {
  const down: KeyPair[] = [];
  const skips = [p.model_channels];
  let channels = p.model_channels;
  let block = 1;
  levelsOf(p).forEach((level, i) => {
    for (let j = 0; j < blocksPerLevel(p)[i]; j++, block++) {
      const from = `input_blocks.${block}.`;
      down.push(...resBlockKeys(`${from}0.`, `down_blocks.${i}.resnets.${j}.`, channels !== level.channels));
      channels = level.channels;
      if (level.attention)
        down.push(...attentionKeys(p, `${from}1.`, `down_blocks.${i}.attentions.${j}.`, level.heads));
      skips.push(channels);
    }
    if (i === p.channel_mult.length - 1) return;
    const [from, to] = [`input_blocks.${block}.0.`, `down_blocks.${i}.downsamplers.0.`];
    down.push(...(p.resblock_updown ? resBlockKeys(from, to, false) : layers(from, to, [['op', 'conv']])));
    skips.push(channels);
    block++;
  });
  return { down, skips };
}

function middleKeys(p: UNetParams): KeyPair[] {
  const { heads } = levelsOf(p).at(-1)!;
  return [
    ...resBlockKeys('middle_block.0.', 'mid_block.resnets.0.', false),
    ...attentionKeys(p, 'middle_block.1.', 'mid_block.attentions.0.', heads),
    ...resBlockKeys('middle_block.2.', 'mid_block.resnets.1.', false),
  ];
}

/** diffusers counts the levels from the middle on. */
function upKeys(p: UNetParams, skips: number[]): KeyPair[] {
  const keys: KeyPair[] = [];
  const levels = levelsOf(p);
  let { channels } = levels.at(-1)!;
  let block = 0;
  for (let i = levels.length - 1; i >= 0; i--) {
    const level = levels[i];
    const to = `up_blocks.${levels.length - 1 - i}.`;
    const count = blocksPerLevel(p)[i] + 1;
    for (let j = 0; j < count; j++, block++) {
      const from = `output_blocks.${block}.`;
      keys.push(...resBlockKeys(`${from}0.`, `${to}resnets.${j}.`, channels + skips.pop()! !== level.channels));
      channels = level.channels;
      if (level.attention)
        keys.push(...attentionKeys(p, `${from}1.`, `${to}attentions.${j}.`, headsOf(p, channels, true)));
      if (i === 0 || j < count - 1) continue;
      const [up, upsampler] = [`${from}${level.attention ? 2 : 1}.`, `${to}upsamplers.0.`];
      keys.push(
        ...(p.resblock_updown ? resBlockKeys(up, upsampler, false) : layers(up, upsampler, [['conv', 'conv']])),
      );
    }
  }
  return keys;
}

function resBlockKeys(from: string, to: string, shortcut: boolean): KeyPair[] {
  return layers(from, to, shortcut ? [...RES_BLOCK, ...SHORTCUT] : RES_BLOCK);
}

function attentionKeys(p: UNetParams, from: string, to: string, heads: number): KeyPair[] {
  if (!p.use_spatial_transformer) return attentionBlockKeys(from, to, p.use_new_attention_order ? 1 : heads);
  const blocks = Array.from({ length: p.transformer_depth }, (_, i) => `transformer_blocks.${i}.`);
  return [
    ...layers(from, to, [
      ['norm', 'norm'],
      ['proj_in', 'proj_in'],
    ]),
    ...blocks.flatMap((block) => TRANSFORMER_BLOCK.map((key) => pair(`${from}${block}${key}`, `${to}${block}${key}`))),
    ...layers(from, to, [['proj_out', 'proj_out']]),
  ];
}

/** Queries, keys and values lie in one tensor; in the older order head by head. */
function attentionBlockKeys(from: string, to: string, heads: number): KeyPair[] {
  const names = (kind: string) => ['to_q', 'to_k', 'to_v'].map((name) => `${to}${name}.${kind}`);
  return [
    ...layers(from, to, [['norm', 'group_norm', SAME]]),
    { official: `${from}qkv.weight`, diffusers: names('weight'), form: { kind: 'stacked', heads, rank: 3 } },
    { official: `${from}qkv.bias`, diffusers: names('bias'), form: { kind: 'stacked', heads, rank: 1 } },
    ...layers(from, to, [['proj_out', 'to_out.0', { kind: 'pointwise', rank: 3 }]]),
  ];
}
