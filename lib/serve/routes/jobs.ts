/** Work: begin it, follow it, cancel it, get its pictures. */
import type { Context } from 'hono';
import { clientOf, formBody, jsonBody, type Route, type ServeContext } from '../context';
import { edit, generate, interpolate } from '../draw/draw';
import { reconstruct } from '../draw/reconstruct';
import { drawSettings } from '../draw/settings';
import type { WatchOptions } from '../draw/watch';
import { streamJob } from '../event-stream';
import { HttpError } from '../http-error';
import type { Work } from '../job';
import {
  type EditRequest,
  type GenerateRequest,
  type InterpolateRequest,
  type JobKind,
  jobStatus,
  type ModelInfo,
} from '../protocol';
import { decodeUpload, type Fit, fitWithin } from '../uploads';

/** What requests that begin work may be answered with. */
const REFUSALS = [400, 404, 409, 413, 415, 429, 503];

/** Up to so many pixels previews are decoded unless a request says otherwise. */
const DECODED_PIXELS = 128 * 128;

export function jobRoutes(context: ServeContext): Route[] {
  const { jobs, host, limits, schemas } = context;
  const begin = (c: Context, kind: JobKind, work: Work) => c.json(jobs.status(jobs.add(kind, clientOf(c), work)), 202);
  const use = (id: string, report: Parameters<Work>[0]) => host.use(id, report.loading, report.signal);
  let streams = 0;

  return [
    {
      method: 'post',
      path: '/api/jobs/generate',
      tag: 'jobs',
      summary: 'Draw pictures of a text, of a class, or of nothing',
      json: schemas.generate,
      status: 202,
      response: jobStatus,
      errors: REFUSALS,
      async handle(c) {
        const request = await jsonBody(c, schemas.generate);
        const info = await host.info(request.model);
        expectAbility(info, 'generate');
        const settings = drawSettings(request, info, limits);
        return begin(c, 'generate', async (report) =>
          generate(
            await use(info.id, report),
            settings,
            request.n,
            watchOf(request, settings.width, settings.height),
            report,
          ),
        );
      },
    },
    {
      method: 'post',
      path: '/api/jobs/interpolate',
      tag: 'jobs',
      summary: 'Draw pictures between two seeds, texts or classes',
      json: schemas.interpolate,
      status: 202,
      response: jobStatus,
      errors: REFUSALS,
      async handle(c) {
        const request = await jsonBody(c, schemas.interpolate);
        const info = await host.info(request.model);
        expectAbility(info, 'interpolate');
        if ((request.eta ?? 0) > 0 || request.sampler === 'ddpm')
          throw new HttpError(
            400,
            'invalid_request',
            'Interpolation is deterministic: sampler ddim or plms, eta 0.',
            'eta',
          );
        const from = drawSettings({ ...request, eta: 0 }, info, limits);
        const to = drawSettings({ ...request, eta: 0, seed: from.seed, ...given(request.to) }, info, limits);
        return begin(c, 'interpolate', async (report) =>
          interpolate(
            await use(info.id, report),
            from,
            to,
            request.frames,
            watchOf(request, from.width, from.height),
            report,
          ),
        );
      },
    },
    {
      method: 'post',
      path: '/api/jobs/edit',
      tag: 'jobs',
      summary: 'Change a picture: as a whole, where a mask is bright, or its size, as the model can',
      form: {
        settings: schemas.edit,
        files: {
          image: { required: true, description: 'PNG, JPEG or WebP' },
          mask: { required: false, description: 'Bright where the picture is drawn anew' },
        },
      },
      status: 202,
      response: jobStatus,
      errors: REFUSALS,
      async handle(c) {
        const { settings: request, file } = await formBody(c, schemas.edit);
        const info = await host.info(request.model);
        const masked = file('mask');
        expectAbility(info, masked ? 'inpaint' : info.can.upscale ? 'upscale' : 'img2img');
        const image = await decodeUpload(file('image'), 'image', (size) => editSize(size, info, limits.pixels), limits);
        const { width, height } = image;
        const mask = masked && (await decodeUpload(masked, 'mask', () => ({ width, height }), limits));
        const drawn = info.can.upscale ? info.size : { width, height };
        const settings = { ...drawSettings({ ...request, ...drawn }, info, limits), width, height };
        const strength = request.strength ?? info.defaults.strength;
        return begin(c, 'edit', async (report) =>
          edit(
            await use(info.id, report),
            settings,
            { image, mask, strength, n: request.n },
            watchOf(request, width, height),
            report,
          ),
        );
      },
    },
    {
      method: 'post',
      path: '/api/jobs/reconstruct',
      tag: 'jobs',
      summary: "Send a picture through a model's first stage",
      form: { settings: schemas.reconstruct, files: { image: { required: true, description: 'PNG, JPEG or WebP' } } },
      status: 202,
      response: jobStatus,
      errors: REFUSALS,
      async handle(c) {
        const { settings: request, file } = await formBody(c, schemas.reconstruct);
        const info = await host.info(request.model);
        expectAbility(info, 'reconstruct');
        const side = request.size ?? info.size.height;
        if (side % info.multiple !== 0 || side * side > limits.pixels)
          throw new HttpError(
            400,
            'invalid_request',
            `Expected a size that is a multiple of ${info.multiple}, at most ${limits.pixels} pixels in all, but received ${side}.`,
            'size',
          );
        const image = await decodeUpload(file('image'), 'image', () => ({ width: side, height: side }), limits);
        return begin(c, 'reconstruct', async (report) => reconstruct(await use(info.id, report), image, report));
      },
    },
    {
      method: 'post',
      path: '/api/jobs/load',
      tag: 'jobs',
      summary: 'Load a model before it is needed',
      json: schemas.load,
      status: 202,
      response: jobStatus,
      errors: REFUSALS,
      async handle(c) {
        const request = await jsonBody(c, schemas.load);
        const { id } = await host.info(request.model);
        return begin(c, 'load', async (report) => {
          await use(id, report);
          return { images: [], values: {} };
        });
      },
    },
    {
      method: 'get',
      path: '/api/jobs/{id}',
      tag: 'jobs',
      summary: 'The state of a job, and its result',
      response: jobStatus,
      errors: [404],
      handle: (c) => c.json(jobs.status(jobs.get(c.req.param('id')!))),
    },
    {
      method: 'delete',
      path: '/api/jobs/{id}',
      tag: 'jobs',
      summary: 'Cancel a job; a running one stops within one evaluation of a network',
      response: jobStatus,
      errors: [404],
      handle(c) {
        const job = jobs.get(c.req.param('id')!);
        job.cancel();
        return c.json(jobs.status(job));
      },
    },
    {
      method: 'get',
      path: '/api/jobs/{id}/events',
      tag: 'jobs',
      summary: 'Follow a job: events `status` (as GET /api/jobs/{id}) and `preview`; ends with the job',
      response: 'text/event-stream',
      errors: [404, 503],
      handle(c) {
        const job = jobs.get(c.req.param('id')!);
        if (streams >= limits.streams) throw new HttpError(503, 'too_many_streams', 'Too many event streams are open.');
        streams++;
        return streamJob(c, jobs, job, () => streams--);
      },
    },
    {
      method: 'get',
      path: '/api/jobs/{id}/images/{index}',
      tag: 'jobs',
      summary: 'A picture of a finished job; PNG files hold their settings',
      response: 'image/png',
      errors: [404],
      handle(c) {
        const image = jobs.get(c.req.param('id')!).images[Number(c.req.param('index'))];
        if (!image) throw new HttpError(404, 'no_such_picture', 'There is no such picture.');
        c.header('Content-Type', image.type);
        c.header('Cache-Control', 'private, max-age=86400, immutable');
        c.header('Content-Disposition', `inline; filename*=UTF-8''${encodeURIComponent(image.name)}`);
        return c.body(new Uint8Array(image.data));
      },
    },
  ];
}

