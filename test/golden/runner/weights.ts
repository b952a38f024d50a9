/** Deterministic weights: which tensors of a module are filled, and with what (spec/detweights.py of the golden cases). */
import fs from 'node:fs';
import path from 'node:path';
import { readCheckpoint } from '../../../lib/checkpoint';
import type { Module } from '../../../lib/models/module';
import { op, type Tensor } from '../../../lib/tensor';

/** The official LPIPS heads (v0.1, VGG), which the fill leaves as they are. */
const HEADS = path.join(__dirname, '../../../models/lpips/vgg_lpips_v0.1.pth');

const KEPT_SUFFIXES = [
  'num_batches_tracked',
  'model_ema.decay',
  'model_ema.num_updates',
  'initialized',
  'inv_freq',
  'scaling_layer.shift',
  'scaling_layer.scale',
  'scale_factor',
  'used',
];
const SCHEDULE = new Set([
  'betas',
  'alphas_cumprod',
  'alphas_cumprod_prev',
  'sqrt_alphas_cumprod',
  'sqrt_one_minus_alphas_cumprod',
  'log_one_minus_alphas_cumprod',
  'sqrt_recip_alphas_cumprod',
  'sqrt_recipm1_alphas_cumprod',
  'posterior_variance',
  'posterior_log_variance_clipped',
  'posterior_mean_coef1',
  'posterior_mean_coef2',
]);

/** Whether the fill leaves this tensor alone. */
export function skipped(name: string): boolean {
  return SCHEDULE.has(name) || name.includes('perceptual_loss.lin') || KEPT_SUFFIXES.some((s) => name.endsWith(s));
}

export interface FillOptions {
  /** Prepended to the module's own names. */
  prefix: string;
  seed: number;
  /** Only names that begin so are filled. */
  only?: readonly string[];
  /** Factors by full name, multiplied last. */
  scale?: Record<string, number>;
}

/**
 * Fills a module. Goes backwards through the state, one tensor at a time: of tied tensors the first name is then written
 * last and counts, and no second copy of the weights is ever in memory.
 */
export async function fillDeterministic(module: Module, options: FillOptions): Promise<void> {
  const state = [...(await module.stateDict())].reverse();
  for (const [key, tensor] of state) {
    const name = options.prefix + key;
    const wanted = !options.only || options.only.some((p) => name.startsWith(p));
    if (wanted && tensor.dtype.includes('float') && !skipped(name)) {
      using value = op('detweights', [name, tensor.shape, options.seed, 'float32', 'cpu']);
      const factor = options.scale?.[name];
      using scaled = factor === undefined ? undefined : value.mul(factor);
      await put(module, key, scaled ?? value);
    }
    tensor.dispose();
  }
}

/** Gives every `perceptual_loss.lin*` the official heads; does nothing in models without LPIPS. */
export async function fillHeads(module: Module): Promise<void> {
  const names = [...(await module.stateDict()).keys()].filter((name) => /(^|\.)lin\d\.model\.1\.weight$/.test(name));
  if (names.length === 0 || !fs.existsSync(HEADS)) return;
  using heads = await readCheckpoint(HEADS);
  for (const name of names) await put(module, name, heads.stateDict.get(name.slice(name.lastIndexOf('lin')))!);
}

async function put(module: Module, key: string, value: Tensor): Promise<void> {
  await module.loadStateDict(new Map([[key, value]]), { strict: false });
}
