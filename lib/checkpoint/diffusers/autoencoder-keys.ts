/** Key map of the first stages: AutoencoderKL and VQModel (diffusers: models/autoencoders/vae.py). */
import type { DDConfig } from '../../config/targets/architecture';
import { type KeyPair, type LayerRow, layers, pair, prefixed } from './key-map';

const RES_BLOCK: LayerRow[] = [
  ['norm1', 'norm1'],
  ['conv1', 'conv1'],
  ['norm2', 'norm2'],
  ['conv2', 'conv2'],
];
const SHORTCUT: LayerRow[] = [['nin_shortcut', 'conv_shortcut']];

const CONVOLUTION = { kind: 'pointwise', rank: 4 } as const;
const ATTENTION: LayerRow[] = [
  ['norm', 'group_norm'],
  ['q', 'to_q', CONVOLUTION],
  ['k', 'to_k', CONVOLUTION],
  ['v', 'to_v', CONVOLUTION],
  ['proj_out', 'to_out.0', CONVOLUTION],
];
const FIRST: LayerRow[] = [['conv_in', 'conv_in']];
const LAST: LayerRow[] = [
  ['norm_out', 'conv_norm_out'],
  ['conv_out', 'conv_out'],
];
const AROUND_LATENT: LayerRow[] = [
  ['quant_conv', 'quant_conv'],
  ['post_quant_conv', 'post_quant_conv'],
];

/** What decides on the keys. */
export interface AutoencoderLayout {
  ddconfig: DDConfig;
  /** With a codebook: VQModel. */
  quantizer: boolean;
}

/** Keys below the autoencoder's own prefix, without its loss. */
export function autoencoderKeys({ ddconfig, quantizer }: AutoencoderLayout): KeyPair[] {
  return [
    ...prefixed('encoder.', 'encoder.', encoderKeys(ddconfig)),
    ...prefixed('decoder.', 'decoder.', decoderKeys(ddconfig)),
    ...(quantizer ? [pair('quantize.embedding.weight', 'quantize.embedding.weight')] : []),
    ...layers('', '', AROUND_LATENT),
  ];
}

function encoderKeys(dd: DDConfig): KeyPair[] {
  const keys = layers('', '', FIRST);
  let channels = dd.ch;
  dd.ch_mult.forEach((mult, level) => {
    const width = dd.ch * mult;
    const inputs = Array.from({ length: dd.num_res_blocks }, (_, i) => (i === 0 ? channels : width));
    keys.push(...levelKeys(`down.${level}.`, `down_blocks.${level}.`, inputs, width, hasAttention(dd, level)));
    if (level < dd.ch_mult.length - 1)
      keys.push(...layers(`down.${level}.`, `down_blocks.${level}.`, [['downsample.conv', 'downsamplers.0.conv']]));
    channels = width;
  });
  return [...keys, ...middleKeys(dd), ...layers('', '', LAST)];
}

/** diffusers counts the decoder's levels from the latent, the reference from the image. */
function decoderKeys(dd: DDConfig): KeyPair[] {
  const levels = dd.ch_mult.length;
  const keys = [...layers('', '', FIRST), ...middleKeys(dd)];
  for (let level = 0; level < levels; level++) {
    const width = dd.ch * dd.ch_mult[level];
    const before = dd.ch * dd.ch_mult[Math.min(level + 1, levels - 1)];
    const inputs = Array.from({ length: dd.num_res_blocks + 1 }, (_, i) => (i === 0 ? before : width));
    const [from, to] = [`up.${level}.`, `up_blocks.${levels - 1 - level}.`];
    keys.push(...levelKeys(from, to, inputs, width, hasAttention(dd, level)));
    if (level > 0) keys.push(...layers(from, to, [['upsample.conv', 'upsamplers.0.conv']]));
  }
  return [...keys, ...layers('', '', LAST)];
}

function levelKeys(from: string, to: string, inputs: number[], width: number, attention: boolean): KeyPair[] {
  const blocks = inputs.flatMap((input, i) =>
    resBlockKeys(`${from}block.${i}.`, `${to}resnets.${i}.`, input !== width),
  );
  const attentions = inputs.flatMap((_, i) => layers(`${from}attn.${i}.`, `${to}attentions.${i}.`, ATTENTION));
  return attention ? [...blocks, ...attentions] : blocks;
}

function middleKeys(dd: DDConfig): KeyPair[] {
  return [
    ...resBlockKeys('mid.block_1.', 'mid_block.resnets.0.', false),
    ...(dd.attn_type === 'none' ? [] : layers('mid.attn_1.', 'mid_block.attentions.0.', ATTENTION)),
    ...resBlockKeys('mid.block_2.', 'mid_block.resnets.1.', false),
  ];
}

function resBlockKeys(from: string, to: string, shortcut: boolean): KeyPair[] {
  return layers(from, to, shortcut ? [...RES_BLOCK, ...SHORTCUT] : RES_BLOCK);
}

/** Whether attention stands at a level: the config names the sizes that an image of `resolution` has there. */
export function hasAttention(dd: DDConfig, level: number): boolean {
  return dd.attn_type !== 'none' && dd.attn_resolutions.includes(Math.floor(dd.resolution / 2 ** level));
}
