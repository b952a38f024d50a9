/**
 * Last stage of the bundled model: its figures, as the model card (models/demo/txt2img/README.md) has them.
 *
 *     tsx scripts/demo-model/evaluate.ts [--model models/demo/txt2img] [--data data/demo-model] [--avatars 200]
 *         [--emoji 200] [--seed 7]
 *
 * Writes MODEL/figures.json: the autoencoder's PSNR on pictures that training did not have, and how often drawn avatars have
 * the attributes that were asked for. The judge is the nearest rendering: of the avatars that differ from the one asked for in
 * one attribute only, is the one asked for nearest to the picture (squared error of pixels)? Beside that stand the chance of
 * guessing, and what the judge says of the asked renderings after the autoencoder alone, which no drawing can pass by much.
 * Emoji that training had are judged alike: among all of them, at which place is the one asked for, by its distance to the drawing?
 */
import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { readPicture } from '../../lib/data/picture-tensors';
import { BUNDLED_SAMPLING } from '../../lib/demo/bundled-samples';
import { noGrad } from '../../lib/job';
import type { LatentDiffusion } from '../../lib/models/latent-diffusion';
import { loadModel } from '../../lib/models/load-model';
import { picturesOf, slicePictures } from '../../lib/pictures/picture';
import { psnr } from '../../lib/pictures/psnr';
import { Generator } from '../../lib/random';
import { textToImage } from '../../lib/sampling/pipelines';
import { Tensor } from '../../lib/tensor';
import { ATTRIBUTE_NAMES, type Attribute, type Avatar, captionOf, isHeldOut, renderAvatar, valuesOf } from './avatars';
import { SeededRandom } from './seeded-random';

const { values: args } = parseArgs({
  options: {
    model: { type: 'string', default: 'models/demo/txt2img' },
    data: { type: 'string', default: 'data/demo-model' },
    avatars: { type: 'string', default: '200' },
    emoji: { type: 'string', default: '200' },
    seed: { type: 'string', default: '7' },
  },
});

/** Avatars that are drawn at a time. */
const BATCH = 50;

async function main(): Promise<void> {
  const { model } = await loadModel(args.model);
  const diffusion = model as LatentDiffusion;
  const count = Number(args.avatars);
  const figures = {
    seed: Number(args.seed),
    sampling: BUNDLED_SAMPLING,
    reconstruction_psnr_db: {
      heldout_emoji: await reconstructionPsnr(diffusion, 'emoji'),
      heldout_avatars: await reconstructionPsnr(diffusion, 'avatar'),
    },
    attributes_right: {
      chance: Object.fromEntries(ATTRIBUTE_NAMES.map((a) => [a, rounded(1 / valuesOf(a).length)])),
      trained_pairs: await attributesRight(diffusion, count, false),
      heldout_pairs: await attributesRight(diffusion, count, true),
    },
    emoji_found: await emojiFound(diffusion, Number(args.emoji)),
  };
  model.dispose();
  fs.writeFileSync(path.join(args.model, 'figures.json'), `${JSON.stringify(figures, null, 2)}\n`);
  console.log(JSON.stringify(figures, null, 2));
}

const rounded = (x: number): number => Number(x.toFixed(3));

/** Mean PSNR in dB of all held-out pictures of a kind. */
async function reconstructionPsnr(model: LatentDiffusion, kind: string): Promise<number> {
  const folder = path.join(args.data, 'heldout', kind);
  const values: number[] = [];
  for (const name of fs.readdirSync(folder).sort()) {
    const picture = await readPicture(path.join(folder, name));
    values.push(psnr(await picturesOf(picture), await picturesOf(await throughAutoencoder(model, picture))));
  }
  return Number((values.reduce((a, b) => a + b, 0) / values.length).toFixed(2));
}

/** Pictures in [-1, 1] encoded and decoded. */
function throughAutoencoder(model: LatentDiffusion, pictures: Tensor): Promise<Tensor> {
  return noGrad(async () => model.decodeFirstStage(await model.encodeFirstStage(pictures)));
}

/**
 * Draws emoji of the training set by their names alone, and looks for the one asked for among all of them.
 * @param count how many are drawn, spread over the set
 * @returns shares of drawings whose nearest, and whose five nearest pictures (squared error), have the name asked for
 */
