/** The HTTP API, with small models of random weights. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import type { LatentDiffusion } from '../../lib/models';
import { loadModel } from '../../lib/models/load-model';
import { picturesOf, toBytes } from '../../lib/pictures/picture';
import { readText } from '../../lib/pictures/read-png-text';
import { Generator } from '../../lib/random';
import { textToImage } from '../../lib/sampling';
import { TestServer } from './client';
import { CLASSES, writeTinyModels } from './tiny-models';

let folder: string;
let ids: Record<string, string>;
let server: TestServer;

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'node-ldm-serve-'));
  ids = await writeTinyModels(path.join(folder, 'models'));
  server = await TestServer.start({ folder: path.join(folder, 'models') });
});
afterAll(async () => {
  await server.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

const pixels = (png: Buffer) => sharp(png).removeAlpha().raw().toBuffer();
const png = (width: number, height: number, colour = '#3366cc') =>
  sharp({ create: { width, height, channels: 3, background: colour } })
    .png()
    .toBuffer();

describe('models', () => {
  test('are those of the folder, with what each can do', async () => {
    const { body } = await server.get('api/models');
    expect(body.map(({ id, problem }: any) => [id, problem])).toEqual(
      expect.arrayContaining(Object.values(ids).map((id) => [id, null])),
    );
    const info = async (id: string) => (await server.get(`api/models/info?model=${encodeURIComponent(id)}`)).body;
    expect(await info(ids.text)).toMatchObject({
      kind: 'text',
      size: { width: 32, height: 32 },
      multiple: 8,
      guidance: true,
      defaults: { steps: 50, scale: 5, eta: 0 },
      can: { generate: true, img2img: true, inpaint: true, interpolate: true, reconstruct: true, upscale: false },
    });
    expect(await info(ids.class)).toMatchObject({
      kind: 'class',
      classes: [...CLASSES, 'any class'].map((name, label) => ({ label, name })),
      guidance: true,
    });
    expect(await info(ids.pixels)).toMatchObject({
      kind: 'unconditional',
      latent: null,
      guidance: false,
      can: { generate: true, img2img: false, reconstruct: false },
    });
    expect(await info(ids.vae)).toMatchObject({ kind: 'autoencoder', can: { generate: false, reconstruct: true } });
  });

  test('are looked into', async () => {
    const { body } = await server.get(`api/models/inspect?model=${ids.vae}`);
    expect(body).toMatchObject({ format: 'torch-zip', ema: false, dtypes: { float32: body.tensors } });
    expect(body.groups.map(({ name }: any) => name)).toEqual(['encoder', 'decoder', 'quant_conv', 'post_quant_conv']);
    expect(body.parameters.total).toBe(body.elements);
  });

  test('outside of the folder cannot be reached, by names or by links', async () => {
    fs.copyFileSync(path.join(folder, 'models', ids.vae), path.join(folder, 'secret.ckpt'));
    const link = path.join(folder, 'models/vae/link.ckpt');
    fs.symlinkSync(path.join(folder, 'secret.ckpt'), link);
    fs.symlinkSync(folder, path.join(folder, 'models/up'));
    const listed = (await server.get('api/models')).body.map(({ id }: any) => id);
    // The bundled model is offered beside those of the folder.
    expect(listed.filter((id: string) => id !== 'bundled').sort()).toEqual(Object.values(ids).sort());
    for (const id of [
      '../secret.ckpt',
      path.join(folder, 'secret.ckpt'),
      'vae/link.ckpt',
      'up/secret.ckpt',
      'vae/../../secret.ckpt',
    ]) {
      expect((await server.get(`api/models/inspect?model=${encodeURIComponent(id)}`)).status).toBe(404);
      expect((await server.post('api/jobs/load', { model: id })).status).toBe(404);
      expect((await server.post('api/jobs/generate', { model: id })).status).toBe(404);
    }
    expect((await server.get('..%2f..%2fetc%2fpasswd')).status).toBe(404);
    expect((await server.get('api/jobs/..%2f..%2fmodels')).status).toBe(404);
  });

  test('without a config are listed with the reason', async () => {
    const lonely = path.join(folder, 'models/lonely/x.ckpt');
    fs.mkdirSync(path.dirname(lonely));
    fs.writeFileSync(lonely, 'no checkpoint');
    const entry = (await server.get('api/models')).body.find(({ id }: any) => id === 'lonely/x.ckpt');
    expect(entry.problem).toMatch(/no config/);
    expect((await server.post('api/jobs/load', { model: 'lonely/x.ckpt' })).body.error).toMatchObject({
      code: 'no_config',
    });
    expect((await server.get('api/models/inspect?model=lonely/x.ckpt')).status).toBe(409);
    fs.rmSync(path.dirname(lonely), { recursive: true });
  });
});

describe('drawing', () => {
  const request = () => ({ model: ids.text, prompt: 'a red heart', steps: 4, seed: 11 });

  test('gives what the library gives for the seed, with progress, previews, and settings in the PNG', async () => {
    const begun = await server.post('api/jobs/generate', { ...request(), n: 2, timeline: true });
    expect(begun.status).toBe(202);
    const events = await server.events(begun.body.id);
    const job = events.at(-1)!.data;
    expect(job).toMatchObject({ state: 'done', step: 4, total: 4, error: null });
    const previews = events.filter(({ event }) => event === 'preview');
    expect(previews.at(-1)!.data.images).toHaveLength(2);
    expect(previews.at(-1)!.data.images[0]).toMatch(/^data:image\/png;base64,iVBOR/);
    const pictures = job.result.images.filter(({ role }: any) => role === 'picture');
    expect(pictures.map(({ settings }: any) => settings.seed)).toEqual([11, 12]);
    const steps = (role: string) => job.result.images.filter((i: any) => i.role === role).map((i: any) => i.step);
    expect(steps('x0')).toEqual([1, 2, 3, 4]);
    expect(steps('xt')).toEqual([1, 2, 3, 4]);

    const drawn = await server.bytes(pictures[1].url);
    expect(JSON.parse(readText(drawn).settings)).toEqual({
      model: ids.text,
      prompt: 'a red heart',
      width: 32,
      height: 32,
      sampler: 'ddim',
      steps: 4,
      eta: 0,
      scale: 5,
      seed: 12,
    });
    const loaded = await loadModel(path.join(folder, 'models/text'));
    using model = loaded.model as LatentDiffusion;
    using random = new Generator(12);
    const images = await picturesOf(await textToImage(model, { prompts: ['a red heart'], steps: 4, random }));
    const expected = toBytes(images, { range: [0, 1], rounding: 'truncate' });
    const found = await pixels(drawn);
    expect(found.length).toBe(expected.length);
    // Batches of two sizes round differently.
    expect(Math.max(...found.map((value, i) => Math.abs(value - expected[i])))).toBeLessThanOrEqual(1);
  });

  test('with noise in the steps each picture is that of its seed alone', async () => {
    const drawn = async (body: object) => {
      const { result } = await server.finish(await server.post('api/jobs/generate', { ...request(), eta: 1, ...body }));
      return Promise.all(result.images.map(({ url }: any) => server.bytes(url).then(pixels)));
    };
    const [both, second] = [await drawn({ n: 2 }), await drawn({ seed: 12 })];
    expect(both).toHaveLength(2);
    expect(both[1].equals(second[0])).toBe(true);
    expect(both[0].equals(both[1])).toBe(false);
  });

  test('of classes, and of pixels with all steps', async () => {
    const owl = await server.finish(await server.post('api/jobs/generate', { model: ids.class, label: 2, steps: 2 }));
    expect(owl.result.images[0].settings).toMatchObject({ label: 2, className: 'owl', scale: 3 });
    const any = await server.finish(await server.post('api/jobs/generate', { model: ids.pixels, sampler: 'ddpm' }));
    expect(any).toMatchObject({ state: 'done', total: 20 });
    expect(any.result.images[0]).toMatchObject({ width: 16, height: 16, settings: { sampler: 'ddpm', scale: 1 } });
  });

  test('between two seeds begins and ends with their pictures', async () => {
    const { result } = await server.finish(
      await server.post('api/jobs/interpolate', { ...request(), frames: 3, to: { seed: 12, prompt: 'a cat' } }),
    );
    const frames = await Promise.all(result.images.map(({ url }: any) => server.bytes(url).then(pixels)));
    const end = await server.finish(
      await server.post('api/jobs/generate', { ...request(), seed: 12, prompt: 'a cat' }),
    );
    const single = await pixels(await server.bytes(end.result.images[0].url));
    const difference = (a: Buffer, b: Buffer) => Math.max(...a.map((value, i) => Math.abs(value - b[i])));
    expect(difference(frames[2], single)).toBeLessThanOrEqual(1);
    expect(difference(frames[1], frames[0])).toBeGreaterThan(10);
    expect(difference(frames[1], frames[2])).toBeGreaterThan(10);
  });

  test('anew where a mask is bright leaves the rest as it was', async () => {
    const image = await sharp({ create: { width: 32, height: 32, channels: 3, background: '#00aa44' } })
      .composite([{ input: await png(10, 10), left: 3, top: 5 }])
      .png()
      .toBuffer();
    const mask = await sharp({ create: { width: 32, height: 32, channels: 3, background: 'black' } })
      .composite([{ input: await png(12, 12, 'white'), left: 16, top: 16 }])
      .png()
      .toBuffer();
    const job = await server.finish(await server.postForm('api/jobs/edit', request(), { image, mask }));
    const [before, after] = [await pixels(image), await pixels(await server.bytes(job.result.images[0].url))];
    let changed = 0;
    for (let y = 0; y < 32; y++) {
      for (let x = 0; x < 32; x++) {
        const masked = x >= 16 && x < 28 && y >= 16 && y < 28;
        for (let c = 0; c < 3; c++) {
          const at = (y * 32 + x) * 3 + c;
          if (!masked) expect(after[at]).toBe(before[at]);
          else if (Math.abs(after[at] - before[at]) > 8) changed++;
        }
      }
    }
    expect(changed).toBeGreaterThan(200);
    expect(job.result.images[0].settings).toMatchObject({ edit: 'inpaint', seed: 11 });
  });

  test('from a picture keeps it with strength 0, but for the autoencoder', async () => {
    const image = await png(40, 40);
    const edited = await server.finish(
      await server.postForm('api/jobs/edit', { ...request(), strength: 0, steps: 10 }, { image }),
    );
    const { width, height, settings } = edited.result.images[0];
    expect([width, height]).toEqual([32, 32]);
    expect(settings).toMatchObject({ edit: 'img2img', strength: 0 });
    const stronger = await server.finish(
      await server.postForm('api/jobs/edit', { ...request(), strength: 0.8, steps: 10 }, { image }),
    );
    expect(stronger.total).toBe(8);
  });

  test('reconstructs, with figures that belong to the pictures', async () => {
    const image = await sharp({ create: { width: 64, height: 48, channels: 3, background: '#cc4400' } })
      .jpeg()
      .toBuffer();
    const { result } = await server.finish(
      await server.postForm('api/jobs/reconstruct', { model: ids.vae }, { image }),
    );
    const roles = result.images.map(({ role }: any) => role);
    expect(roles).toEqual(['original', 'reconstruction', 'difference', 'latent', 'latent', 'latent', 'latent']);
    expect(result.values).toMatchObject({ latent: '4 x 8 x 8', compression: 12 });
    const [a, b] = await Promise.all([0, 1].map((i) => server.bytes(result.images[i].url).then(pixels)));
    const error = a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;
    expect(result.values.psnr).toBeCloseTo(10 * Math.log10(255 ** 2 / error), 6);
    expect(result.values.lpips === null ? result.values.lpipsNote : result.values.lpips).toBeTruthy();
  });
});

describe('cancelling', () => {
  const long = () => ({ model: ids.text, prompt: 'x', steps: 1000, n: 8 });

  test('frees the machine at once', async () => {
    const { body } = await server.post('api/jobs/generate', long());
    while ((await server.get(`api/jobs/${body.id}`)).body.step < 2) await new Promise((r) => setTimeout(r, 20));
    const began = Date.now();
    await server.cancel(body.id);
    const next = await server.finish(await server.post('api/jobs/generate', { ...long(), steps: 1, n: 1 }));
    expect(next.state).toBe('done');
    expect((await server.get(`api/jobs/${body.id}`)).body).toMatchObject({
      state: 'cancelled',
      result: null,
      error: null,
    });
    // Forty steps take longer than this; a thousand would take minutes.
    expect(Date.now() - began).toBeLessThan(10_000);
  });

  test('happens to what nobody listens to', async () => {
    const impatient = await TestServer.start({ folder: path.join(folder, 'models'), limits: { abandonedMs: 300 } });
    try {
      const { body } = await impatient.post('api/jobs/generate', long());
      while (impatient.running.load().running) await new Promise((r) => setTimeout(r, 50));
      expect((await impatient.get(`api/jobs/${body.id}`)).body.state).toBe('cancelled');
    } finally {
      await impatient.close();
    }
  });
});

describe('limits', () => {
  const reason = async (body: object, route = 'generate') => {
    const { status, body: answer } = await server.post(`api/jobs/${route}`, { model: ids.text, ...body });
    return [status, answer.error?.field];
  };

  test('of numbers are told with the field', async () => {
    expect(await reason({ steps: 1001 })).toEqual([400, 'steps']);
    expect(await reason({ steps: 0 })).toEqual([400, 'steps']);
    expect(await reason({ n: 17 })).toEqual([400, 'n']);
    expect(await reason({ width: 1024, height: 1032 })).toEqual([400, 'width']);
    expect(await reason({ width: 36 })).toEqual([400, 'width']);
    expect(await reason({ prompt: 'x'.repeat(2001) })).toEqual([400, 'prompt']);
    expect(await reason({ seed: -1 })).toEqual([400, 'seed']);
    expect(await reason({ scale: Number.NaN })).toEqual([400, 'scale']);
    expect(await reason({ sampler: 'plms', eta: 0.5 })).toEqual([400, 'eta']);
    expect(await reason({ sampler: 'ddpm', scale: 3 })).toEqual([400, 'scale']);
    expect(await reason({ label: 1 })).toEqual([400, 'label']);
    expect(await reason({ model: ids.class, label: 4 })).toEqual([400, 'label']);
    expect(await reason({ model: ids.pixels, prompt: 'a cat' })).toEqual([400, 'prompt']);
    expect(await reason({ model: ids.pixels, steps: 21 })).toEqual([400, 'steps']);
    expect(await reason({ model: ids.vae })).toEqual([400, 'model']);
    expect(await reason({ frames: 17, to: {} }, 'interpolate')).toEqual([400, 'frames']);
    expect((await reason({ stepps: 3 }))[0]).toBe(400);
  });

  test('of bodies', async () => {
    expect((await server.post('api/jobs/generate', '{')).body.error.code).toBe('invalid_json');
    expect((await server.post('api/jobs/generate', {}, { 'Content-Type': 'text/plain' })).status).toBe(415);
    expect((await server.post('api/jobs/generate', { prompt: 'x'.repeat(300_000) })).status).toBe(413);
    expect((await server.post('api/jobs/edit', {})).status).toBe(415);
    expect((await server.postForm('api/jobs/edit', {}, { image: new Uint8Array(17 << 20) })).status).toBe(413);
  });

  test('of pictures', async () => {
    const send = async (image: Uint8Array) => {
      const { status, body } = await server.postForm('api/jobs/reconstruct', { model: ids.vae }, { image });
      return [status, body.error.code];
    };
    expect(await send(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'))).toEqual([415, 'unsupported_picture']);
    expect(await send(Buffer.from('GIF89a......'))).toEqual([415, 'unsupported_picture']);
    expect(await send((await png(64, 64)).subarray(0, 90))).toEqual([400, 'damaged_picture']);
    expect(await send(new Uint8Array())).toEqual([400, 'no_picture']);
    // A small file of very many pixels.
    expect(await send(await png(8000, 6000))).toEqual([413, 'too_many_pixels']);
  });

  test('of the queue; everybody has a turn', async () => {
    const small = await TestServer.start({
      folder: path.join(folder, 'models'),
      limits: { queue: 4, queuePerClient: 3 },
    });
    try {
      const draw = (id: string, steps = 2) =>
        small.post('api/jobs/generate', { model: ids.text, prompt: 'x', steps }, { 'X-Client-Id': id });
      const first = await draw('a', 500);
      const waiting = [await draw('a'), await draw('a'), await draw('b')];
      const refused = await draw('b');
      expect([refused.status, refused.body.error.code]).toEqual([429, 'too_many_requests']);
      expect(refused.headers.get('retry-after')).toBe('5');
      const places = await Promise.all(waiting.map(({ body }) => small.get(`api/jobs/${body.id}`)));
      // Tab b asked last and is next.
      expect(places.map(({ body }) => body.position)).toEqual([2, 3, 1]);
      await small.cancel(first.body.id);
      await small.cancel(waiting[1].body.id);
      const states = await Promise.all(
        waiting.map(async ({ body }) => (await small.events(body.id)).at(-1)!.data.state),
      );
      expect(states).toEqual(['done', 'cancelled', 'done']);
    } finally {
      await small.close();
    }
  });
});

describe('security', () => {
  test('pages of other sites and other names are refused', async () => {
    expect(await server.raw('/api/models', { Host: 'evil.example' })).toBe(421);
    expect(await server.raw('/api/models', { Host: `localhost:${server.running.port}` })).toBe(200);
    const foreign = { Origin: 'http://evil.example' };
    expect((await server.get('api/models', foreign)).status).toBe(403);
    expect((await server.post('api/jobs/generate', {}, foreign)).body.error.code).toBe('cross_origin');
    expect(await server.raw('/api/models', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' })).toBe(403);
    const own = { Origin: server.url.slice(0, -1) };
    expect((await server.get('api/models', own)).status).toBe(200);
  });

  test('every answer says what a browser may do with it', async () => {
    for (const where of ['', 'api/models', 'nothing']) {
      const { headers } = await server.get(where);
      expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  test('with a token nothing but the page works without it', async () => {
    const guarded = await TestServer.start({ folder: path.join(folder, 'models'), token: 'correct horse' });
    try {
      expect((await guarded.get('')).status).toBe(200);
      expect((await guarded.get('api/server')).body.tokenNeeded).toBe(true);
      for (const where of ['api/models', 'api/logs', 'api/jobs/x', 'v1/models'])
        expect((await guarded.get(where)).status).toBe(401);
      expect((await guarded.post('api/jobs/generate', {})).status).toBe(401);
      expect((await guarded.get('api/models', { Authorization: 'Bearer correct hors' })).status).toBe(401);
      expect((await guarded.get('api/models', { Authorization: 'Bearer correct horse' })).status).toBe(200);
      expect((await guarded.post('api/session', { token: 'wrong' })).status).toBe(401);
      const cookie = (await guarded.post('api/session', { token: 'correct horse' })).headers.get('set-cookie')!;
      expect(cookie).toMatch(/HttpOnly.*SameSite=Strict/i);
      expect((await guarded.get('api/models', { Cookie: cookie.split(';')[0] })).status).toBe(200);
    } finally {
      await guarded.close();
    }
  });

  test('a taken port and missing folders are told', async () => {
    await expect(TestServer.start({ port: server.running.port })).rejects.toThrow(/taken/);
    await expect(TestServer.start({ folder: path.join(folder, 'none') })).rejects.toThrow(/no folder/);
  });
});

describe("OpenAI's API", () => {
  test('draws, under the names of its clients', async () => {
    const body = { prompt: 'a cat', model: ids.text, n: 2, size: '32x32', seed: 3, steps: 2 };
    const first = await server.post('v1/images/generations', body);
    expect(first.status).toBe(200);
    expect(first.body.created).toBeGreaterThan(1.6e9);
    expect(first.body.data.map(({ seed }: any) => seed)).toEqual([3, 4]);
    const image = Buffer.from(first.body.data[0].b64_json, 'base64');
    expect(await sharp(image).metadata()).toMatchObject({ format: 'png', width: 32, height: 32 });
    const url = await server.post('v1/images/generations', { ...body, response_format: 'url' });
    expect(await pixels(Buffer.from(await (await fetch(url.body.data[0].url)).arrayBuffer()))).toEqual(
      await pixels(image),
    );
    const jpeg = await server.post('v1/images/generations', { ...body, n: 1, output_format: 'jpeg' });
    expect((await sharp(Buffer.from(jpeg.body.data[0].b64_json, 'base64')).metadata()).format).toBe('jpeg');
    expect((await server.get('v1/models')).body.data.map(({ id }: any) => id)).toContain(ids.text);
  });

  test('draws the first model for names that only OpenAI has', async () => {
    const named = await server.post('v1/images/generations', { prompt: 'x', model: 'dall-e-3', steps: 1 });
    // The first of the folder is the unconditional one, which takes any prompt.
    expect(named.status).toBe(200);
  });

  test('streams partial images', async () => {
    const body = { prompt: 'a', model: ids.text, steps: 12, stream: true, partial_images: 2 };
    const { body: text } = await server.post('v1/images/generations', body);
    const types = [...(text as string).matchAll(/^event: (.*)$/gm)].map(([, type]) => type);
    expect(types.at(-1)).toBe('image_generation.completed');
    expect(types.filter((type) => type === 'image_generation.partial_image').length).toBeGreaterThan(0);
  });

  test('tells errors in its form', async () => {
    expect((await server.post('v1/images/generations', { prompt: 'x', model: 'nope' })).body).toEqual({
      error: {
        message: expect.stringContaining("no model 'nope'"),
        type: 'invalid_request_error',
        param: 'model',
        code: 'no_such_model',
      },
    });
    expect((await server.post('v1/images/generations', { prompt: 'x', size: 'big' })).status).toBe(400);
    expect((await server.post('v1/images/generations', {})).body.error.param).toBe('prompt');
  });
});

test('the OpenAPI description names every operation and its limits', async () => {
  const { body } = await server.get('api/openapi.json');
  expect(body.openapi).toBe('3.1.0');
  expect(Object.keys(body.paths).sort()).toEqual([
    '/api/jobs/edit',
    '/api/jobs/generate',
    '/api/jobs/interpolate',
    '/api/jobs/load',
    '/api/jobs/reconstruct',
    '/api/jobs/{id}',
    '/api/jobs/{id}/events',
    '/api/jobs/{id}/images/{index}',
    '/api/logs',
    '/api/logs/details',
    '/api/logs/events',
    '/api/logs/image',
    '/api/models',
    '/api/models/info',
    '/api/models/inspect',
    '/api/server',
    '/api/session',
    '/v1/images/generations',
    '/v1/models',
  ]);
  const { schema } = body.paths['/api/jobs/generate'].post.requestBody.content['application/json'];
  expect(schema.properties.n).toMatchObject({ type: 'integer', minimum: 1, maximum: 16, default: 1 });
  expect(schema.properties.sampler.enum).toEqual(['ddim', 'plms', 'ddpm']);
  expect(Object.keys(body.paths['/api/jobs/edit'].post.requestBody.content)).toEqual(['multipart/form-data']);
  expect(body.paths['/api/jobs/{id}'].delete.parameters[0]).toMatchObject({ name: 'id', in: 'path', required: true });
});
