/** The settings of a drawing as the form holds them: what is undefined is the model's default. */
import type { ModelInfo } from '../lib/serve/protocol';

export interface FormSettings {
  prompt: string;
  negativePrompt: string;
  label?: number;
  width?: number;
  height?: number;
  steps?: number;
  sampler: string;
  eta?: number;
  scale?: number;
  /** Undefined: a new one each time. */
  seed?: number;
  n: number;
  strength?: number;
}

export const EMPTY: FormSettings = { prompt: '', negativePrompt: '', sampler: 'ddim', n: 4 };

const NUMBERS = ['label', 'width', 'height', 'steps', 'eta', 'scale', 'seed', 'strength'] as const;

/** Settings of a picture, of a link, or of whatever has these names. */
export function settingsFrom(values: Record<string, unknown>, before: FormSettings = EMPTY): FormSettings {
  const result: FormSettings = { ...before };
  if (typeof values.prompt === 'string') result.prompt = values.prompt;
  result.negativePrompt = typeof values.negativePrompt === 'string' ? values.negativePrompt : '';
  if (typeof values.sampler === 'string') result.sampler = values.sampler;
  for (const name of NUMBERS) {
    const value = typeof values[name] === 'string' ? Number(values[name]) : values[name];
    if (typeof value === 'number' && Number.isFinite(value)) result[name] = value;
  }
  return result;
}

/** What is left when another model is chosen: its defaults are other ones. */
export const forOtherModel = ({ prompt, negativePrompt, seed, n }: FormSettings): FormSettings => ({
  ...EMPTY,
  prompt,
  negativePrompt,
  seed,
  n,
});

/** The request for a model: what it has no use for is left out. */
export function requestOf(settings: FormSettings, info: ModelInfo): Record<string, unknown> {
  const { prompt, negativePrompt, label, width, height, steps, sampler, eta, scale, seed } = settings;
  const takesTexts = info.kind === 'text' || info.kind === 'text-inpainting' || info.kind === 'text-upscaling';
  return {
    model: info.id,
    ...(takesTexts && { prompt, negativePrompt }),
    ...(info.classes && { label: label ?? 0 }),
    ...(!info.fixedSize && { width, height }),
    ...(sampler !== 'ddpm' && { steps }),
    sampler,
    ...(sampler === 'ddim' && { eta }),
    ...(info.guidance && sampler !== 'ddpm' && { scale }),
    seed,
  };
}

/** As they stand in a link. */
export function queryOf(settings: Record<string, unknown>): Record<string, string> {
  const names = ['model', 'prompt', 'negativePrompt', 'sampler', ...NUMBERS];
  const entries = names.flatMap((name) => {
    const value = settings[name];
    return value === undefined || value === null || value === '' ? [] : [[name, String(value)]];
  });
  return Object.fromEntries(entries);
}
