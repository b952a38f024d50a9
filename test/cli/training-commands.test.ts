import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { readCheckpoint } from '../../lib/checkpoint';
import { readText } from '../../lib/pictures/read-png-text';
import type { TestFolder } from '../data/folders';
import { temporary, tinyAutoencoder, tinyImages, tinyLatentDiffusion, tinyVqModel } from '../training/tiny';
import { runLdm } from './run-ldm';

/** The program in a process of its own. */
const MAIN = path.join(__dirname, '../../lib/cli/main');
const PROGRAM = ['--import', 'tsx', '-e', `require(${JSON.stringify(MAIN)}).main(process.argv.slice(1))`, '--'];

let images: TestFolder;
let folder: string;
let autoencoder: string;
let diffusion: string;
let vq: string;
beforeAll(async () => {
  images = await tinyImages();
  folder = temporary();
  autoencoder = path.join(folder, 'autoencoder.yaml');
  diffusion = path.join(folder, 'diffusion.yaml');
  vq = path.join(folder, 'vq.yaml');
  // Written for --data: their own data sections are replaced.
  fs.writeFileSync(autoencoder, tinyAutoencoder('unused').toYaml());
  fs.writeFileSync(diffusion, tinyLatentDiffusion('unused').toYaml());
  fs.writeFileSync(vq, tinyVqModel('unused').toYaml());
});
afterAll(() => {
  images.remove();
  fs.rmSync(folder, { recursive: true });
});

const newLogs = () => fs.mkdtempSync(path.join(folder, 'logs-'));
const trainArgs = (config: string, logdir: string, ...more: string[]) => {
  return ['train', '-b', config, '-t', '--data', images.root, '-l', logdir, ...more];
};

describe('ldm train', () => {
  it('trains, tells where the checkpoint is, and resumes there', async () => {
    const logdir = newLogs();
    const first = await runLdm(
      ...trainArgs(autoencoder, logdir, '--max-steps', '2', '--json', 'data.params.batch_size=3'),
    );
    expect(first.code).toBe(0);
    const result = JSON.parse(first.stdout);
    expect(result).toMatchObject({ reason: 'steps', global_step: 2, skipped_images: [] });
    expect(path.basename(result.logdir)).toMatch(/_autoencoder$/);
    // What the run took, and its curves.
    expect(result.images).toBe(6);
    expect(result.images_per_second).toBeCloseTo(6 / result.seconds, 10);
    expect(result.peak_memory).toBeGreaterThan(5e7);
    expect(fs.readFileSync(result.curves.svg, 'utf8')).toMatch(/^<svg.*rec_loss/);
    expect((await sharp(result.curves.png).metadata()).width).toBe(900);
    expect(first.stderr).toMatch(/8 images \(train\) in 2 classes, batches of 3/);
    {
      using checkpoint = await readCheckpoint(result.checkpoint);
      expect(checkpoint.globalStep).toBe(2);
      expect(checkpoint.optimizerStates).toHaveLength(2);
    }
    const second = await runLdm('train', '-t', '-r', result.logdir, '--max-steps', '3', '--json');
    expect(JSON.parse(second.stdout)).toMatchObject({ global_step: 3, logdir: result.logdir });
  });

  it('only checks the config without -t', async () => {
    const logdir = newLogs();
    const { code, stderr } = await runLdm('train', '-b', autoencoder, '--data', images.root, '-l', logdir);
    expect([code, stderr, fs.readdirSync(logdir)]).toEqual([0, expect.stringMatching(/Add -t to train/), []]);
  });

  it('saves a usable checkpoint on SIGUSR1 and goes on, and on ctrl-C and exits with 130', async () => {
    const logdir = newLogs();
    const child = spawn(process.execPath, [...PROGRAM, ...trainArgs(autoencoder, logdir)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const code = new Promise<number | null>((done) => child.on('exit', done));
    const seen = async (pattern: RegExp) => {
      while (!pattern.test(stderr) && child.exitCode === null) await new Promise((done) => setTimeout(done, 20));
    };
    await seen(/step \d/);
    child.kill('SIGUSR1');
    await seen(/Saved .*last\.ckpt/);
    expect(child.exitCode).toBeNull();
    child.kill('SIGINT');
    expect([await code, stderr]).toEqual([130, expect.stringContaining('--resume')]);
    const [run] = fs.readdirSync(logdir);
    const checkpoints = path.join(logdir, run, 'checkpoints');
    expect(fs.readdirSync(checkpoints).filter((name) => name.includes('part') || name.includes('tmp'))).toEqual([]);
    using checkpoint = await readCheckpoint(path.join(checkpoints, 'last.ckpt'));
    expect(checkpoint.globalStep).toBeGreaterThan(0);
    const resumed = await runLdm('train', '-t', '-r', path.join(logdir, run), '--max-time', '0.1s', '--json');
    expect(JSON.parse(resumed.stdout).global_step).toBeGreaterThanOrEqual(checkpoint.globalStep!);
  });

  it('leaves out a corrupt image among good ones and names it', async () => {
    const bad = images.file('odd/broken.png', 'no picture');
    try {
      const { code, stdout, stderr } = await runLdm(...trainArgs(autoencoder, newLogs(), '--max-steps', '5', '--json'));
      expect([code, stderr.match(/warning:.*odd\/broken\.png/g)]).toEqual([0, [expect.any(String)]]);
      expect(JSON.parse(stdout).skipped_images).toEqual(['odd/broken.png']);
    } finally {
      fs.rmSync(bad);
    }
  });

  it.each([
    ['a missing folder', ['--data', 'no-such-folder'], 1, 'ERR_FILE'],
    ['a missing config', ['-b', 'no-such.yaml'], 1, 'ERR_FILE'],
    ['a typo in an override', ['model.params.embed_dimm=3'], 1, 'embed_dim'],
    ['a missing device', ['--device', 'cuda:7'], 1, 'ERR_DEVICE'],
    ['a wrong option', ['--precision', 'fp7'], 2, 'fp7'],
    ['a word that is no override', ['oops'], 2, 'oops'],
    ['missing VGG weights', ['model.params.lossconfig.params.perceptual_weight=1', '--vgg', 'none.pth'], 1, 'none.pth'],
  ])('answers %s with one clear error and writes nothing', async (_, extra, code, word) => {
    const logdir = newLogs();
    const result = await runLdm(...trainArgs(autoencoder, logdir, '--max-steps', '1', ...extra));
    expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(word)]);
    expect(result.stderr).not.toMatch(/\n\s+at /);
    expect(result.stdout).toBe('');
    expect(fs.readdirSync(logdir)).toEqual([]);
  });
});

