import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { LatentDiffusion } from '../../lib/models';
import { Generator } from '../../lib/random';
import { isRetrievalModel, retrievalToImage } from '../../lib/sampling';
import { Tensor } from '../../lib/tensor';
import { tinyLatentDiffusion, tinyUnet } from '../helpers/tiny-diffusion';
import { runLdm } from './run-ldm';

const conditional = () =>
  tinyLatentDiffusion({
    conditioning_key: 'crossattn',
    cond_stage_config: { target: 'torch.nn.Identity' },
    unet_config: tinyUnet({
      attention_resolutions: [1],
      use_spatial_transformer: true,
      transformer_depth: 1,
      context_dim: 4,
    }),
  } as never);

test('embeddings decide on the picture, and guidance on how much', async () => {
  using model = await conditional();
  expect(model).toBeInstanceOf(LatentDiffusion);
  expect(isRetrievalModel(model)).toBe(true);
  const draw = async (embeddings: number[][][], scale: number) =>
    Array.from(
      (await (
        await retrievalToImage(model, {
          embeddings: Tensor.from(embeddings),
          scale,
          steps: 2,
          random: new Generator(1),
        })
      ).data()) as Float32Array,
    );
  const one = await draw([[[1, 0, 0, 0]]], 5);
  expect(await draw([[[1, 0, 0, 0]]], 5)).toEqual(one);
  expect(await draw([[[0, 0, 0, 1]]], 5)).not.toEqual(one);
  expect(await draw([[[1, 0, 0, 0]]], 1)).not.toEqual(one);
  await expect(draw([[[1, 0, 0]]], 5)).rejects.toThrow('Expected embeddings [n, tokens, 4]');
});

test('a database that is not there is told at once', async () => {
  const out = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-knn-'));
  const { code, stderr } = await runLdm('knn2img', '--use_neighbors', '--database', 'none', '--outdir', out);
  expect(code).toBe(2);
  expect(stderr).toMatch(/There is no database none[\s\S]*ldm index IMAGES -o DIR/);
  fs.rmSync(out, { recursive: true });
});
