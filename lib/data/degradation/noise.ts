/**
 * Noise of sensors (reference: add_Gaussian_noise, add_speckle_noise and add_Poisson_noise of
 * ldm/modules/image_degradation/bsrgan.py).
 */
import type { DataRandom } from '../random';
import { normals, poisson, randint } from './draws';
import { clip, type FloatImage, toFloats, toLevels } from './float-image';
import { matrix3, orthonormalBasis, product, squareRootOfMagnitude, transposed } from './symmetric';

/** Smallest and largest standard deviation, in levels of 8 bits. */
export type NoiseLevels = readonly [number, number];

/** Adds normal noise: of each colour for itself, the same for all colours, or correlated between them. */
export function addGaussianNoise(image: FloatImage, levels: NoiseLevels, random: DataRandom): FloatImage {
  const level = randint(random, ...levels);
  const noise = drawNoise(image, level, levels[1], random);
  const data = image.data.slice();
  for (let i = 0; i < data.length; i++) data[i] += noise[i];
  return clip({ ...image, data });
}

/** Adds normal noise in proportion to the brightness. */
export function addSpeckleNoise(image: FloatImage, levels: NoiseLevels, random: DataRandom): FloatImage {
  const level = randint(random, ...levels);
  const { data } = clip({ ...image, data: image.data.slice() });
  const noise = drawNoise(image, level, levels[1], random);
  for (let i = 0; i < data.length; i++) data[i] += Math.fround(data[i] * noise[i]);
  return clip({ ...image, data });
}

/** Counts light in quanta, 100 to 10000 of them for white: for each colour, or for the brightness of all. */
export function addPoissonNoise(image: FloatImage, random: DataRandom): FloatImage {
  const rounded = toFloats(toLevels(image));
  const quanta = 10 ** (2 * random.uniform() + 2);
  if (random.uniform() < 0.5)
    return clip({ ...image, data: rounded.data.map((v) => poisson(random, v * quanta) / quanta) });
  const { data } = rounded;
  for (let i = 0; i < data.length; i += 3) {
    const grey = Math.round((0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2]) * 255) / 255;
    const noise = poisson(random, grey * quanta) / quanta - grey;
    for (let c = 0; c < 3; c++) data[i + c] += noise;
  }
  return clip(rounded);
}

/** Normal noise for each value of an image. @param largest deviation of the correlated noise, in levels like `level` */
function drawNoise({ width, height }: FloatImage, level: number, largest: number, random: DataRandom): Float32Array {
  const kind = random.uniform();
  const count = width * height;
  const deviation = level / 255;
  if (kind >= 0.4 && kind <= 0.6) return correlatedNoise(count, largest / 255, random);
  const alike = kind < 0.4;
  const z = normals(random, alike ? count : count * 3);
  const noise = new Float32Array(count * 3);
  for (let i = 0; i < noise.length; i++) noise[i] = z[alike ? Math.floor(i / 3) : i] * deviation;
  return noise;
}

/** Noise whose covariance between the colours is a random one. */
function correlatedNoise(count: number, largest: number, random: DataRandom): Float32Array {
  const variances = [random.uniform(), random.uniform(), random.uniform()];
  const basis = orthonormalBasis(matrix3(() => random.uniform()));
  const diagonal = matrix3((i, j) => (i === j ? variances[i] : 0));
  const covariance = product(transposed(basis), product(diagonal, basis));
  const root = squareRootOfMagnitude(matrix3((i, j) => Math.abs(largest ** 2 * covariance[i][j])));
  const z = normals(random, count * 3);
  const noise = new Float32Array(count * 3);
  for (let i = 0; i < noise.length; i += 3) {
    for (let c = 0; c < 3; c++) noise[i + c] = root[c][0] * z[i] + root[c][1] * z[i + 1] + root[c][2] * z[i + 2];
  }
  return noise;
}
