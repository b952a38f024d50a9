/** How `ldm sample` draws a batch: sampler, steps, noise and guidance, by what the model is conditioned on. */
import type { DDPM } from '../models/ddpm';
import { LatentDiffusion } from '../models/latent-diffusion';
import type { Pictures } from '../pictures/picture';
import { classCountOf, classToImage, unconditionalImages } from '../sampling/pipelines';
import type { SamplerName } from '../sampling/samplers';
import { UsageError } from './errors';
import type { ModelFlags, OpenedModel } from './model-options';
import { takePictures } from './picture-files';

export interface SampleFlags extends ModelFlags {
  resume?: string;
  logdir?: string;
  number?: number;
  class?: string[];
  steps?: number;
  eta?: number;
  scale?: number;
  uncondClass?: number;
  vanilla?: boolean;
  plms?: boolean;
  out: string;
  batchSize?: number;
}

/** Settings of a run, as they are kept in pictures. */
export interface SampleSettings {
  sampler: SamplerName;
  /** Not with ancestral sampling. */
  steps?: number;
  eta?: number;
  scale: number;
}

export interface SampleHow {
  settings: SampleSettings;
  unconditionalLabel: number | null;
}

/** The commands for models with other conditions, by cond_stage_key. */
const OTHER_COMMANDS: Record<string, string> = {
  caption: 'ldm txt2img',
  txt: 'ldm txt2img',
  masked_image: 'ldm inpaint',
  LR_image: 'ldm superres',
  segmentation: 'ldm semantic',
  coordinates_bbox: 'ldm layout2img',
};

/** @throws UsageError for a model that needs a condition other than a class */
export function expectDrawable(model: DDPM): void {
  if (!(model instanceof LatentDiffusion) || classCountOf(model) !== null) return;
  if (model.params.cond_stage_config === '__is_unconditional__') return;
  const key = model.params.cond_stage_key as string;
  const command = OTHER_COMMANDS[key];
  throw new UsageError(
    `This model is conditioned on '${key}'${command ? `: see \`${command}\`` : ', which this command has not'}.`,
  );
}

/** What the flags, the model and the original scripts say. */
export function samplingOf(model: DDPM, flags: SampleFlags, trainedNames: readonly string[]): SampleHow {
  const classes = classCountOf(model);
  const steps = Math.min(classes === null ? 50 : 20, model.numTimesteps);
  // The notebook's guidance, for the model that was trained with a label for any class.
  const scale = flags.scale ?? (classes === 1001 && trainedNames.length === 0 && !flags.vanilla ? 3 : 1);
  if (flags.plms && flags.eta) throw new UsageError(`PLMS is deterministic: leave --eta at 0 (it is ${flags.eta}).`);
  if (flags.vanilla && scale !== 1)
    throw new UsageError('Ancestral sampling (--vanilla) has no guidance: leave --scale at 1.');
  const settings: SampleSettings = flags.vanilla
    ? { sampler: 'ddpm', scale }
    : {
        sampler: flags.plms ? 'plms' : 'ddim',
        steps: flags.steps ?? steps,
        eta: flags.eta ?? (classes === null && !flags.plms ? 1 : 0),
        scale,
      };
  return { settings, unconditionalLabel: scale === 1 ? null : unconditionalLabel(flags, trainedNames, classes) };
}

/** The label beyond those that have names, as in the reference's class-conditional ImageNet model. */
function unconditionalLabel(flags: SampleFlags, names: readonly string[], count: number | null): number {
  if (flags.uncondClass !== undefined) return flags.uncondClass;
  if (count !== null && (names.length > 0 ? names.length < count : count === 1001)) return count - 1;
  throw new UsageError(
    'This model was trained without a label for any class, so there is no guidance: leave --scale at 1.',
  );
}

/** Draws batch after batch from one stream of noise. */
export class SampleRun {
  constructor(
    private readonly opened: OpenedModel,
    private readonly how: SampleHow,
    private readonly signal: AbortSignal,
  ) {}

  /** `n` pictures in [0, 1], of a class or of none. */
  async draw(n: number, label: number | null, onProgress: (step: number, total: number) => void): Promise<Pictures> {
    const { model, random, precision, tile } = this.opened;
    const { settings, unconditionalLabel } = this.how;
    const options = {
      ...settings,
      random,
      precision,
      tile,
      signal: this.signal,
      onProgress: ({ step, total }: { step: number; total: number }) => onProgress(step, total),
    };
    return takePictures(
      label === null
        ? await unconditionalImages(model, { ...options, n })
        : await classToImage(model, { ...options, labels: Array<number>(n).fill(label), unconditionalLabel }),
    );
  }
}
