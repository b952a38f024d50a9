/** From a request to complete settings: defaults filled in, everything checked that can be checked before the work begins. */
import { randomInt } from 'node:crypto';
import type { SamplerName } from '../../sampling/samplers';
import { HttpError } from '../http-error';
import type { ServeLimits } from '../limits';
import type { EditRequest, GenerateRequest, ModelInfo } from '../protocol';

/** How pictures are drawn. What the model has no use for is left out. */
export interface DrawSettings {
  model: string;
  prompt?: string;
  negativePrompt?: string;
  label?: number;
  className?: string;
  width: number;
  height: number;
  sampler: SamplerName;
  steps: number;
  eta: number;
  scale: number;
  seed: number;
}

/** Seeds that are drawn are short, so that people can note them. */
const SEEDS = 2 ** 31;

const wrong = (message: string, field: string) => new HttpError(400, 'invalid_request', message, field);

type Drawing = Partial<GenerateRequest> & Partial<Pick<EditRequest, 'strength'>>;

/** @throws HttpError 400 for what this model cannot do */
export function drawSettings(request: Drawing, info: ModelInfo, limits: ServeLimits): DrawSettings {
  const sampler = (request.sampler ?? 'ddim') as SamplerName;
  const { width = info.size.width, height = info.size.height } = request;
  checkSize(info, width, height, limits);
  const settings: DrawSettings = {
    model: info.id,
    ...condition(request, info),
    width,
    height,
    sampler,
    steps: sampler === 'ddpm' ? info.timesteps : (request.steps ?? info.defaults.steps),
    eta: request.eta ?? (sampler === 'ddim' ? info.defaults.eta : 0),
    scale: request.scale ?? (sampler === 'ddpm' ? 1 : info.defaults.scale),
    seed: request.seed ?? randomInt(SEEDS),
  };
  if (settings.steps > info.timesteps)
    throw wrong(
      `Expected at most ${info.timesteps} steps, which is what this model was trained with, but received ${settings.steps}.`,
      'steps',
    );
  if (sampler === 'ddpm' && info.timesteps > limits.steps)
    throw wrong(
      `Ancestral sampling takes all ${info.timesteps} steps of this model, and this server allows ${limits.steps}.`,
      'sampler',
    );
  if (sampler === 'plms' && settings.eta > 0) throw wrong('PLMS is deterministic: leave eta at 0.', 'eta');
  if (sampler === 'ddpm' && settings.scale !== 1)
    throw wrong('Ancestral sampling has no guidance: leave scale at 1.', 'scale');
  if (settings.scale !== 1 && !info.guidance)
    throw wrong('This model was trained without anything to guide away from: leave scale at 1.', 'scale');
  return settings;
}

function condition({ prompt = '', negativePrompt = '', label }: Drawing, info: ModelInfo): Partial<DrawSettings> {
  const takesTexts = info.kind === 'text' || info.kind === 'text-inpainting' || info.kind === 'text-upscaling';
  if (label !== undefined && !info.classes) throw wrong('This model has no classes.', 'label');
  if (takesTexts) return { prompt, ...(negativePrompt && { negativePrompt }) };
  if (prompt || negativePrompt) throw wrong('This model takes no texts.', prompt ? 'prompt' : 'negativePrompt');
  if (!info.classes) return {};
  const chosen = info.classes.find((c) => c.label === (label ?? 0));
  if (!chosen) throw wrong(`Expected a class from 0 to ${info.classes.length - 1} but received ${label}.`, 'label');
  return { label: chosen.label, className: chosen.name };
}

function checkSize(info: ModelInfo, width: number, height: number, limits: ServeLimits): void {
  if (width * height > limits.pixels)
    throw wrong(`Expected at most ${limits.pixels} pixels but received ${width} x ${height}.`, 'width');
  for (const [field, side] of [
    ['width', width],
    ['height', height],
  ] as const) {
    if (side % info.multiple !== 0)
      throw wrong(
        `Expected the ${field} to be a multiple of ${info.multiple} pixels for this model but received ${side}. ` +
          `The nearest is ${Math.max(info.multiple, Math.round(side / info.multiple) * info.multiple)}.`,
        field,
      );
  }
  if (info.fixedSize && (width !== info.size.width || height !== info.size.height))
    throw wrong(`This model draws ${info.size.width} x ${info.size.height} pixels only.`, 'width');
}

/** The same settings with the seed of the picture `index` of a request. */
export function ofPicture(settings: DrawSettings, index: number): DrawSettings {
  return { ...settings, seed: settings.seed + index };
}
