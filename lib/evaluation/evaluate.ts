/**
 * How near images are to other images: PSNR, SSIM, LPIPS of pairs, and FID of sets. For a model, the pairs are images and
 * their reconstructions, and FID is what the paper calls R-FID.
 */
import fs from 'node:fs';
import { LdmError } from '../errors';
import { findInceptionWeights, inceptionWeightsIfThere } from '../inception-weights';
import type { CallOptions } from '../job';
import { vgg16File } from '../lpips-files';
import { LPIPS } from '../models/lpips';
import { callNative, createNative } from '../models/module';
import type { NativeObject } from '../native';
import type { Tensor } from '../tensor';
import { GaussianStatistics } from './gaussian-statistics';
import { type EightBitBatch, FolderOfImages, type ImageSource, pairsOf, toUnitRange } from './image-batches';
import { FID_PROTOCOLS, type FidProtocol, InceptionV3 } from './inception';

/** What can be measured. */
export type Metric = 'psnr' | 'ssim' | 'lpips' | 'fid';
export const METRICS: readonly Metric[] = ['psnr', 'ssim', 'lpips', 'fid'];

/** Fewer images than features leave the covariance singular, and FID far too high. */
const FEW_IMAGES = InceptionV3.dims;

export interface EvaluationOptions {
  /** Default: all that the images and the weights at hand allow; {@link EvaluationResult.leftOut} says why others are not. */
  metrics?: readonly Metric[];
  /** File of Inception's weights. Default: that in the cache folder. */
  inception?: string;
  /** Default 'torch-fidelity', which the paper used. */
  fidProtocol?: FidProtocol;
  /** File of VGG16's weights for LPIPS. Default: that in the cache folder. */
  vgg?: string;
  /** 'cpu' (default) or 'cuda:N'. */
  device?: string;
  /** Write the reference's FID statistics to this .npz file. */
  saveStatistics?: string;
  signal?: AbortSignal;
  /** @param done images of the total */
  onProgress?: (done: number, total: number) => void;
}

/** Mean over the images and the spread between them. */
export interface Summary {
  mean: number;
  std: number;
}

export interface EvaluationResult {
  images: number;
  reference: number;
  /** In dB, of 8-bit levels; the mean of the images' values. */
  psnr?: Summary;
  ssim?: Summary;
  lpips?: Summary;
  fid?: number;
  /** How each number was computed. */
  protocol: Record<string, string>;
  /** Metrics that were not measured, and why. */
  leftOut: Partial<Record<Metric, string>>;
  warnings: string[];
}

const PROTOCOL = {
  psnr: '10 log10(255² / MSE) of 8-bit RGB for each image, then the mean',
  ssim: 'Wang et al. 2004 on 8-bit RGB: Gaussian window 11 x 11, sigma 1.5, K1 0.01, K2 0.03, inside the image, mean over channels',
  lpips: 'LPIPS 0.1 with VGG16 on images in [-1, 1], as in the reference’s loss',
};

/** Pairs of batches of one size, and what they are called. */
export interface PairSource {
  readonly length: number;
  pairs(): AsyncIterable<{ image: EightBitBatch; reference: EightBitBatch }>;
}

/**
 * Compares two folders. Images of the same path (without its ending) are pairs; without any there is FID only.
 * @param reference a folder, or a .npz file with `mu` and `sigma` of one
 * @param options.size bring all images to squares of this size first; default: as they are
 * @throws LdmError ERR_FILE, ERR_DATA, ERR_MISSING_WEIGHTS, ERR_INVALID_ARGUMENT
 */
export async function evaluateFolders(
  images: string,
  reference: string,
  options: EvaluationOptions & { size?: number | null; batchSize?: number } = {},
): Promise<EvaluationResult> {
  const opening = { batchSize: options.batchSize ?? 16, size: options.size };
  const first = FolderOfImages.open(images, opening);
  const isStatistics = reference.endsWith('.npz');
  const second = isStatistics ? undefined : FolderOfImages.open(reference, opening);
  const wantsPairs = !options.metrics || options.metrics.some((metric) => metric !== 'fid');
  const paired = second && wantsPairs ? pairsOf(first, second) : null;
  const noPairs = isStatistics
    ? 'statistics have no images'
    : `no image of ${images} has the name of one of ${reference}`;
  using evaluation = await Evaluation.start(options, paired ? undefined : noPairs);
  if (paired) await evaluation.addPairs(pairSource(paired.a, paired.b));
  else if (evaluation.measures('fid')) {
    const total = first.length + (second?.length ?? 0);
    await evaluation.addFeatures('images', first, 0, total);
    if (second) await evaluation.addFeatures('reference', second, first.length, total);
    else evaluation.setReference(await GaussianStatistics.read(reference));
  }
  return await evaluation.finish();
}

