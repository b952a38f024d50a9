/**
 * What clients and server say to each other, as schemas: requests are checked with them, the OpenAPI description is made of
 * them, the page takes its types from them.
 */
import { z } from 'zod';
import { samplerNames } from '../sampling/samplers';
import type { ServeLimits } from './limits';

/** What a model is asked with. 'other' models have conditions that this server has no form for. */
export const MODEL_KINDS = [
  'text',
  'class',
  'unconditional',
  'inpainting',
  'text-inpainting',
  'super-resolution',
  'text-upscaling',
  'autoencoder',
  'other',
] as const;

const modelKind = z.enum(MODEL_KINDS);
export type ModelKind = z.infer<typeof modelKind>;

export const jobKind = z.enum(['load', 'generate', 'edit', 'interpolate', 'reconstruct']);
export type JobKind = z.infer<typeof jobKind>;

export const jobState = z.enum(['queued', 'running', 'done', 'failed', 'cancelled']);
export type JobState = z.infer<typeof jobState>;

const modelId = z.string().min(1).max(500).describe('Id of a model as /api/models lists it; default: the first one');

/** The schemas of requests under the limits of a server. */
export function requestSchemas(limits: ServeLimits) {
  const side = z
    .number()
    .int()
    .min(8)
    .max(Math.floor(limits.pixels / 8));
  const seed = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
  const prompt = z.string().max(limits.promptLength);
  const common = {
    model: modelId.optional(),
    prompt: prompt.default('').describe('What to draw; for models that take texts'),
    negativePrompt: prompt.default('').describe('What guidance leads away from'),
    label: z.number().int().min(0).optional().describe('Class; for models that have classes'),
    steps: z.number().int().min(1).max(limits.steps).optional().describe("Steps of the sampler; default: the model's"),
    eta: z.number().min(0).max(1).optional().describe('Noise of DDIM: 0 is deterministic, 1 as in ancestral sampling'),
    scale: z.number().min(0).max(100).optional().describe('Guidance; 1 is none'),
    seed: seed.optional().describe('Default: a random one, which the result tells'),
    preview: z
      .enum(['auto', 'projection', 'decoded', 'none'])
      .default('auto')
      .describe('Pictures of the clean estimate; auto decodes small ones'),
    timeline: z
      .boolean()
      .default(false)
      .describe('Also give pictures of the noisy and the clean estimate over the steps'),
  };
  const drawing = {
    ...common,
    width: side.optional().describe("Pixels; default: the model's"),
    height: side.optional().describe("Pixels; default: the model's"),
    sampler: z
      .enum(samplerNames as [string, ...string[]])
      .optional()
      .describe('Default: ddim'),
  };
  const n = z.number().int().min(1).max(limits.batch).default(1).describe('Pictures; each has the next seed');
  return {
    generate: z.strictObject({ ...drawing, n }),
    edit: z.strictObject({
      ...common,
      n,
      strength: z
        .number()
        .min(0)
        .max(1)
        .optional()
        .describe('How much of the picture is lost (not with a mask); default 0.75'),
    }),
    interpolate: z.strictObject({
      ...drawing,
      frames: z.number().int().min(2).max(limits.batch).default(8).describe('Pictures, the two ends included'),
      to: z
        .strictObject({ prompt: prompt.optional(), seed: seed.optional(), label: z.number().int().min(0).optional() })
        .describe('The other end; what is left out is as at the first one'),
    }),
    reconstruct: z.strictObject({
      model: modelId.optional(),
      size: side.optional().describe("Side in pixels of the square that is cut out; default: the model's resolution"),
    }),
    load: z.strictObject({ model: modelId }),
    session: z.strictObject({ token: z.string().max(1000) }),
  };
}

type Schemas = ReturnType<typeof requestSchemas>;
export type GenerateRequest = z.infer<Schemas['generate']>;
export type EditRequest = z.infer<Schemas['edit']>;
export type InterpolateRequest = z.infer<Schemas['interpolate']>;
export type ReconstructRequest = z.infer<Schemas['reconstruct']>;

export const errorBody = z.object({
  error: z.object({ code: z.string(), message: z.string(), field: z.string().optional() }),
});

export const modelEntry = z.object({
  id: z.string(),
  name: z.string(),
  checkpoint: z.string().describe('File, relative to the folder of models'),
  bytes: z.number(),
  modified: z.number().describe('Milliseconds since 1970'),
  loaded: z.boolean(),
  problem: z.string().nullable().describe('Why it cannot be loaded'),
});
export type ModelEntry = z.infer<typeof modelEntry>;

