/** The commands that draw, with a tiny model of every family, against the pictures of the original scripts. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';
import { writeSafetensors } from '../../lib/checkpoint';
import { loadConfig } from '../../lib/config';
import { readRgb } from '../../lib/data/decode';
import { instantiateFromConfig, type LatentDiffusion } from '../../lib/models';
import { native } from '../../lib/native';
import { superResolutionPatches } from '../../lib/sampling';
import { fillDeterministic } from '../golden/runner/weights';
import { runLdm } from './run-ldm';

native().setThreads('cpu', 1);
const HERE = path.join(__dirname, 'pictures');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'node-ldm-test-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

/** Flags for the tiny model of a family, whose weights are written when they are first asked for. */
async function model(family: string): Promise<{ config: string; ckpt: string; flags: string[] }> {
  const config = path.join(HERE, family, 'config.yaml');
  const ckpt = path.join(folder, `${family}.safetensors`);
  if (!fs.existsSync(ckpt)) {
    using filled = await instantiateFromConfig(loadConfig(config).get('model') as never, { init: 'empty' });
    await fillDeterministic(filled, { prefix: '', seed: 7 });
    await writeSafetensors(ckpt, await filled.stateDict());
  }
  return { config, ckpt, flags: ['--config', config, '--ckpt', ckpt] };
}

/** Runs a command and returns what it prints as JSON. */
async function run(...args: string[]): Promise<any> {
  const { code, stdout, stderr } = await runLdm(...args, '--json');
  expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error/)]);
  return JSON.parse(stdout);
}

/** At most one grey level apart, and that in at most 2 % of the values. */
async function expectPicture(file: string, expected: string): Promise<void> {
  const [a, b] = await Promise.all([file, path.join(HERE, expected)].map((f) => readRgb(f)));
  expect([a.width, a.height]).toEqual([b.width, b.height]);
  const differences = [...a.data].map((level, i) => Math.abs(level - b.data[i]));
  expect(Math.max(...differences)).toBeLessThanOrEqual(1);
  expect(differences.filter((d) => d > 0).length).toBeLessThanOrEqual(0.02 * differences.length);
}

const out = (name: string) => path.join(folder, name);
const seeded = ['--seed', '11'];

