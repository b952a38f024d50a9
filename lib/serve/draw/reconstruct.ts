/** A picture through the first stage: what comes back, what is lost, and what the latent holds. */
import { LdmError } from '../../errors';
import { noGrad } from '../../job';
import { AutoencoderKL } from '../../models/autoencoder-kl';
import { ImageAutoencoder } from '../../models/image-autoencoder';
import { LatentDiffusion } from '../../models/latent-diffusion';
import { LPIPS } from '../../models/lpips';
import type { Module } from '../../models/module';
import { VQAutoencoder } from '../../models/vq-autoencoder';
import { encodePng, type Pictures, picturesOf, toBytes } from '../../pictures/picture';
import { psnr } from '../../pictures/psnr';
import { Generator } from '../../random';
import type { Tensor } from '../../tensor';
import { HttpError } from '../http-error';
import type { FinishedImage, Outcome, Report } from '../job';
import type { ReadyModel } from '../model-host';
import { pictureTensor, type UploadedPicture } from '../uploads';

/** Channels of a latent that are shown, at most. */
const CHANNELS = 16;
/** Differences are shown so many times as large. */
const AMPLIFIED = 4;

export async function reconstruct(ready: ReadyModel, image: UploadedPicture, report: Report): Promise<Outcome> {
  const { model } = ready;
  const { signal } = report;
  using pixels = pictureTensor(image, model.device);
  using x = pixels.mul(2).sub(1);
  const averaged = model instanceof VQAutoencoder && ready.hasEma;
  const both = averaged ? await model.emaScope(() => through(model, x, signal)) : await through(model, x, signal);
  using latent = both.latent;
  using result = both.result;
  const [original, back, z] = await Promise.all([picturesOf(x), picturesOf(result), picturesOf(latent)]);
  if (back.height !== original.height || back.width !== original.width)
    throw new HttpError(
      400,
      'invalid_request',
      `This model gives ${back.width} x ${back.height} pixels for ${original.width} x ${original.height}. Choose another size.`,
      'size',
    );
  const perceptual = await lpipsOf(x, result, signal);
  const images = [
    await picture('original', original, 'original.png'),
    await picture('reconstruction', back, 'reconstruction.png'),
    await picture('difference', differenceOf(original, back), 'difference.png', `${AMPLIFIED} times as large`),
    ...(await Promise.all(Array.from({ length: Math.min(CHANNELS, z.channels) }, (_, c) => channel(z, c)))),
  ];
  const values = {
    psnr: psnr(original, back),
    ...perceptual,
    latent: `${z.channels} x ${z.height} x ${z.width}`,
    compression: (original.channels * original.height * original.width) / (z.channels * z.height * z.width),
  };
  return { images, values };
}

/** The most likely latent of pictures in [-1, 1] and what is decoded from it. */
async function through(model: Module, x: Tensor, signal: AbortSignal): Promise<{ latent: Tensor; result: Tensor }> {
  if (model instanceof LatentDiffusion) {
    // The same numbers each time: a KL stage draws from its posterior.
    using random = new Generator(0, model.device);
    const latent = await noGrad(() => model.encodeFirstStage(x, { signal, random }));
    return { latent, result: await model.decodeFirstStage(latent, { signal }) };
  }
  if (model instanceof AutoencoderKL) {
    using posterior = await noGrad(() => model.encode(x, { signal }));
    const latent = await posterior.mode();
    return { latent, result: await noGrad(() => model.decode(latent, { signal })) };
  }
  if (model instanceof VQAutoencoder) {
    const latent = await noGrad(() => model.encodeToPrequant(x, { signal }));
    return { latent, result: await model.reconstruct(x, { signal }) };
  }
  if (model instanceof ImageAutoencoder) return { latent: x.clone(), result: await model.reconstruct(x, { signal }) };
  throw new HttpError(400, 'wrong_model', 'This model has no first stage.', 'model');
}

let lpips: Promise<LPIPS> | undefined;

/** Null with the reason where VGG16 has not been downloaded. */
async function lpipsOf(
  a: Tensor,
  b: Tensor,
  signal: AbortSignal,
): Promise<{ lpips: number | null; lpipsNote?: string }> {
  try {
    lpips ??= LPIPS.create({}, { init: 'empty', device: a.device }).then(async (network) => {
      await network.eval();
      return network;
    });
    const network = await lpips;
    using distance = await noGrad(() => network.forward(a, b, { signal }));
    return { lpips: await distance.item() };
  } catch (error) {
    if (!LdmError.is(error) || error.code !== 'ERR_MISSING_WEIGHTS') throw error;
    return { lpips: null, lpipsNote: 'LPIPS needs its weights: run `ldm download lpips` once.' };
  }
}

async function picture(
  role: FinishedImage['role'],
  pictures: Pictures,
  name: string,
  text?: string,
): Promise<FinishedImage> {
  const { width, height } = pictures;
  return {
    data: await encodePng(toBytes(pictures), pictures),
    type: 'image/png',
    role,
    width,
    height,
    name,
    index: 0,
    settings: null,
    text,
  };
}

/** The mean difference of the colours, amplified, in the colours of heat. */
function differenceOf(a: Pictures, b: Pictures): Pictures {
  const plane = a.width * a.height;
  const data = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    let sum = 0;
    for (let c = 0; c < a.channels; c++) sum += Math.abs(a.data[c * plane + i] - b.data[c * plane + i]) / 2;
    const heat = Math.min(1, (sum / a.channels) * AMPLIFIED);
    for (let c = 0; c < 3; c++) data[c * plane + i] = Math.min(1, Math.max(0, heat * 3 - c)) * 2 - 1;
  }
  return { data, batch: 1, channels: 3, width: a.width, height: a.height };
}

/** One channel in grey, from its least to its largest value. */
async function channel(z: Pictures, c: number): Promise<FinishedImage> {
  const plane = z.width * z.height;
  const values = z.data.subarray(c * plane, (c + 1) * plane);
  let [least, most, sum, squares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
    sum += value;
    squares += value * value;
  }
  const mean = sum / plane;
  const deviation = Math.sqrt(Math.max(0, squares / plane - mean * mean));
  const span = most - least || 1;
  const data = values.map((value) => ((value - least) / span) * 2 - 1);
  const text = `${least.toFixed(2)} to ${most.toFixed(2)}, mean ${mean.toFixed(2)} ± ${deviation.toFixed(2)}`;
  return { ...(await picture('latent', { ...z, batch: 1, channels: 1, data }, `latent-${c}.png`, text)), index: c };
}