export const modelInfo = z.object({
  id: z.string(),
  name: z.string(),
  kind: modelKind,
  note: z.string().nullable().describe('What to know about it'),
  size: z.object({ width: z.number(), height: z.number() }).describe('What it was trained for'),
  multiple: z.number().describe('What sides have to be multiples of'),
  fixedSize: z.boolean(),
  timesteps: z.number(),
  latent: z.array(z.number()).nullable().describe('[channels, height, width] of a latent; null without a first stage'),
  classes: z.array(z.object({ label: z.number(), name: z.string() })).nullable(),
  guidance: z.boolean().describe('Whether guidance is possible'),
  can: z.object({
    generate: z.boolean(),
    img2img: z.boolean(),
    inpaint: z.boolean(),
    upscale: z.boolean(),
    interpolate: z.boolean(),
    reconstruct: z.boolean(),
  }),
  defaults: z.object({ steps: z.number(), eta: z.number(), scale: z.number(), strength: z.number() }),
});
export type ModelInfo = z.infer<typeof modelInfo>;

export const serverInfo = z.object({
  name: z.string(),
  version: z.string(),
  device: z.string(),
  limits: z.object({
    pixels: z.number(),
    steps: z.number(),
    batch: z.number(),
    uploadBytes: z.number(),
    promptLength: z.number(),
  }),
  samplers: z.array(z.string()),
  hasLogs: z.boolean(),
  tokenNeeded: z.boolean().describe('Whether this request lacks the token that everything else needs'),
});
export type ServerInfo = z.infer<typeof serverInfo>;

export const resultImage = z.object({
  url: z.string().describe("Relative to the server's address"),
  role: z.enum(['picture', 'x0', 'xt', 'original', 'reconstruction', 'difference', 'latent']),
  width: z.number(),
  height: z.number(),
  name: z.string().describe('A name for the file'),
  index: z.number().describe('Which picture of the request'),
  step: z.number().optional().describe('For x0 and xt: after so many steps'),
  settings: z.record(z.string(), z.unknown()).nullable().describe('How it was made; also in the PNG, under "settings"'),
  text: z.string().optional().describe('A remark, such as the range of a latent channel'),
});
export type ResultImage = z.infer<typeof resultImage>;

export const jobResult = z.object({
  images: z.array(resultImage),
  values: z.record(z.string(), z.union([z.number(), z.string(), z.null()])).describe('Such as psnr and lpips'),
  seconds: z.number(),
});
export type JobResult = z.infer<typeof jobResult>;

export const jobStatus = z.object({
  id: z.string(),
  kind: jobKind,
  state: jobState,
  position: z.number().describe('Place in the queue: 1 is next; 0 when it does not wait'),
  loading: z.string().nullable().describe('The model that is being loaded for it'),
  step: z.number(),
  total: z.number(),
  secondsLeft: z.number().nullable(),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  result: jobResult.nullable(),
});
export type JobStatus = z.infer<typeof jobStatus>;

/** The `preview` event of a job's stream. */
export const previewFrame = z.object({
  step: z.number(),
  images: z.array(z.string()).describe('data: URLs, one for each picture'),
});
export type PreviewFrame = z.infer<typeof previewFrame>;

export const logEntry = z.object({
  id: z.string(),
  name: z.string(),
  modified: z.number(),
  running: z.boolean().describe('Whether something was written within the last minute'),
});
export type LogEntry = z.infer<typeof logEntry>;

export const logSeries = z.object({ name: z.string(), points: z.array(z.tuple([z.number(), z.number()])) });
export type LogSeries = z.infer<typeof logSeries>;

export const logImage = z.object({
  url: z.string(),
  split: z.string(),
  kind: z.string().describe('Such as inputs, reconstructions, samples'),
  step: z.number(),
  epoch: z.number(),
});
export type LogImage = z.infer<typeof logImage>;

export const logDetails = logEntry.extend({
  target: z.string().nullable().describe('Class of the model'),
  step: z.number(),
  epoch: z.number(),
  seconds: z.number().describe('From the first entry to the last'),
  imagesPerSecond: z.number().nullable(),
  memory: z.number().nullable().describe('Bytes of the training process'),
  series: z.array(logSeries),
  images: z.array(logImage),
  checkpoints: z.array(z.object({ name: z.string(), bytes: z.number(), modified: z.number() })),
});
export type LogDetails = z.infer<typeof logDetails>;
