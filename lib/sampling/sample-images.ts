/** From a trained diffusion model to pictures: conditions, sampling in batches, decoding. */
import type { ResolvedNode } from '../config';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import type { DDPM } from '../models/ddpm';
import { LatentDiffusion } from '../models/latent-diffusion';
import { type Pictures, picturesOf, slicePictures } from '../pictures/picture';
import { Generator } from '../random';
import { Tensor } from '../tensor';
import type { Conditioning } from './conditioning';
import { DDIMSampler } from './ddim-sampler';

export interface SampleImagesOptions {
  /** How many pictures. */
  count: number;
  /** Label of the class of all pictures, or of each; null: none (an unconditional model). */
  classLabel: number | readonly number[] | null;
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
  const { classLabel } = options;
  const labels = typeof classLabel === 'number' ? Array<number>(options.count).fill(classLabel) : classLabel;
  checkLabels(model, labels, options.count);
  const parts: Pictures[] = [];
  using random = new Generator(options.seed, model.device);
  const draw = async () => {
    for (let done = 0; done < options.count; done += options.batchSize) {
      const n = Math.min(options.batchSize, options.count - done);
      const conditioning = await conditioningOf(model, labels?.slice(done, done + n) ?? null);
      parts.push(await sampleBatch(model, { n, done, conditioning, random }, options));
    }
  };
  await (options.ema ? model.emaScope(draw) : draw());
  return concatenate(parts);
}

async function sampleBatch(
  model: DDPM,
  { n, done, conditioning, random }: { n: number; done: number; conditioning: Conditioning | null; random: Generator },
  options: SampleImagesOptions,
): Promise<Pictures> {
  const { steps, eta, scale, precision, signal } = options;
  const batches = Math.ceil(options.count / options.batchSize);
  const common = {
    batchSize: n,
    conditioning,
    random,
    precision,
    signal,
    onProgress: ({ step, total }: { step: number; total: number }) =>
      options.onProgress?.((done / options.batchSize) * total + step, total * batches),
  };
  const any = scale === 1 || options.unconditionalLabel === null ? null : Array(n).fill(options.unconditionalLabel);
  const unconditional = await conditioningOf(model, any);
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
  return slicePictures(await picturesOf(images), 0, n);
}

async function conditioningOf(model: DDPM, labels: readonly number[] | null): Promise<Conditioning | null> {
  if (labels === null || !(model instanceof LatentDiffusion)) return null;
  const input = Tensor.from(BigInt64Array.from(labels, BigInt), [labels.length]).to({ device: model.device });
  const stage = model.params.cond_stage_config as ResolvedNode;
  const key = (stage.params.key as string | undefined) ?? (model.params.cond_stage_key as string);
  return model.getLearnedConditioning({ [key]: input });
}

function checkLabels(model: DDPM, labels: readonly number[] | null, count: number): void {
  const classes = classCountOf(model);
  const refuse = (message: string) => {
    throw new LdmError('ERR_INVALID_ARGUMENT', message);
  };
  if (classes === null && labels !== null) refuse('This model has no classes; leave the class out.');
  if (classes === null || labels === null) {
    if (classes !== null) refuse(`This model needs a class: a label from 0 to ${classes - 1}.`);
    return;
  }
  if (labels.length !== count) refuse(`Expected ${count} labels, one for each picture, but received ${labels.length}.`);
  const odd = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (odd !== undefined) refuse(`Expected a class label from 0 to ${classes - 1} but received ${odd}.`);
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
