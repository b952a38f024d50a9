/** What the jobs do: drawing, editing, interpolating. Each picture is what its own seed gives, whatever is drawn with it. */
import { DDPM } from '../../models/ddpm';
import { LatentDiffusion } from '../../models/latent-diffusion';
import { Generator } from '../../random';
import {
  changePictures,
  encodeGuide,
  encodePictures,
  guidedImages,
  inpaint,
  inpaintByText,
  interpolateImages,
  latentShape,
  repaint,
  superResolve,
  upscaleByText,
} from '../../sampling/pipelines';
import type { Guide } from '../../sampling/pipelines/guide';
import { Tensor } from '../../tensor';
import { unconditionalLabel } from '../describe-model';
import { HttpError } from '../http-error';
import type { FinishedImage, Outcome, Report } from '../job';
import type { ReadyModel } from '../model-host';
import { maskTensor, pictureTensor, type UploadedPicture } from '../uploads';
import { finish } from './finish';
import { type DrawSettings, ofPicture } from './settings';
import { Watch, type WatchOptions } from './watch';

/** A diffusion model with its averaged weights in place, where it has any. */
async function withDiffusion<T>({ model, hasEma }: ReadyModel, fn: (model: DDPM) => Promise<T>): Promise<T> {
  if (!(model instanceof DDPM))
    throw new HttpError(400, 'wrong_model', 'This model cannot draw: it is an autoencoder.', 'model');
  return hasEma ? model.emaScope(() => fn(model)) : fn(model);
}

function latentModel(model: DDPM): LatentDiffusion {
  if (model instanceof LatentDiffusion) return model;
  throw new HttpError(400, 'wrong_model', 'This model diffuses pixels: it cannot change pictures.', 'model');
}

const guideOf = (ready: ReadyModel, model: DDPM, { prompt, negativePrompt, label, scale }: DrawSettings): Guide => ({
  prompt,
  negativePrompt,
  label,
  scale,
  unconditionalLabel: unconditionalLabel(model, ready.classNames),
});

const samplingOf = ({ sampler, steps, eta }: DrawSettings) => ({
  sampler,
  steps: sampler === 'ddpm' ? undefined : steps,
  eta,
});

/** Noise of a seed, as a sampler would draw it. */
function noiseOf(model: DDPM, shape: readonly number[], seed: number): Tensor {
  using random = new Generator(seed, model.device);
  return Tensor.randn([1, ...shape], { random, device: model.device });
}

/** Work in which each picture has a run of its own. */
async function oneByOne(
  n: number,
  settings: (i: number) => object,
  draw: (i: number, random: Generator) => Promise<Tensor>,
  seed: number,
  device: string,
): Promise<FinishedImage[]> {
  const images: FinishedImage[] = [];
  for (let i = 0; i < n; i++) {
    using random = new Generator(seed + i, device);
    images.push(...(await finish(await draw(i, random), settings, i)));
  }
  return images;
}

export function generate(
  ready: ReadyModel,
  settings: DrawSettings,
  n: number,
  options: WatchOptions,
  report: Report,
): Promise<Outcome> {
  return withDiffusion(ready, async (model) => {
    const watch = new Watch(model, report, options);
    const { width, height } = settings;
    const drawing = { ...samplingOf(settings), width, height, guide: guideOf(ready, model, settings) };
    const of = (i: number) => ofPicture(settings, i);
    // Without noise in the steps pictures do not depend on each other, so they can share a batch.
    if (settings.eta > 0 || settings.sampler === 'ddpm') {
      const draw = (i: number, random: Generator) => guidedImages(model, { ...drawing, random, ...watch.run(i, n) });
      return outcome(await oneByOne(n, of, draw, settings.seed, model.device), watch);
    }
    const shape = latentShape(model, settings);
    using xT = Tensor.cat(Array.from({ length: n }, (_, i) => noiseOf(model, shape, settings.seed + i)));
    return outcome(await finish(await guidedImages(model, { ...drawing, xT, ...watch.run() }), of), watch);
  });
}

export function interpolate(
  ready: ReadyModel,
  from: DrawSettings,
  to: DrawSettings,
  frames: number,
  options: WatchOptions,
  report: Report,
): Promise<Outcome> {
  return withDiffusion(ready, async (model) => {
    const watch = new Watch(model, report, options);
    const shape = latentShape(model, from);
    const end = (settings: DrawSettings) => ({
      guide: guideOf(ready, model, settings),
      xT: noiseOf(model, shape, settings.seed),
    });
    const { sampler, steps } = samplingOf(from);
    const { width, height } = from;
    const images = await interpolateImages(model, {
      sampler,
      steps,
      width,
      height,
      frames,
      from: end(from),
      to: end(to),
      ...watch.run(),
    });
    const { prompt, seed, label } = to;
    return outcome(await finish(images, (i) => ({ ...from, to: { prompt, seed, label }, frame: i, frames })), watch);
  });
}

export interface EditInput {
  image: UploadedPicture;
  mask: UploadedPicture | null;
  strength: number;
  n: number;
}

/** With a mask its bright part is drawn anew; models that enlarge do so; otherwise the whole picture is changed. */
export function edit(
  ready: ReadyModel,
  settings: DrawSettings,
  input: EditInput,
  options: WatchOptions,
  report: Report,
): Promise<Outcome> {
  return withDiffusion(ready, async (diffusion) => {
    const model = latentModel(diffusion);
    const watch = new Watch(model, report, options);
    const { kind } = ready.info;
    using image = pictureTensor(input.image, model.device);
    using mask = input.mask && maskTensor(input.mask, model.device);
    const run = (i: number) => watch.run(i, input.n);
    const { prompt = '', negativePrompt, scale, steps, eta } = settings;
    const texts = { prompts: [prompt], negativePrompt, scale };
    const draw = async (i: number, random: Generator): Promise<Tensor> => {
      const common = { steps, eta, random, ...run(i) };
      if (kind === 'super-resolution') return superResolve(model, { image, ...common });
      if (kind === 'text-upscaling') return upscaleByText(model, { image, ...texts, ...common });
      if (mask && kind === 'inpainting') return inpaint(model, { image, mask, ...common });
      if (mask && kind === 'text-inpainting') return inpaintByText(model, { image, mask, ...texts, ...common });
      const guide = guideOf(ready, model, settings);
      if (mask) return repaint(model, { image, mask, guide, ...common });
      const { signal } = report;
      using latents = await encodePictures(model, image, { random, signal });
      const conditions = await encodeGuide(model, 1, guide, { signal });
      return changePictures(model, { latents, strength: input.strength, conditions, ...common });
    };
    const how = mask
      ? { edit: 'inpaint' }
      : ready.info.can.upscale
        ? { edit: 'upscale' }
        : { edit: 'img2img', strength: input.strength };
    const of = (i: number) => ({ ...ofPicture(settings, i), ...how });
    return outcome(await oneByOne(input.n, of, draw, settings.seed, model.device), watch);
  });
}

function outcome(pictures: FinishedImage[], watch: Watch): Outcome {
  return { images: [...pictures, ...watch.timeline], values: {} };
}