describe('ldm sample and ldm reconstruct', () => {
  let run: string;
  beforeAll(async () => {
    const { stdout, stderr } = await runLdm(...trainArgs(diffusion, newLogs(), '--max-steps', '2', '--json'));
    expect(stderr).not.toMatch(/error/);
    run = JSON.parse(stdout).logdir;
  });

  it('draws pictures with their settings, the same for the same seed, numbered on', async () => {
    const out = path.join(folder, 'samples');
    const args = ['sample', run, '-n', '2', '--class', 'odd', '--steps', '4', '--seed', '5', '--out', out, '--json'];
    const first = JSON.parse((await runLdm(...args)).stdout);
    const second = JSON.parse((await runLdm(...args)).stdout);
    expect(first.images.map((f: string) => path.basename(f))).toEqual(['000000.png', '000001.png']);
    expect(second.images.map((f: string) => path.basename(f))).toEqual(['000002.png', '000003.png']);
    const [a, b] = [first.images[1], second.images[1]].map((f: string) => fs.readFileSync(f));
    expect(await sharp(a).raw().toBuffer()).toEqual(await sharp(b).raw().toBuffer());
    expect(await sharp(a).metadata()).toMatchObject({ width: 16, height: 16 });
    expect(JSON.parse(readText(a).settings)).toMatchObject({ class: 'odd', steps: 4, seed: 5, index: 1, ema: true });
    expect(fs.existsSync(first.grid)).toBe(true);
  });

  it.each([
    [['--class', 'zebra'], 2, /Unknown class 'zebra'. Known: even, odd/],
    [['--scale', '3'], 2, /guidance/],
    [['--ckpt', 'none.ckpt'], 1, /none\.ckpt/],
  ])('refuses %j', async (extra, code, message) => {
    const result = await runLdm('sample', run, '-n', '1', '--steps', '2', '--out', path.join(folder, 'no'), ...extra);
    expect([result.code, result.stderr]).toEqual([code, expect.stringMatching(message)]);
    expect(fs.existsSync(path.join(folder, 'no'))).toBe(false);
  });

  it('reconstructs images side by side with the PSNR', async () => {
    const out = path.join(folder, 'reconstructions');
    const image = path.join(images.root, 'even/0.png');
    const { stdout } = await runLdm('reconstruct', image, '-m', run, '--out', out, '--json');
    const [result] = JSON.parse(stdout);
    expect(result).toMatchObject({ image, psnr: expect.any(Number) });
    expect(await sharp(result.file).metadata()).toMatchObject({ width: 2 * 16 + 6, height: 16 + 4 });
  });

  it('reconstructs with a VQ model, by its averaged weights unless told otherwise', async () => {
    const trained = await runLdm(...trainArgs(vq, newLogs(), '--max-steps', '2', '--json'));
    const { logdir } = JSON.parse(trained.stdout);
    const image = path.join(images.root, 'even/0.png');
    const psnr = async (model: string, ...more: string[]) => {
      const out = path.join(folder, 'vq');
      const { stdout } = await runLdm('reconstruct', image, '-m', model, '--out', out, '--json', ...more);
      return JSON.parse(stdout)[0].psnr as number;
    };
    expect(await psnr(logdir, '--ema')).toBe(await psnr(logdir));
    expect(await psnr(logdir, '--no-ema')).not.toBe(await psnr(logdir));
    const { code, stderr } = await runLdm('reconstruct', image, '-m', run, '--ema');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/no averaged weights of a first stage/)]);
  });
});
