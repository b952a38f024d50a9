/**
 * Sizes of models and batches for a folder of images. For a GPU they are those of the official configs with latents of that size;
 * for a CPU they are those of the model that comes with this package, which learn something within an hour.
 */
import type { Survey } from './survey';

export type Machine = 'cpu' | 'gpu';

export interface Proposal {
  machine: Machine;
  /** Side of the images. */
  size: number;
  /** How much smaller latents are. */
  factor: number;
  autoencoder: {
    ch: number;
    chMult: readonly number[];
    numResBlocks: number;
    channels: number;
    batch: number;
    /** Per image: the trainer multiplies it with the batch size. */
    baseRate: number;
    klWeight: number;
    /** Whether VGG16's weights are there. */
    perceptual: boolean;
    /** Step at which the discriminator begins; null: never. */
    discStart: number | null;
    steps: number;
  };
  diffusion: {
    condition: 'none' | 'class' | 'caption';
    modelChannels: number;
    channelMult: readonly number[];
    attention: readonly number[];
    numResBlocks: number;
    headChannels: number;
    batch: number;
    baseRate: number;
    steps: number;
  };
}

const SIZES = [32, 64, 128, 256, 512] as const;
type Size = (typeof SIZES)[number];
const LARGEST: Record<Machine, Size> = { cpu: 64, gpu: 256 };

/** ch_mult of an encoder that halves log2(f) times. */
const CH_MULT: Record<Machine, Record<number, readonly number[]>> = {
  cpu: { 4: [1, 2, 3], 8: [1, 2, 3, 3], 16: [1, 2, 3, 3, 3], 32: [1, 2, 3, 3, 3, 3], 64: [1, 2, 3, 3, 3, 3, 3] },
  gpu: { 4: [1, 2, 4], 8: [1, 2, 4, 4] },
};
const FACTOR: Record<Machine, Record<Size, number>> = {
  cpu: { 32: 4, 64: 8, 128: 8, 256: 16, 512: 32 },
  gpu: { 32: 4, 64: 4, 128: 4, 256: 8, 512: 8 },
};
/** Images at a time that fit into 16 GB in float32. */
const GPU_BATCH: Record<Size, { autoencoder: number; diffusion: number }> = {
  32: { autoencoder: 64, diffusion: 128 },
  64: { autoencoder: 32, diffusion: 96 },
  128: { autoencoder: 12, diffusion: 48 },
  256: { autoencoder: 4, diffusion: 48 },
  512: { autoencoder: 1, diffusion: 16 },
};

/** Sizes that a proposal can be made for. */
export const PROPOSED_SIZES: readonly number[] = SIZES;

/**
 * @param options.size side of the images, one of {@link PROPOSED_SIZES}. Default: the largest that nine tenths of the images have,
 *   and that the machine can learn
 */
export function propose(
  survey: Survey,
  options: { machine: Machine; size?: number; batch?: number; perceptual: boolean },
): Proposal {
  const { machine, perceptual } = options;
  const fitting = SIZES.filter((size) => size <= survey.shorterSide.tenth && size <= LARGEST[machine]);
  const size = (options.size as Size | undefined) ?? fitting.at(-1) ?? SIZES[0];
  const factor = FACTOR[machine][size];
  const batchOf = (wanted: number) => options.batch ?? Math.max(1, Math.min(wanted, survey.images));
  const condition = survey.captions ? 'caption' : survey.classes.length > 0 ? 'class' : 'none';
  if (machine === 'cpu') {
    const [first, second] = [batchOf(8), batchOf(32)];
    return {
      machine,
      size,
      factor,
      autoencoder: {
        ...{ ch: 32, chMult: CH_MULT.cpu[factor], numResBlocks: 1, channels: factor === 4 ? 4 : 8 },
        ...{ batch: first, baseRate: rounded(4e-4 / first), klWeight: 1e-3, perceptual, discStart: null, steps: 5000 },
      },
      diffusion: {
        condition,
        ...{ modelChannels: 128, channelMult: [1, 1], attention: [1, 2], numResBlocks: 1, headChannels: 32 },
        ...{ batch: second, baseRate: rounded(4e-4 / second), steps: 10_000 },
      },
    };
  }
  const batches = GPU_BATCH[size];
  const [first, second] = [batchOf(batches.autoencoder), batchOf(batches.diffusion)];
  const small = size / factor <= 16;
  return {
    machine,
    size,
    factor,
    autoencoder: {
      ...{ ch: 128, chMult: CH_MULT.gpu[factor], numResBlocks: 2, channels: factor === 4 ? 3 : 4, batch: first },
      ...{ baseRate: 4.5e-6, klWeight: 1e-6, perceptual, discStart: 50_001, steps: 100_000 },
    },
    diffusion: {
      condition,
      ...(small
        ? { modelChannels: 192, channelMult: [1, 2, 3], attention: [1, 2, 4], numResBlocks: 2 }
        : { modelChannels: 192, channelMult: [1, 2, 2, 4], attention: [2, 4, 8], numResBlocks: 2 }),
      ...{ headChannels: 32, batch: second, baseRate: rounded(1e-4 / second), steps: 200_000 },
    },
  };
}

/** Two digits: a rate is no exact science. */
function rounded(rate: number): number {
  return Number(rate.toPrecision(2));
}
