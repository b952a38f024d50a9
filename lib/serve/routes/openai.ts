/**
 * OpenAI's Images API (https://platform.openai.com/docs/api-reference/images/create): what its clients send is taken, with
 * `seed`, `steps`, `guidance_scale` and `negative_prompt` beside it. Errors have its form. `stream: true` gives its events.
 */
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import sharp from 'sharp';
import { z } from 'zod';
import { clientOf, jsonBody, type Route, type ServeContext } from '../context';
import { generate } from '../draw/draw';
import { drawSettings } from '../draw/settings';
import { HttpError, publicError } from '../http-error';
import { type FinishedImage, isOver, type Job } from '../job';
import type { ServeLimits } from '../limits';
import type { ModelInfo } from '../protocol';

function requestSchema(limits: ServeLimits) {
  return z.looseObject({
    prompt: z.string().max(limits.promptLength),
    model: z.string().max(500).optional(),
    n: z.number().int().min(1).max(limits.batch).nullish(),
    size: z
      .string()
      .regex(/^(auto|\d{1,5}x\d{1,5})$/, 'Expected auto or WIDTHxHEIGHT')
      .nullish(),
    response_format: z.enum(['b64_json', 'url']).nullish(),
    output_format: z.enum(['png', 'jpeg', 'webp']).nullish(),
    stream: z.boolean().nullish(),
    partial_images: z.number().int().min(0).max(3).nullish(),
    user: z.string().max(1000).nullish(),
    seed: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).nullish(),
    steps: z.number().int().min(1).max(limits.steps).nullish(),
    guidance_scale: z.number().min(0).max(100).nullish(),
    negative_prompt: z.string().max(limits.promptLength).nullish(),
  });
}

type ImagesRequest = z.infer<ReturnType<typeof requestSchema>>;

const imagesResponse = z.object({
  created: z.number(),
  data: z.array(z.object({ b64_json: z.string().optional(), url: z.string().optional(), seed: z.number().optional() })),
});

/** An error in OpenAI's form. */
export function openAiError(error: HttpError): object {
  const type =
    error.status === 401 ? 'authentication_error' : error.status >= 500 ? 'server_error' : 'invalid_request_error';
  return { error: { message: error.message, type, param: error.field ?? null, code: error.code } };
}

export function openAiRoutes(context: ServeContext): Route[] {
  const { jobs, host, limits } = context;
  const schema = requestSchema(limits);

  const begin = async (c: Context, request: ImagesRequest): Promise<Job> => {
    const info = await host.info(request.model && isKnown(context, request.model) ? request.model : undefined);
    if (!info.can.generate)
      throw new HttpError(400, 'wrong_model', `The model ${info.name} cannot draw without a picture.`, 'model');
    const settings = drawSettings({ ...conditionOf(request.prompt, info), ...optionsOf(request) }, info, limits);
    const partial = request.stream ? (request.partial_images ?? 0) : 0;
    const options = { preview: partial > 0 ? ('decoded' as const) : ('none' as const), timeline: false };
    return jobs.add('generate', clientOf(c), async (report) =>
      generate(await host.use(info.id, report.loading, report.signal), settings, request.n ?? 1, options, report),
    );
  };

  return [
    {
      method: 'post',
      path: '/v1/images/generations',
      tag: 'openai',
      summary: "Draw pictures as OpenAI's Images API does",
      json: schema,
      response: imagesResponse,
      errors: [400, 404, 413, 415, 429, 503],
      async handle(c) {
        const request = await jsonBody(c, schema);
        const job = await begin(c, request);
        if (request.stream) return streamImages(c, job, request);
        const leave = job.listen();
        c.req.raw.signal.addEventListener('abort', () => job.cancel());
        try {
          while (!isOver(job.state)) await job.changed(60_000);
        } finally {
          leave();
        }
        if (job.error) throw job.error;
        if (job.state === 'cancelled') throw new HttpError(409, 'cancelled', 'The request was cancelled.');
        const origin = new URL(c.req.url).origin;
        const data = await Promise.all(
          job.images.map((image, i) => entryOf(image, `${origin}/api/jobs/${job.id}/images/${i}`, request)),
        );
        return c.json({ created: Math.floor(job.createdAt / 1000), data });
      },
    },
    {
      method: 'get',
      path: '/v1/models',
      tag: 'openai',
      summary: 'The models in the form of OpenAI',
      response: z.object({ object: z.literal('list'), data: z.array(z.record(z.string(), z.unknown())) }),
      handle(c) {
        const data = host.entries().map(({ id, modified }) => ({
          id,
          object: 'model',
          created: Math.floor(modified / 1000),
          owned_by: 'local',
        }));
        return c.json({ object: 'list', data });
      },
    },
  ];
}

/** Clients that only know OpenAI's names get the first model; a name that looks like one of this server's has to exist. */
function isKnown({ host }: ServeContext, model: string): boolean {
  return !/^(dall-e|gpt-image|chatgpt-image)/.test(model) || host.catalog.list().some(({ id }) => id === model);
}

/** The prompt of a model with classes is the name of one. */
function conditionOf(prompt: string, info: ModelInfo): { prompt?: string; label?: number } {
  if (!info.classes) return info.kind === 'unconditional' ? {} : { prompt };
  const wanted = prompt.trim().toLowerCase();
  const found = info.classes.find(
    ({ label, name }) => String(label) === wanted || name.toLowerCase().split(', ').includes(wanted),
  );
  if (!found)
    throw new HttpError(400, 'invalid_request', `This model draws classes, and '${prompt}' is none of them.`, 'prompt');
  return { label: found.label };
}

function optionsOf({ size, seed, steps, guidance_scale, negative_prompt }: ImagesRequest) {
  const [width, height] = size && size !== 'auto' ? size.split('x').map(Number) : [];
  return {
    width,
    height,
    seed: seed ?? undefined,
    steps: steps ?? undefined,
    scale: guidance_scale ?? undefined,
    negativePrompt: negative_prompt ?? undefined,
  };
}

async function encodedAs(image: FinishedImage, format: ImagesRequest['output_format']): Promise<string> {
  const bytes = !format || format === 'png' ? image.data : await sharp(image.data).toFormat(format).toBuffer();
  return bytes.toString('base64');
}

async function entryOf(image: FinishedImage, url: string, { response_format, output_format }: ImagesRequest) {
  const seed = image.settings?.seed as number;
  return response_format === 'url' ? { url, seed } : { b64_json: await encodedAs(image, output_format), seed };
}

function streamImages(c: Context, job: Job, request: ImagesRequest): Response {
  const partials = request.partial_images ?? 0;
  return streamSSE(c, async (stream) => {
    const leave = job.listen();
    stream.onAbort(() => job.cancel());
    const send = (type: string, data: object) =>
      stream.writeSSE({ event: type, data: JSON.stringify({ type, ...data }) });
    const created_at = Math.floor(job.createdAt / 1000);
    try {
      for (let sent = 0; !isOver(job.state); await job.changed(15_000)) {
        const { step, total } = job.status(0);
        // Evenly over the steps.
        if (!job.preview || sent >= partials || step < ((sent + 1) * total) / (partials + 1)) continue;
        const [, b64_json] = job.preview.images[0].split(',');
        await send('image_generation.partial_image', { b64_json, partial_image_index: sent++, created_at });
      }
      if (job.error) await send('error', openAiError(publicError(job.error)));
      for (const image of job.images)
        await send('image_generation.completed', {
          b64_json: await encodedAs(image, request.output_format),
          created_at,
        });
    } finally {
      leave();
    }
  });
}
