/** main.ImageLogger of the reference: grids of `log_images` as PNG files and in TensorBoard. */
import path from 'node:path';
import {
  encodePng,
  makeGrid,
  type Pictures,
  picturesOf,
  slicePictures,
  toBytes,
  writeFileAtomic,
} from '../../pictures/picture';
import type { BatchEvent, Callback, TrainerView } from './callback';

/** The reference's arguments under their names. */
export interface ImageLoggerOptions {
  /** Every so many steps. */
  batch_frequency: number;
  max_images: number;
  /** Clamp to [-1, 1]. Default true. */
  clamp?: boolean;
  /** Log at steps 1, 2, 4, 8, ... as well. Default true. */
  increase_log_steps?: boolean;
  /** Map [-1, 1] to [0, 1] before saving. Default true. */
  rescale?: boolean;
  disabled?: boolean;
  /** Count batches of the epoch instead of steps. Default false. */
  log_on_batch_idx?: boolean;
  log_first_step?: boolean;
  /** Options of the model's logImages. */
  log_images_kwargs?: Record<string, unknown> | null;
}

/**
 * Saves `images/<split>/<name>_gs-<step>_e-<epoch>_b-<batch>.png`.
 *
 * When it fires is the reference's rule to the letter: every firing drops the head of the list of early steps (1, 2, 4,
 * ...), also one that was caused by the frequency.
 */
export class ImageLogger implements Callback {
  readonly #options: Required<ImageLoggerOptions>;
  readonly #logSteps: number[];

  constructor(options: ImageLoggerOptions) {
    this.#options = {
      clamp: true,
      increase_log_steps: true,
      rescale: true,
      disabled: false,
      log_on_batch_idx: false,
      log_first_step: false,
      ...options,
      log_images_kwargs: options.log_images_kwargs ?? {},
    };
    const { batch_frequency, increase_log_steps } = this.#options;
    this.#logSteps = increase_log_steps
      ? Array.from({ length: Math.trunc(Math.log2(batch_frequency)) + 1 }, (_, n) => 2 ** n)
      : [batch_frequency];
  }

  /** Whether pictures are due at `index`; changes the state as the reference does. */
  checkFrequency(index: number): boolean {
    const due = index % this.#options.batch_frequency === 0 || this.#logSteps.includes(index);
    if (!due || !(index > 0 || this.#options.log_first_step)) return false;
    this.#logSteps.shift();
    return true;
  }

  async onTrainBatchEnd(trainer: TrainerView, event: BatchEvent): Promise<void> {
    if (trainer.globalStep > 0 || this.#options.log_first_step) await this.#log(trainer, event, 'train');
  }

  async onValidationBatchEnd(trainer: TrainerView, event: BatchEvent): Promise<void> {
    if (trainer.globalStep > 0) await this.#log(trainer, event, 'val');
  }

  async #log(trainer: TrainerView, { batch, batchIdx }: BatchEvent, split: string): Promise<void> {
    const { disabled, log_on_batch_idx, max_images, log_images_kwargs } = this.#options;
    if (disabled || max_images <= 0) return;
    if (!this.checkFrequency(log_on_batch_idx ? batchIdx : trainer.globalStep)) return;
    const training = split === 'train';
    const { model } = trainer.trainable;
    if (training) await model.eval();
    using random = trainer.sideGenerator();
    const images = await trainer.trainable.logImages(batch as unknown as Record<string, unknown>, {
      ...log_images_kwargs,
      split,
      signal: trainer.signal,
      random,
    });
    const pictures: Record<string, Pictures> = {};
    for (const [name, tensor] of Object.entries(images ?? {})) {
      pictures[name] = this.prepare(await picturesOf(tensor));
      tensor.dispose();
    }
    await this.logLocal(trainer.logdir, split, pictures, {
      globalStep: trainer.globalStep,
      currentEpoch: trainer.currentEpoch,
      batchIdx,
    });
    for (const [name, p] of Object.entries(pictures)) {
      const grid = makeGrid(p);
      trainer.logImage(`${split}/${name}`, await encodePng(toBytes(grid, { rounding: 'truncate' }), grid), grid);
    }
    if (training) await model.train();
  }

  /** The first `max_images` pictures, clamped. */
  prepare(pictures: Pictures): Pictures {
    const first = slicePictures(pictures, 0, this.#options.max_images);
    return this.#options.clamp ? { ...first, data: first.data.map((v) => Math.min(Math.max(v, -1), 1)) } : first;
  }

  /** Writes one grid with four pictures in a row for each name. Returns the files' paths. */
  async logLocal(
    saveDir: string,
    split: string,
    images: Readonly<Record<string, Pictures>>,
    at: { globalStep: number; currentEpoch: number; batchIdx: number },
  ): Promise<string[]> {
    const six = (n: number) => String(n).padStart(6, '0');
    const files: string[] = [];
    for (const [name, pictures] of Object.entries(images)) {
      const grid = makeGrid(pictures, { nrow: 4 });
      const range = this.#options.rescale ? ([-1, 1] as const) : ([0, 1] as const);
      const file = `${name}_gs-${six(at.globalStep)}_e-${six(at.currentEpoch)}_b-${six(at.batchIdx)}.png`;
      files.push(path.join(saveDir, 'images', split, file));
      writeFileAtomic(files.at(-1)!, await encodePng(toBytes(grid, { range, rounding: 'truncate' }), grid));
    }
    return files;
  }
}
