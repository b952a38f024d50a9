import fs from 'node:fs';
import path from 'node:path';
import { Config } from '../../lib/config';
import { callNative, createNative } from '../../lib/models/module';
import { Tensor } from '../../lib/tensor';
import { withMeasuredScale } from '../../lib/training/measured-scale';
import type { TestFolder } from '../data/folders';
import { numbers } from '../helpers/tiny-autoencoder';
import { temporary, tinyAutoencoder, tinyImages, tinyLatentDiffusion } from '../training/tiny';
import { runLdm } from './run-ldm';

test('sums of batches are the statistics of all elements', async () => {
  const z = Tensor.randn([5, 3, 4, 6], { seed: 3 }).mul(2.5).add(0.7);
  const sums = await createNative('node_ldm.evaluation.LatentStatistics', {});
  await callNative(sums, 'add', { z: z.slice(0, 0, 2) });
  await callNative(sums, 'add', { z: z.slice(0, 2, 5) });
  const found = await callNative(sums, 'state');
  const all = await numbers(z);
  const mean = all.reduce((a, b) => a + b) / all.length;
  const std = Math.sqrt(all.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (all.length - 1));
  expect(found).toMatchObject({ elements: 360, min: Math.min(...all), max: Math.max(...all), outside: 0 });
  expect(found.mean).toBeCloseTo(mean, 12);
  expect(found.std).toBeCloseTo(std, 12);
  const channel = await numbers(z.select(1, 2).std());
  expect((await numbers(found.channelStd))[2]).toBeCloseTo(channel[0], 5);
  expect((await numbers(found.histogram)).reduce((a, b) => a + b)).toBe(360);
  await expect(callNative(sums, 'add', { z: Tensor.full([1, 3, 1, 1], Number.NaN) })).rejects.toMatchObject({
    code: 'ERR_NAN',
  });
});

describe('ldm stats', () => {
  let images: TestFolder;
  let folder: string;
  let logdir: string;
  let checkpoint: string;
  beforeAll(async () => {
    images = await tinyImages();
    folder = temporary();
    const config = path.join(folder, 'autoencoder.yaml');
    fs.writeFileSync(config, tinyAutoencoder(images.root).toYaml());
    const trained = await runLdm('train', '-b', config, '-t', '-l', folder, '--max-steps', '1', '--json');
    ({ logdir, checkpoint } = JSON.parse(trained.stdout));
  });
  afterAll(() => {
    images.remove();
    fs.rmSync(folder, { recursive: true });
  });

  /** A diffusion model on a checkpoint. */
  const diffusion = (ckpt_path: string, scale: Record<string, unknown> = {}) => {
    const first = { first_stage_config: { params: { ckpt_path } } };
    const changes = Config.from({ model: { params: { scale_by_std: false, ...scale, ...first } } } as never);
    return tinyLatentDiffusion(images.root).merge(changes);
  };

  it('keeps the scale factor beside the checkpoint, where training finds it', async () => {
    const chart = path.join(folder, 'latents.svg');
    const { code, stdout } = await runLdm('stats', logdir, images.root, '--histogram', chart, '--json');
    expect(code).toBe(0);
    const found = JSON.parse(stdout);
    const file = path.join(path.dirname(checkpoint), 'last.latents.json');
    expect(found).toMatchObject({ images: 8, size: 16, shape: [2, 8, 8], elements: 1024, file });
    expect(found.scale_factor * found.std).toBeCloseTo(1, 12);
    expect(fs.readFileSync(chart, 'utf8')).toMatch(/^<svg.*channel 1: /);
    expect((await runLdm('inspect', checkpoint)).stdout).toMatch(/latents +std .* over 8 images: scale_factor/);

    const config = path.join(folder, 'diffusion.yaml');
    fs.writeFileSync(config, diffusion(checkpoint).toYaml());
    const trained = await runLdm('train', '-b', config, '-t', '-l', folder, '--max-steps', '1', '--json');
    expect(trained.stderr).toContain(`scale_factor ${found.scale_factor.toPrecision(6)} = 1 / standard deviation`);
    const run = JSON.parse(trained.stdout).logdir;
    const [project] = fs.readdirSync(path.join(run, 'configs')).filter((name) => name.endsWith('project.yaml'));
    expect(fs.readFileSync(path.join(run, 'configs', project), 'utf8')).toContain(
      `scale_factor: ${found.scale_factor}`,
    );
  });

  it('leaves alone a config that says how to scale', () => {
    for (const scale of [{ scale_by_std: true }, { scale_factor: 0.5 }]) {
      const config = diffusion(checkpoint, scale);
      expect(withMeasuredScale(config)).toBe(config);
    }
  });

  it('measures again with the same numbers, some images only, without keeping them', async () => {
    const first = JSON.parse(
      (await runLdm('stats', checkpoint, '--split', 'train', '-n', '5', '--no-save', '--json')).stdout,
    );
    const again = JSON.parse((await runLdm('stats', checkpoint, '-n', '5', '--no-save', '--json')).stdout);
    expect([first.images, first.file, first.data]).toEqual([5, null, 'data.params.train']);
    expect(again).toEqual(first);
  });

  it('leaves out statistics of another state of the checkpoint', () => {
    const other = path.join(folder, 'other.ckpt');
    fs.copyFileSync(checkpoint, other);
    const sidecar = path.join(folder, 'other.latents.json');
    const content = fs.readFileSync(path.join(path.dirname(checkpoint), 'last.latents.json'), 'utf8');
    fs.writeFileSync(sidecar, content);
    expect(withMeasuredScale(diffusion(other)).get('model.params.scale_factor')).toBe(JSON.parse(content).scale_factor);
    fs.appendFileSync(other, ' ');
    const told: string[] = [];
    expect(
      withMeasuredScale(diffusion(other), (text) => told.push(text)).get('model.params.scale_factor'),
    ).toBeUndefined();
    expect(told).toEqual([expect.stringMatching(/other\.latents\.json belongs to another state/)]);
    fs.writeFileSync(sidecar, '{}');
    expect(() => withMeasuredScale(diffusion(other))).toThrow(/holds no statistics of latents/);
  });

  it.each([
    [() => [logdir, images.root, '--split', 'train'], 2, /not both/],
    [() => [logdir, '--split', 'validation'], 1, /no data\.params\.validation/],
    [() => [logdir, images.root, '--histogram', 'x.gif'], 2, /\.png or \.svg/],
    [() => [path.join(folder, 'none')], 1, /There is no/],
  ])('refuses %#', async (args, code, message) => {
    const result = await runLdm('stats', ...args());
    expect([result.code, result.stdout, result.stderr]).toEqual([code, '', expect.stringMatching(message)]);
  });
});
