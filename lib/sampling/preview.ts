/**
 * Pictures of latents while they are drawn. Decoding each step would often cost more than the step, so by default the
 * latent's channels are mixed to red, green and blue by a linear map, which is found by least squares from colour charts that
 * go through the first stage once: it suits any first stage, trained on whatever pictures.
 */
import { noGrad } from '../job';
import type { DDPM } from '../models/ddpm';
import { LatentDiffusion } from '../models/latent-diffusion';
import { type Pictures, picturesOf } from '../pictures/picture';
import { Generator } from '../random';
import { Tensor } from '../tensor';
import { firstStageFactor } from './pipelines/sizes';

/** 'projection': a linear map, pictures of the latent's size. 'decoded': by the first stage. */
export type PreviewKind = 'projection' | 'decoded';

/** Side of the charts in latent positions, and of their fields. */
const CHART = 16;
const FIELD = 4;
const CHARTS = 4;
/** Keeps the map small where channels hold nothing. */
const RIDGE = 1e-3;

/** A linear map from channels to colours. */
interface Projection {
  /** [colours, channels] */
  weight: Tensor;
  /** [1, colours, 1] */
  bias: Tensor;
}

const projections = new WeakMap<LatentDiffusion, Promise<Projection>>();

/**
 * Pictures [n, colours, h, w], about in [-1, 1], of samples of a diffusion model such as `predX0` of a step.
 * @param x [n, c, h, w]; of a model without a first stage it is the picture already
 */
export async function previewPictures(model: DDPM, x: Tensor, kind: PreviewKind = 'projection'): Promise<Pictures> {
  if (!(model instanceof LatentDiffusion)) return picturesOf(x);
  if (kind === 'decoded') {
    using decoded = await model.decodeFirstStage(x);
    return picturesOf(decoded);
  }
  const { weight, bias } = await projectionOf(model);
  const [n, channels, h, w] = x.shape;
  using flat = x.to({ dtype: 'float32' }).reshape(n, channels, h * w);
  using mixed = weight.matmul(flat).add(bias);
  return picturesOf(mixed.reshape(n, bias.shape[1], h, w));
}

/** The map of a model; found at the first call. */
function projectionOf(model: LatentDiffusion): Promise<Projection> {
  const known = projections.get(model);
  if (known) return known;
  const found = noGrad(() => fitProjection(model));
  projections.set(model, found);
  // A cancelled attempt is made again.
  found.catch(() => projections.delete(model));
  return found;
}

async function fitProjection(model: LatentDiffusion): Promise<Projection> {
  const factor = firstStageFactor(model);
  const { device } = model;
  using random = new Generator(0, device);
  using fields = Tensor.rand([CHARTS, 3, CHART / FIELD, CHART / FIELD], { random, device });
  const colours = enlarge(fields.mul(2).sub(1), FIELD);
  using charts = enlarge(colours, factor);
  using latents = await model.encodeFirstStage(charts, { random });
  const [z, rgb] = await Promise.all([picturesOf(latents), picturesOf(colours)]);
  const { weights, biases } = leastSquares(z, rgb);
  return {
    weight: Tensor.from(Float32Array.from(weights.flat()), [3, z.channels], { device }),
    bias: Tensor.from(Float32Array.from(biases), [1, 3, 1], { device }),
  };
}

/** Each position becomes a square. */
function enlarge(x: Tensor, factor: number): Tensor {
  const [n, c, h, w] = x.shape;
  return x
    .reshape(n, c, h, 1, w, 1)
    .expand(n, c, h, factor, w, factor)
    .reshape(n, c, h * factor, w * factor);
}

/** Colours as a linear function of the channels at the same position. */
function leastSquares(z: Pictures, colours: Pictures): { weights: number[][]; biases: number[] } {
  const size = z.channels + 1;
  const plane = z.height * z.width;
  const normal = Array.from({ length: size }, (_, i) =>
    Array.from({ length: size + 3 }, (_, j) => (i === j ? RIDGE : 0)),
  );
  const row = new Float64Array(size + 3);
  for (let i = 0; i < z.batch * plane; i++) {
    const [picture, at] = [Math.floor(i / plane), i % plane];
    for (let c = 0; c < z.channels; c++) row[c] = z.data[(picture * z.channels + c) * plane + at];
    row[z.channels] = 1;
    for (let c = 0; c < 3; c++) row[size + c] = colours.data[(picture * 3 + c) * plane + at];
    for (let a = 0; a < size; a++) for (let b = 0; b < size + 3; b++) normal[a][b] += row[a] * row[b];
  }
  eliminate(normal);
  const solution = (c: number) => normal.map((line) => line[size + c]);
  const both = [0, 1, 2].map(solution);
  return { weights: both.map((s) => s.slice(0, -1)), biases: both.map((s) => s[size - 1]) };
}

/** Gauss-Jordan elimination in place; the matrix in front is symmetric and positive definite. */
function eliminate(rows: number[][]): void {
  for (const [i, pivot] of rows.entries()) {
    const lead = pivot[i];
    for (let k = 0; k < pivot.length; k++) pivot[k] /= lead;
    for (const [j, other] of rows.entries()) {
      if (j === i) continue;
      const times = other[i];
      for (let k = 0; k < pivot.length; k++) other[k] -= times * pivot[k];
    }
  }
}