/** Compares pairs of images, such as originals and reconstructions. */
export async function evaluatePairs(source: PairSource, options: EvaluationOptions = {}): Promise<EvaluationResult> {
  using evaluation = await Evaluation.start(options, undefined);
  await evaluation.addPairs(source);
  return await evaluation.finish();
}

function pairSource(a: FolderOfImages, b: FolderOfImages): PairSource {
  return {
    length: a.length,
    async *pairs() {
      const others = b.batches();
      for await (const image of a.batches()) {
        const reference = (await others.next()).value as EightBitBatch | undefined;
        if (!reference || reference.images.shape.join() !== image.images.shape.join())
          throw new LdmError(
            'ERR_DATA',
            `Pairs of images must have one size: ${image.names[0]} has ${sizeOf(image)}, ${reference ? `${reference.names[0]} has ${sizeOf(reference)}` : 'its partner another'}. Bring both to one with --size N.`,
          );
        yield { image, reference };
      }
    },
  };
}

function sizeOf({ images }: EightBitBatch): string {
  const [n, , height, width] = images.shape;
  return `${width} x ${height} pixels (batch of ${n})`;
}

/** Weights and sums while images come in. */
class Evaluation {
  readonly #values: Record<'psnr' | 'ssim' | 'lpips', number[]> = { psnr: [], ssim: [], lpips: [] };
  readonly #counts = { images: 0, reference: 0 };
  #statistics: Partial<Record<'images' | 'reference', GaussianStatistics>> = {};

  private constructor(
    private readonly options: EvaluationOptions,
    private readonly wanted: ReadonlySet<Metric>,
    private readonly leftOut: Partial<Record<Metric, string>>,
    private readonly quality: NativeObject | undefined,
    private readonly lpips: LPIPS | undefined,
    private readonly inception: InceptionV3 | undefined,
  ) {}

  /** Opens the weights that are needed. @param noPairs why there are no pairs, if so */
  static async start(options: EvaluationOptions, noPairs: string | undefined): Promise<Evaluation> {
    const { metrics } = options;
    const leftOut: Partial<Record<Metric, string>> = {};
    const wanted = new Set<Metric>();
    const lacks: Record<Metric, () => string | undefined> = {
      psnr: () => noPairs,
      ssim: () => noPairs,
      lpips: () => noPairs ?? lackOfVgg(options.vgg),
      fid: () =>
        options.inception || inceptionWeightsIfThere()
          ? undefined
          : 'Inception’s weights are not there: ldm download inception, or --inception FILE',
    };
    for (const metric of METRICS) {
      if (metrics && !metrics.includes(metric)) continue;
      const lack = lacks[metric]();
      if (lack === undefined) wanted.add(metric);
      else if (metrics && metric !== 'fid')
        throw new LdmError(
          noPairs === undefined ? 'ERR_MISSING_WEIGHTS' : 'ERR_DATA',
          `${metric.toUpperCase()} cannot be measured: ${lack}.`,
        );
      else if (metrics) wanted.add(metric);
      else leftOut[metric] = lack;
    }
    if (wanted.size === 0)
      throw new LdmError(
        'ERR_MISSING_WEIGHTS',
        `Nothing can be measured. ${[...new Set(Object.values(leftOut))].join('; ')}.`,
      );
    if (options.saveStatistics !== undefined && !wanted.has('fid'))
      throw new LdmError(
        'ERR_MISSING_WEIGHTS',
        `There are no statistics to save without FID: ${leftOut.fid ?? 'ask for it'}.`,
      );
    const { device } = options;
    const pairs = wanted.has('psnr') || wanted.has('ssim');
    const quality = pairs ? await createNative('node_ldm.evaluation.ImageQuality', {}) : undefined;
    const lpips = wanted.has('lpips') ? await openLpips(options.vgg, device) : undefined;
    const inception = wanted.has('fid') ? await openInception(options.inception, device) : undefined;
    return new Evaluation(options, wanted, leftOut, quality, lpips, inception);
  }

  measures(metric: Metric): boolean {
    return this.wanted.has(metric);
  }