describe('ldm txt2img', () => {
  const plms = ['--prompt', 'a red fox', '--plms', '--ddim_steps', '4', '--n_samples', '2', ...seeded];

  it('draws what scripts/txt2img.py draws after it has made the model with the same seed', async () => {
    const { flags } = await model('text');
    const { images, grid } = await run('txt2img', ...flags, ...plms, '--W', '48', '--f', '4', '--outdir', out('t'));
    expect(images).toEqual(['0000.png', '0001.png'].map((name) => path.join(out('t'), 'samples', name)));
    expect(grid).toBe(path.join(out('t'), 'a-red-fox.png'));
    await expectPicture(images[0], 'text/expected/00000.png');
    await expectPicture(images[1], 'text/expected/00001.png');
    await expectPicture(grid, 'text/expected/grid-0000.png');
  });

  it('takes texts from a file, a rest that fills no batch as well, and begins anew with --fixed_code', async () => {
    const { flags } = await model('text');
    const texts = out('texts.txt');
    fs.writeFileSync(texts, 'one\r\ntwo\n\nthree\n');
    const common = [...flags, '--ddim_steps', '1', '--n_samples', '2', '--scale', '1', '--outdir', out('f')];
    const { images, grid } = await run('txt2img', ...common, '--from-file', texts);
    expect(images).toHaveLength(4);
    expect(path.basename(grid)).toBe('grid-0000.png');
    const again = await run('txt2img', ...common, '--fixed_code', '--n_iter', '2', '--skip_grid');
    expect(again.images.map((file: string) => path.basename(file, '.png'))).toEqual(['0004', '0005', '0006', '0007']);
    expect(again.grid).toBeNull();
    const [a, b, c] = await Promise.all([0, 2, 3].map((i) => readRgb(again.images[i])));
    expect(b.data).toEqual(a.data);
    expect(c.data).not.toEqual(a.data);
  });

  it.each([
    [['--plms', '--ddim_eta', '0.5'], 2, /leave --ddim_eta at 0/],
    [['--H', '36'], 1, /height of the picture to be a multiple of 8 pixels.*received 36.*nearest is (32|40)/],
    [['--C', '3'], 2, /latents have 4 channels/],
    [['--ddim_steps', '2000'], 1, /between 1 and the model's 1000/],
    [['--ema'], 2, /no averaged weights/],
  ])('refuses %j', async (extra, code, message) => {
    const { flags } = await model('text');
    const result = await runLdm('txt2img', ...flags, '--ddim_steps', '2', '--outdir', out('no'), ...extra);
    expect([result.code, result.stderr]).toEqual([code, expect.stringMatching(message)]);
    expect(fs.existsSync(out('no'))).toBe(false);
  });

  it('draws with the bundled model where the official weights are not, and says where those are to be had', async () => {
    const blue = async (hair: string) => {
      const prompt = `avatar, ${hair} long straight hair, light skin, big smile`;
      const args = ['--n_samples', '4', '--ddim_steps', '20', '--ddim_eta', '1', '--scale', '3', '--skip_grid'];
      const { code, stdout, stderr } = await runLdm(
        'txt2img',
        ...['--prompt', prompt, '--outdir', out(hair), '--json'],
        ...args,
      );
      expect([code, stderr]).toEqual([0, expect.stringContaining('models/ldm/text2img-large/model.ckpt')]);
      expect(stderr).toContain('https://ommer-lab.com/files/latent-diffusion/nitro/txt2img-f8-large/model.ckpt');
      const shares = (JSON.parse(stdout).images as string[]).map(async (file) => {
        const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
        expect([info.width, info.height]).toEqual([64, 64]);
        let pixels = 0;
        for (let i = 0; i < data.length; i += 3) if (data[i + 2] > data[i] + 60) pixels++;
        return pixels / (64 * 64);
      });
      return (await Promise.all(shares)).reduce((a, b) => a + b, 0) / shares.length;
    };
    // The hair has the colour that the text says: a tenth of such a picture is hair, and nothing else is blue.
    expect(await blue('blue')).toBeGreaterThan(0.06);
    expect(await blue('orange')).toBeLessThan(0.01);
  });
});

describe('ldm sample', () => {
  it('-r does what scripts/sample_diffusion.py does, with the averaged weights', async () => {
    const { config, ckpt } = await model('uncond');
    const zoo = out('zoo');
    fs.mkdirSync(zoo);
    fs.copyFileSync(config, path.join(zoo, 'config.yaml'));
    fs.copyFileSync(ckpt, path.join(zoo, 'uncond.safetensors'));
    const resume = path.join(zoo, 'uncond.safetensors');
    const args = ['sample', '-r', resume, '-n', '3', '--batch_size', '2', '-c', '4', '-l', out('logs'), ...seeded];
    const { folder: root, images, samples, settings } = await run(...args);
    expect(settings).toMatchObject({ sampler: 'ddim', steps: 4, eta: 1, ema: true });
    expect(path.relative(out('logs'), root)).toMatch(/^zoo.samples.00000000.\d{4}(-\d\d){5}$/);
    expect(images).toEqual([0, 1, 2].map((i) => path.join(root, 'img', `sample_00000${i}.png`)));
    await expectPicture(images[0], 'uncond/expected/0.png');
    await expectPicture(images[1], 'uncond/expected/1.png');
    expect(path.relative(root, samples)).toBe(path.join('numpy', '3x32x32x3-samples.npz'));
    expect(fs.readdirSync(path.dirname(samples))).toHaveLength(1);
    const npz = fs.readFileSync(samples);
    const header = npz.indexOf("'descr': '|u1', 'fortran_order': False, 'shape': (3, 32, 32, 3), }");
    expect(header).toBeGreaterThan(0);
    const first = npz.indexOf('\n', header) + 1;
    expect(npz.subarray(first, first + 3072)).toEqual(Buffer.from((await readRgb(images[0])).data));
  });

  it('draws classes of ImageNet by label or name, with the guidance of the notebook', async () => {
    const { config, ckpt } = await model('cls');
    const args = ['sample', config, '--ckpt', ckpt, '-n', '3', '-c', '4', ...seeded];
    const { images, settings } = await run(...args, '--class', '25', 'yorkshire terrier', '--out', out('c'));
    expect(settings).toMatchObject({ scale: 3, eta: 0, ema: false });
    await expectPicture(images[0], 'cls/expected/000000.png');
    await expectPicture(images[3], 'cls/expected/000003.png');
    const crane = await runLdm(...args, '--class', 'crane');
    expect([crane.code, crane.stderr]).toEqual([2, expect.stringMatching(/2 classes 'crane'.*134.*517/)]);
    const fox = await runLdm(...args, '--class', 'fox');
    expect([fox.code, fox.stderr]).toEqual([2, expect.stringMatching(/Unknown class 'fox'.*red fox \(277\)/)]);
  });

  it.each([
    ['text', /ldm txt2img/],
    ['inpaint', /ldm inpaint/],
    ['layout', /ldm layout2img/],
  ])('sends the owner of a model of kind %s to its command', async (family, message) => {
    const { config, ckpt } = await model(family);
    const { code, stderr } = await runLdm('sample', config, '--ckpt', ckpt);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  });
});

describe('ldm inpaint', () => {
  it('fills in what scripts/inpaint.py fills in', async () => {
    const { flags } = await model('inpaint');
    const common = ['inpaint', ...flags, '--steps', '4', ...seeded];
    const { images } = await run(...common, '--indir', path.join(HERE, 'inpaint/in'), '--outdir', out('i'));
    expect(images.map((file: string) => path.basename(file))).toEqual(['a.png', 'b.png']);
    for (const name of ['a.png', 'b.png']) await expectPicture(path.join(out('i'), name), `inpaint/expected/${name}`);
  });

  it.each([
    ['no masks', { 'a.png': [32, 32] }, /no masks in/],
    ['a mask without its picture', { 'a_mask.png': [32, 32] }, /There is no .*a\.png/],
    [
      'a mask of another size',
      { 'a.png': [32, 32], 'a_mask.png': [32, 40] },
      /32 x 32 pixels and .*a_mask.png 32 x 40/,
    ],
    ['a side that cannot be halved', { 'a.png': [32, 36], 'a_mask.png': [32, 36] }, /multiple of 8 pixels/],
  ])('refuses %s before it begins', async (_, files, message) => {
    const { flags } = await model('inpaint');
    const indir = fs.mkdtempSync(path.join(folder, 'in-'));
    for (const [name, [width, height]] of Object.entries(files))
      await sharp({ create: { width, height, channels: 3, background: 'white' } }).toFile(path.join(indir, name));
    const { code, stderr } = await runLdm('inpaint', ...flags, '--indir', indir, '--outdir', out('no'));
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
    expect(fs.existsSync(out('no'))).toBe(false);
  });
});

describe('pictures of files', () => {
  it('ldm superres enlarges as notebook_helpers.py does', async () => {
    const { flags } = await model('sr');
    const args = ['superres', path.join(HERE, 'sr/small.png'), ...flags, '--steps', '4', ...seeded];
    const { images } = await run(...args, '--outdir', out('sr'));
    await expectPicture(images[0], 'sr/expected/small.png');
    const twice = await runLdm('superres', 'a/x.png', 'b/x.jpg', ...flags);
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringMatching(/Two of the files/)]);
  });

  it('ldm superres works in patches that reach the border of large pictures', async () => {
    const { config } = await model('sr');
    const patched = (await instantiateFromConfig(loadConfig(config).get('model') as never, {
      init: 'empty',
    })) as LatentDiffusion;
    const patches = (h: number, w: number) => superResolutionPatches(patched, 4 * h, 4 * w);
    expect(patches(128, 128)).toBeNull();
    expect(patches(128, 192)).toEqual({ ks: [128, 128], stride: [64, 64], vqf: 4 });
    expect(patches(64, 200)).toEqual({ ks: [64, 128], stride: [64, 36], vqf: 4 });
    await patched.close();
  });

  it('ldm semantic draws a label map, and refuses labels that the model does not know', async () => {
    const { flags } = await model('seg');
    const map = path.join(HERE, 'seg/map.png');
    const { images } = await run('semantic', map, ...flags, '--steps', '4', ...seeded, '--outdir', out('seg'));
    await expectPicture(images[0], 'seg/expected/map.png');
    const level = out('level-11.png');
    await sharp(Buffer.alloc(32 * 32, 11), { raw: { width: 32, height: 32, channels: 1 } })
      .toColourspace('b-w')
      .toFile(level);
    const shifted = await runLdm('semantic', level, ...flags, '--shift_segmentation', '--outdir', out('no'));
    expect([shifted.code, shifted.stderr]).toEqual([2, expect.stringMatching(/label 12.*knows 0 to 11/)]);
  });

  it('ldm layout2img draws a layout and shows it, and names classes that are alike', async () => {
    const { flags } = await model('layout');
    const layout = path.join(HERE, 'layout/park.json');
    const args = ['layout2img', layout, ...flags, '--steps', '4', ...seeded, '--outdir', out('layout')];
    const { images, others } = await run(...args);
    await expectPicture(images[0], 'layout/expected/park.png');
    expect(await sharp(others[0]).metadata()).toMatchObject({ width: 32, height: 32 });
    const wrong = path.join(folder, 'wrong.json');
    fs.writeFileSync(wrong, '[{"class": "lamp post", "box": [0, 0, 1, 1]}]');
    expect((await runLdm('layout2img', wrong, ...flags)).stderr).toMatch(/class 'lamp post'/);
    fs.writeFileSync(wrong, '[{"class": "Dog", "box": [0, 0, 2, 1]}]');
    expect((await runLdm('layout2img', wrong, ...flags)).stderr).toMatch(/at 0\.box\.2/);
  });

  it('a command refuses a model of another kind', async () => {
    const { flags } = await model('sr');
    const { code, stderr } = await runLdm('semantic', path.join(HERE, 'seg/map.png'), ...flags);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/'LR_image', not 'segmentation'/)]);
  });
});