const WORDS: Record<keyof ModelInfo['can'], string> = {
  generate: 'draw without a picture',
  img2img: 'change pictures',
  inpaint: 'fill in a masked part',
  upscale: 'enlarge pictures',
  interpolate: 'interpolate',
  reconstruct: 'reconstruct: it has no first stage',
};

function expectAbility(info: ModelInfo, ability: keyof ModelInfo['can']): void {
  if (info.can[ability]) return;
  const note = info.note ? ` ${info.note}` : '';
  throw new HttpError(400, 'wrong_model', `The model ${info.name} cannot ${WORDS[ability]}.${note}`, 'model');
}

/** Pictures keep their shape where the model takes any size, and become its size where not. */
function editSize(size: Fit, info: ModelInfo, pixels: number): Fit {
  if (info.can.upscale) {
    const factor = info.latent ? info.size.width / info.latent[2] : 1;
    return fitWithin(size, pixels / factor ** 2, Math.max(1, info.multiple / factor));
  }
  if (info.fixedSize) return info.size;
  // About as many pixels as in the training: far smaller or larger pictures come out badly.
  const trained = info.size.width * info.size.height;
  const scale = Math.sqrt(trained / (size.width * size.height));
  const near = (side: number) => Math.max(info.multiple, Math.round((side * scale) / info.multiple) * info.multiple);
  return fitWithin({ width: near(size.width), height: near(size.height) }, pixels, info.multiple);
}

/** Decoding costs little for small pictures only. */
function watchOf(
  { preview, timeline }: GenerateRequest | EditRequest | InterpolateRequest,
  width: number,
  height: number,
): WatchOptions {
  const cheap = width * height <= DECODED_PIXELS ? 'decoded' : 'projection';
  return { preview: preview === 'auto' ? cheap : preview, timeline };
}

function given<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