  async addPairs(source: PairSource): Promise<void> {
    for await (const { image, reference } of source.pairs()) {
      using a = image.images;
      using b = reference.images;
      this.options.signal?.throwIfAborted();
      await this.#compare(a, b);
      if (this.inception) {
        await this.#addFeatures('images', a);
        await this.#addFeatures('reference', b);
      }
      this.#counts.images += a.shape[0];
      this.#counts.reference += b.shape[0];
      this.options.onProgress?.(this.#counts.images, source.length);
    }
  }

  /** Adds images that have no partners. */
  async addFeatures(side: 'images' | 'reference', source: ImageSource, before: number, total: number): Promise<void> {
    for await (const { images } of source.batches()) {
      using _ = images;
      this.options.signal?.throwIfAborted();
      await this.#addFeatures(side, images);
      this.#counts[side] += images.shape[0];
      this.options.onProgress?.(before + this.#counts[side], total);
    }
  }

  setReference(statistics: GaussianStatistics): void {
    if (statistics.dims !== InceptionV3.dims)
      throw new LdmError(
        'ERR_DATA',
        `Expected statistics of ${InceptionV3.dims} features but found ${statistics.dims}.`,
      );
    this.#statistics.reference = statistics;
  }

  async #compare(a: Tensor, b: Tensor): Promise<void> {
    const options: CallOptions = { signal: this.options.signal };
    if (this.quality) {
      const { psnr, ssim } = await callNative(this.quality, 'compare', { a, b }, options);
      for (const [name, values] of [
        ['psnr', psnr],
        ['ssim', ssim],
      ] as const)
        if (this.wanted.has(name)) this.#values[name].push(...(await takeNumbers(values)));
    }
    if (this.lpips) {
      using x = toUnitRange(a, this.lpips.device);
      using y = toUnitRange(b, this.lpips.device);
      this.#values.lpips.push(...(await takeNumbers(await this.lpips.forward(x, y, options))));
    }
  }

  async #addFeatures(side: 'images' | 'reference', images: Tensor): Promise<void> {
    const { signal, fidProtocol = 'torch-fidelity' } = this.options;
    this.#statistics[side] ??= await GaussianStatistics.create(InceptionV3.dims);
    using moved = images.to({ device: this.inception!.device });
    using features = await this.inception!.features(moved, fidProtocol, { signal });
    await this.#statistics[side].add(features, { signal });
  }

  async finish(): Promise<EvaluationResult> {
    const { images, reference } = this.#statistics;
    const { fidProtocol = 'torch-fidelity', saveStatistics, signal } = this.options;
    const result: EvaluationResult = { ...this.#counts, protocol: {}, leftOut: this.leftOut, warnings: [] };
    for (const name of ['psnr', 'ssim', 'lpips'] as const) {
      if (!this.wanted.has(name)) continue;
      result[name] = summary(this.#values[name]);
      result.protocol[name] = PROTOCOL[name];
    }
    if (images && reference) {
      if (saveStatistics !== undefined) await reference.write(saveStatistics);
      result.fid = await images.frechetDistance(reference, { signal });
      result.protocol.fid = `${fidProtocol}: ${FID_PROTOCOLS[fidProtocol]}`;
      const fewest = Math.min(images.count, reference.count || images.count);
      if (fewest < FEW_IMAGES)
        result.warnings.push(
          `FID of ${fewest} images is far too high and says little: use at least ${FEW_IMAGES}, and the same number for all that you compare (the paper: 50,000).`,
        );
    }
    return result;
  }

  [Symbol.dispose](): void {
    this.quality?.dispose();
    this.lpips?.dispose();
    this.inception?.dispose();
    this.#statistics.images?.dispose();
    this.#statistics.reference?.dispose();
  }
}

function lackOfVgg(given: string | undefined): string | undefined {
  const file = given ?? vgg16File().path;
  return fs.existsSync(file) ? undefined : `VGG16’s weights are not there (${file}): ldm download lpips, or --vgg FILE`;
}

async function openLpips(vgg: string | undefined, device: string | undefined): Promise<LPIPS> {
  const lpips = await LPIPS.create({}, { device });
  if (vgg !== undefined) await lpips.loadVgg(vgg);
  await lpips.eval();
  return lpips;
}

async function openInception(file: string | undefined, device: string | undefined): Promise<InceptionV3> {
  const inception = await InceptionV3.create({ device });
  await inception.loadWeights(findInceptionWeights(file));
  return inception;
}

async function takeNumbers(values: Tensor): Promise<number[]> {
  using _ = values;
  using wide = values.to({ dtype: 'float64', device: 'cpu' });
  return [...((await wide.data()) as Float64Array)];
}

/** Equal images have an infinite PSNR, and so has the mean. */
function summary(values: readonly number[]): Summary {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((sum, v) => sum + (v - mean) ** 2, 0);
  return { mean, std: values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1)) };
}
