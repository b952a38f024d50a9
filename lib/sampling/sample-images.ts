/** From a trained diffusion model to pictures: conditions, sampling in batches, decoding. */
import type { ResolvedNode } from '../config';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import type { DDPM } from '../models/ddpm';
import { LatentDiffusion } from '../models/latent-diffusion';
import { firstPictures, type Pictures, picturesOf } from '../pictures/picture';
import { Generator } from '../random';
import { Tensor } from '../tensor';
import type { Conditioning } from './conditioning';
import { DDIMSampler } from './ddim-sampler';

export interface SampleImagesOptions {
  /** How many pictures. */
  count: number;
  /** Label of the class of all pictures; null: none (an unconditional model). */
  classLabel: number | null;
  /** DDIM steps; null: ancestral sampling with all of the model's timesteps. */
  steps: number | null;
  /** DDIM's noise, 0 to 1. */
  eta: number;
  /** Classifier-free guidance; 1: none. */
  scale: number;
  /** Label that stands for "any class"; needed for guidance. */
  unconditionalLabel: number | null;
  seed: number;
  /** Pictures at a time. */
  batchSize: number;
  /** Use the averaged weights. */
  ema: boolean;
  precision?: CallOptions['precision'];
  signal?: AbortSignal;
  /** Called after each step with the evaluations done and to be done. */
  onProgress?: (done: number, total: number) => void;
}

/** Number of labels of a class-conditional model; null for one that is conditioned otherwise or not at all. */
export function classCountOf(model: DDPM): number | null {
  const stage = model.params.cond_stage_config as ResolvedNode | string | undefined;
  if (typeof stage !== 'object' || !stage.target.endsWith('.ClassEmbedder')) return null;
  return stage.params.n_classes as number;
}

/**
 * Draws pictures [count, channels, height, width] in about [-1, 1]. The same options and seed give the same pictures.
 * @throws LdmError ERR_INVALID_ARGUMENT for a label that the model does not have, or one for an unconditional model
 */
export async function sampleImages(model: DDPM, options: SampleImagesOptions): Promise<Pictures> {
  checkLabel(model, options.classLabel);
  const parts: Pictures[] = [];
  using random = new Generator(options.seed, model.device);
  const draw = async () => {
    for (let done = 0; done < options.count; done += options.batchSize) {
      const n = Math.min(options.batchSize, options.count - done);
      parts.push(await sampleBatch(model, n, done, random, options));
    }
  };
  await (options.ema ? model.emaScope(draw) : draw());
  return concatenate(parts);
}

async function sampleBatch(
  model: DDPM,
  n: number,
  before: number,
  random: Generator,
  options: SampleImagesOptions,
): Promise<Pictures> {
  const { steps, eta, scale, precision, signal } = options;
  const batches = Math.ceil(options.count / options.batchSize);
  const common = {
    batchSize: n,
    conditioning: await conditioningOf(model, options.classLabel, n),
    random,
    precision,
    signal,
    onProgress: ({ step, total }: { step: number; total: number }) =>
      options.onProgress?.((before / options.batchSize) * total + step, total * batches),
  };
  const unconditional = scale === 1 ? null : await conditioningOf(model, options.unconditionalLabel, n);
  const { samples } =
    steps === null
      ? await model.sample(common)
      : await new DDIMSampler(model).sample({
          ...common,
          steps,
          eta,
          unconditionalConditioning: unconditional,
          unconditionalGuidanceScale: scale,
        });
  const images =
    model instanceof LatentDiffusion ? await model.decodeFirstStage(samples, { signal, precision }) : samples;
  return firstPictures(await picturesOf(images), n);
}

async function conditioningOf(model: DDPM, label: number | null, n: number): Promise<Conditioning | null> {
  if (label === null || !(model instanceof LatentDiffusion)) return null;
  const labels = Tensor.from(new BigInt64Array(n).fill(BigInt(label)), [n], { device: model.device });
  const stage = model.params.cond_stage_config as ResolvedNode;
  const key = (stage.params.key as string | undefined) ?? (model.params.cond_stage_key as string);
  return model.getLearnedConditioning({ [key]: labels });
}

function checkLabel(model: DDPM, label: number | null): void {
  const classes = classCountOf(model);
  if (label !== null && (classes === null || label < 0 || label >= classes))
    throw new LdmError(
      'ERR_INVALID_ARGUMENT',
      classes === null
        ? 'This model has no classes; leave the class out.'
        : `Expected a class label from 0 to ${classes - 1} but received ${label}.`,
    );
  if (label === null && classes !== null)
    throw new LdmError('ERR_INVALID_ARGUMENT', `This model needs a class: a label from 0 to ${classes - 1}.`);
}

function concatenate(parts: readonly Pictures[]): Pictures {
  const batch = parts.reduce((sum, p) => sum + p.batch, 0);
  const data = new Float32Array(parts.reduce((sum, p) => sum + p.data.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { ...parts[0], batch, data };
}
