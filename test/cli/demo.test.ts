import fs from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { temporary } from '../training/tiny';
import { runLdm } from './run-ldm';

it('ldm demo --train trains both stages, draws its pictures, and the command it ends with works', async () => {
  const out = temporary();
  try {
    const { code, stdout, stderr } = await runLdm('demo', '--train', '--minutes', '0.05', '--out', out, '--json');
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/1 of 3: autoencoder.*2 of 3: diffusion model.*3 of 3: sampling/s),
    ]);
    const result = JSON.parse(stdout);
    expect(Object.values<number>(result.steps).every((steps) => steps > 0)).toBe(true);
    for (const name of ['samples', 'reconstructions', 'losses'])
      expect((await sharp(path.join(out, `${name}.png`)).metadata()).width).toBeGreaterThan(600);
    const words: string[] = result.next.split(' ');
    const more = await runLdm(...words.slice(words.indexOf('sample')), '-n', '1', '--steps', '2', '--json');
    expect([more.code, more.stderr]).toEqual([0, expect.anything()]);
    expect(JSON.parse(more.stdout).images.filter((file: string) => fs.existsSync(file))).toHaveLength(2);
  } finally {
    fs.rmSync(out, { recursive: true });
  }
});

it('ldm demo draws a table of texts with the bundled model and names what comes next', async () => {
  const out = temporary();
  try {
    const { code, stdout, stderr } = await runLdm('demo', '--prompt', 'red heart', 'cat face', '--out', out, '--json');
    expect([code, stderr]).toEqual([0, expect.stringContaining('drawing')]);
    const { samples, pictures, next } = JSON.parse(stdout);
    expect([samples, pictures]).toEqual([path.join(out, 'samples.png'), 12]);
    expect(Object.keys(next)).toEqual(['web', 'draw', 'train', 'own']);
    const { width, height } = await sharp(samples).metadata();
    expect([width! > 600, height! > 250]).toEqual([true, true]);
  } finally {
    fs.rmSync(out, { recursive: true });
  }
  expect((await runLdm('demo', '--minutes', '1')).stderr).toContain('--train');
});
