/** Log folders over HTTP: curves, pictures, news; nothing beside them. */
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { useTempFolder, writeFiles } from '../helpers/temp-folder';
import { TestServer } from './client';

const folder = useTempFolder();

const line = (step: number, values: object) =>
  `${JSON.stringify({ step, epoch: Math.floor(step / 10), time: 100 + step / 2, ...values })}\n`;

async function withRun(use: (server: TestServer, run: string) => Promise<void>): Promise<void> {
  const run = path.join(folder(), 'logs/2026-01-01T00-00-00_tiny');
  const picture = await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  writeFiles(run, {
    'metrics.jsonl': Array.from({ length: 1000 }, (_, i) => line(i, { 'train/rec_loss': 1 / (i + 1), lr: 1e-4 })).join(
      '',
    ),
    'configs/2026-01-01T00-00-00-project.yaml':
      'model:\n  target: ldm.models.autoencoder.AutoencoderKL\ndata:\n  params:\n    batch_size: 6\n',
    'images/train/inputs_gs-000010_e-000001_b-000000.png': picture,
    'images/train/secret.txt': 'x',
    'checkpoints/last.ckpt': 'x'.repeat(100),
  });
  fs.writeFileSync(path.join(folder(), 'outside.png'), picture);
  const server = await TestServer.start({ logs: [path.join(folder(), 'logs')] });
  try {
    await use(server, run);
  } finally {
    await server.close();
  }
}

test('a run is listed with its curves, thinned, its speed, pictures and checkpoints', () =>
  withRun(async (server) => {
    const [entry] = (await server.get('api/logs')).body;
    expect(entry).toMatchObject({ id: '2026-01-01T00-00-00_tiny', running: true });
    const { body } = await server.get(`api/logs/details?log=${entry.id}`);
    expect(body).toMatchObject({
      target: 'AutoencoderKL',
      step: 999,
      epoch: 99,
      seconds: 499.5,
      // Two steps a second, six images each.
      imagesPerSecond: 12,
      checkpoints: [{ name: 'last.ckpt', bytes: 100 }],
    });
    const [loss, lr] = body.series;
    expect([loss.name, lr.name]).toEqual(['train/rec_loss', 'lr']);
    expect(loss.points).toHaveLength(400);
    expect(loss.points[0]).toEqual([1, 0.75]);
    expect(body.images).toEqual([expect.objectContaining({ split: 'train', kind: 'inputs', step: 10, epoch: 1 })]);
    expect(await sharp(await server.bytes(body.images[0].url)).metadata()).toMatchObject({ width: 4 });
  }));

test('what is appended comes as news; a line that was cut off waits for its rest', () =>
  withRun(async (server, run) => {
    const where = 'api/logs/details?log=2026-01-01T00-00-00_tiny';
    await server.get(where);
    const controller = new AbortController();
    const stream = await fetch(`${server.url}api/logs/events?log=2026-01-01T00-00-00_tiny`, {
      signal: controller.signal,
    });
    const text = line(1000, { 'train/rec_loss': 0.5 });
    fs.appendFileSync(path.join(run, 'metrics.jsonl'), text.slice(0, 20));
    expect((await server.get(where)).body.step).toBe(999);
    fs.appendFileSync(path.join(run, 'metrics.jsonl'), text.slice(20));
    expect((await server.get(where)).body.step).toBe(1000);
    let seen = '';
    for await (const chunk of stream.body as unknown as AsyncIterable<Uint8Array>) {
      seen += Buffer.from(chunk).toString();
      if (seen.includes('event: changed')) break;
    }
    controller.abort();
    expect(seen).toContain('event: changed');
  }));

test('nothing but the pictures of a run is given', () =>
  withRun(async (server, run) => {
    fs.symlinkSync(path.join(folder(), 'outside.png'), path.join(run, 'images/train/link.png'));
    const ask = async (query: Record<string, string>) =>
      (await server.get(`api/logs/image?${new URLSearchParams(query)}`)).status;
    const log = '2026-01-01T00-00-00_tiny';
    expect(await ask({ log, split: 'train', name: 'inputs_gs-000010_e-000001_b-000000.png' })).toBe(200);
    expect(await ask({ log, split: 'train', name: 'secret.txt' })).toBe(404);
    expect(await ask({ log, split: 'train', name: 'link.png' })).toBe(404);
    expect(await ask({ log, split: 'train', name: '../../../../outside.png' })).toBe(404);
    expect(await ask({ log, split: '../..', name: 'outside.png' })).toBe(404);
    expect(await ask({ log: '..', split: '', name: 'outside.png' })).toBe(404);
    expect(await ask({ log })).toBe(400);
  }));
