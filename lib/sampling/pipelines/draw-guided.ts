/** Pictures by any guide, and between two of them. */
import { LdmError } from '../../errors';
import type { DDPM } from '../../models/ddpm';
import { Tensor } from '../../tensor';
import { decodePictures, drawLatents, type PipelineOptions } from './draw';
import { encodeGuide, type Guide, type GuideConditions } from './guide';
import { latentShape, type PictureSize, trainedSize } from './sizes';

export interface GuidedOptions extends PipelineOptions, Partial<PictureSize> {
  /** How many pictures. Default: the batch of `xT`, else 1. */
  n?: number;
  guide?: Guide;
}

/**
 * Draws pictures of a text, of a class or of nothing with DDIM (50 steps, eta 0) or another sampler.
 * @returns [n, channels, height, width] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT as {@link encodeGuide}, or for a size that the networks cannot halve
 */
export async function guidedImages(model: DDPM, options: GuidedOptions = {}): Promise<Tensor> {
  const { n = options.xT?.shape[0] ?? 1, guide = {}, height, width, ...run } = options;
  const shape = shapeOf(model, { height, width });
  const conditions = await encodeGuide(model, n, guide, run);
  return draw(model, [n, ...shape], conditions, run);
}

export interface InterpolateOptions extends Omit<PipelineOptions, 'xT' | 'random' | 'eta'>, Partial<PictureSize> {
  /** Pictures, the two ends included, at least 2. */
  frames: number;
  /** The two ends: what guides them, and the noise that they begin with [1, c, h, w]. */
  from: { guide?: Guide; xT: Tensor };
  to: { guide?: Guide; xT: Tensor };
}

/**
 * Pictures between two: noise moves on the sphere on which it lies, conditions on the line between them (as in the original
 * DDIM paper, section 5.3). Deterministic: DDIM with eta 0, or PLMS.
 * @returns [frames, channels, height, width] in [0, 1]
 * @throws LdmError ERR_INVALID_ARGUMENT as {@link guidedImages}, for guidance that differs at the ends, or fewer than 2 frames
 */
export async function interpolateImages(model: DDPM, options: InterpolateOptions): Promise<Tensor> {
  const { frames, from, to, height, width, ...run } = options;
  if (!Number.isInteger(frames) || frames < 2)
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected at least 2 frames but received ${frames}`);
  if ((from.guide?.scale ?? 1) !== (to.guide?.scale ?? 1))
    throw new LdmError('ERR_INVALID_ARGUMENT', 'Expected the same guidance scale at both ends');
  const shape = shapeOf(model, { height, width });
  const weights = Array.from({ length: frames }, (_, i) => i / (frames - 1));
  const xT = await onSphere(from.xT, to.xT, weights);
  const [a, b] = [await encodeGuide(model, 1, from.guide ?? {}, run), await encodeGuide(model, 1, to.guide ?? {}, run)];
  const conditions = {
    conditioning: onLine(a.conditioning, b.conditioning, weights),
    unconditionalConditioning: onLine(a.unconditionalConditioning, b.unconditionalConditioning, weights),
    scale: a.scale,
  };
  return draw(model, [frames, ...shape], conditions, { ...run, eta: 0, xT });
}

function shapeOf(model: DDPM, { height, width }: Partial<PictureSize>): [number, number, number] {
  const trained = trainedSize(model);
  return latentShape(model, { height: height ?? trained.height, width: width ?? trained.width });
}

async function draw(
  model: DDPM,
  shape: readonly [number, number, number, number],
  conditions: GuideConditions,
  run: PipelineOptions,
): Promise<Tensor> {
  const plan = { shape, ...conditions, defaults: { steps: 50, eta: 0 } };
  return decodePictures(model, await drawLatents(model, plan, run), run);
}

/** Spherical interpolation (Shoemake 1985) of two tensors with a batch of 1; along the line where they are nearly parallel. */
async function onSphere(a: Tensor, b: Tensor, weights: readonly number[]): Promise<Tensor> {
  if (a.shape.join() !== b.shape.join())
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      `Expected noise of one shape but received [${a.shape}] and [${b.shape}]`,
    );
  const cosine = await a
    .mul(b)
    .sum()
    .div(a.mul(a).sum().mul(b.mul(b).sum()).sqrt())
    .item();
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine)));
  if (Math.sin(angle) < 1e-4) return onLine(a, b, weights)!;
  const part = (t: number) => Math.sin(t * angle) / Math.sin(angle);
  return Tensor.cat(weights.map((t) => a.mul(part(1 - t)).add(b.mul(part(t)))));
}

function onLine(a: Tensor, b: Tensor, weights: readonly number[]): Tensor;
function onLine(a: Tensor | null, b: Tensor | null, weights: readonly number[]): Tensor | null;
function onLine(a: Tensor | null, b: Tensor | null, weights: readonly number[]): Tensor | null {
  if (!a || !b) return null;
  return Tensor.cat(weights.map((t) => a.mul(1 - t).add(b.mul(t))));
}
