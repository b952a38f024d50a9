/** A cut out of a finished sample (FacesHQ of taming/data/faceshq.py), and where its pixels lay. */
import { LdmError } from '../../errors';
import type { ArrayValue, Sample } from '../dataset';
import type { DataRandom } from '../random';
import { type Cut, centerCut, randomCut } from './crops';

export interface CropOptions {
  crop_size: number;
  random_crop: boolean;
  /** Also give `coord` [crop_size, crop_size, 1]: number of each pixel in the whole image, divided by their count. */
  coord: boolean;
}

/** The entries of a sample that change. */
export function cropSample(sample: Sample, options: CropOptions, random: DataRandom): Sample {
  const { crop_size, random_crop, coord } = options;
  if (!sample.image) throw new LdmError('ERR_CONFIG', "A sample without 'image' cannot be cut: add it to keys.");
  const [height, width] = sample.image.shape;
  const whole = { data: new Uint8Array(0), width, height };
  const place = random_crop ? randomCut(whole, crop_size, crop_size, random) : centerCut(whole, crop_size, crop_size);
  const image = { data: cutFloats(sample.image, place), shape: [crop_size, crop_size, 3] };
  return coord ? { image, coord: coordinates(width, height, place) } : { image };
}

function cutFloats({ data, shape: [, width, channels] }: ArrayValue, place: Cut): Float32Array {
  const out = new Float32Array(place.width * place.height * channels);
  for (let y = 0; y < place.height; y++) {
    const from = ((place.top + y) * width + place.left) * channels;
    out.set((data as Float32Array).subarray(from, from + place.width * channels), y * place.width * channels);
  }
  return out;
}

function coordinates(width: number, height: number, { left, top, width: w, height: h }: Cut): ArrayValue {
  const pixels = width * height;
  const data = Float64Array.from(
    { length: w * h },
    (_, i) => ((top + Math.floor(i / w)) * width + left + (i % w)) / pixels,
  );
  return { data, shape: [h, w, 1] };
}