async function emojiFound(model: LatentDiffusion, count: number): Promise<object> {
  const lines = fs
    .readFileSync(path.join(args.data, 'train', 'captions.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line.includes('-0.png"') && line.includes('"emoji/'))
    .map((line) => JSON.parse(line) as { file_name: string; text: string });
  const all = await Promise.all(
    lines.map(async ({ file_name, text }) => ({
      text,
      pixels: (await picturesOf(await readPicture(path.join(args.data, 'train', file_name)))).data.map(
        (v) => (v + 1) / 2,
      ),
    })),
  );
  const asked = Array.from({ length: count }, (_, i) => all[Math.floor(((i + 0.5) * all.length) / count)]);
  const generator = new Generator(Number(args.seed));
  const found = { drawn: { first: 0, first_five: 0 }, autoencoder: { first: 0, first_five: 0 } };
  const look = (tally: { first: number; first_five: number }, text: string, picture: Float32Array): void => {
    const nearest = all
      .map((one) => ({ text: one.text, error: squaredError(one.pixels, picture) }))
      .sort((a, b) => a.error - b.error);
    if (nearest[0].text === text) tally.first++;
    if (nearest.slice(0, 5).some((one) => one.text === text)) tally.first_five++;
  };
  for (let at = 0; at < count; at += BATCH) {
    const some = asked.slice(at, at + BATCH);
    const prompts = some.map(({ text }) => text);
    const drawn = await picturesOf(await textToImage(model, { ...BUNDLED_SAMPLING, prompts, random: generator }));
    const coded = await picturesOf(await throughAutoencoder(model, batchOf(some.map(({ pixels }) => pixels))));
    for (const [i, { text }] of some.entries()) {
      look(found.drawn, text, slicePictures(drawn, i, 1).data);
      look(
        found.autoencoder,
        text,
        slicePictures(coded, i, 1).data.map((v) => (v + 1) / 2),
      );
    }
  }
  const shares = ({ first, first_five }: { first: number; first_five: number }) => ({
    first: rounded(first / count),
    first_five: rounded(first_five / count),
  });
  return { of: all.length, drawn: shares(found.drawn), autoencoder: shares(found.autoencoder) };
}

async function attributesRight(model: LatentDiffusion, count: number, held: boolean): Promise<object> {
  const random = new SeededRandom(Number(args.seed) + (held ? 1 : 0));
  const avatars: Avatar[] = [];
  while (avatars.length < count) {
    const avatar = Object.fromEntries(ATTRIBUTE_NAMES.map((a) => [a, random.pick(valuesOf(a), 1)[0]])) as Avatar;
    if (isHeldOut(avatar) === held) avatars.push(avatar);
  }
  const generator = new Generator(Number(args.seed));
  const tally = { drawn: newTally(), autoencoder: newTally() };
  for (let at = 0; at < count; at += BATCH) {
    const some = avatars.slice(at, at + BATCH);
    const prompts = some.map((avatar) => captionOf(avatar));
    const drawn = await picturesOf(await textToImage(model, { ...BUNDLED_SAMPLING, prompts, random: generator }));
    const asked = batchOf(await Promise.all(some.map(pixelsOf)));
    const coded = await picturesOf(await throughAutoencoder(model, asked));
    for (const [i, avatar] of some.entries()) {
      const renderings = await renderingsOf(avatar);
      judge(tally.drawn, avatar, renderings, slicePictures(drawn, i, 1).data);
      judge(
        tally.autoencoder,
        avatar,
        renderings,
        slicePictures(coded, i, 1).data.map((v) => (v + 1) / 2),
      );
    }
  }
  return Object.fromEntries(
    Object.entries(tally).map(([name, { right, all }]) => [
      name,
      {
        ...Object.fromEntries(ATTRIBUTE_NAMES.map((a) => [a, rounded(right[a] / count)])),
        all_six: rounded(all / count),
      },
    ]),
  );
}

interface Tally {
  right: Record<Attribute, number>;
  all: number;
}

function newTally(): Tally {
  return { right: Object.fromEntries(ATTRIBUTE_NAMES.map((a) => [a, 0])) as Record<Attribute, number>, all: 0 };
}

type Renderings = Record<Attribute, { value: string; pixels: Float32Array }[]>;

/** All avatars that differ in one attribute at most. */
async function renderingsOf(avatar: Avatar): Promise<Renderings> {
  const result = {} as Renderings;
  for (const attribute of ATTRIBUTE_NAMES)
    result[attribute] = await Promise.all(
      valuesOf(attribute).map(async (value) => ({ value, pixels: await pixelsOf({ ...avatar, [attribute]: value }) })),
    );
  return result;
}

function judge(tally: Tally, avatar: Avatar, renderings: Renderings, picture: Float32Array): void {
  const right = ATTRIBUTE_NAMES.filter((attribute) => {
    const errors = renderings[attribute].map(({ value, pixels }) => ({ value, error: squaredError(pixels, picture) }));
    return errors.reduce((a, b) => (b.error < a.error ? b : a)).value === avatar[attribute];
  });
  for (const attribute of right) tally.right[attribute]++;
  if (right.length === ATTRIBUTE_NAMES.length) tally.all++;
}

function squaredError(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return sum;
}

/** Planes of red, green and blue in [0, 1]. */
async function pixelsOf(avatar: Avatar): Promise<Float32Array> {
  const { data, info } = await sharp(renderAvatar(avatar, 64))
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const plane = info.width * info.height;
  return Float32Array.from({ length: 3 * plane }, (_, i) => data[(i % plane) * 3 + Math.floor(i / plane)] / 255);
}

/** Pictures with values in [0, 1] as a batch [N, 3, 64, 64] in [-1, 1]. */
function batchOf(pictures: readonly Float32Array[]): Tensor {
  const all = new Float32Array(pictures.length * 3 * 64 * 64);
  for (const [i, pixels] of pictures.entries())
    all.set(
      pixels.map((v) => 2 * v - 1),
      i * 3 * 64 * 64,
    );
  return Tensor.from(all, [pictures.length, 3, 64, 64]);
}

void main();
