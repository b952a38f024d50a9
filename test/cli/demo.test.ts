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
