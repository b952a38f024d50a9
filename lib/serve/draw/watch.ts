/** What is shown of a drawing while it goes on: steps, previews, the timeline. */
import sharp from 'sharp';
import type { DDPM } from '../../models/ddpm';
import { encodePng, type Pictures, toBytes } from '../../pictures/picture';
import { type PreviewKind, previewPictures } from '../../sampling/preview';
import type { SamplingStep } from '../../sampling/sampling';
import type { FinishedImage, Report } from '../job';

/** Milliseconds between two previews, at least. */
const PREVIEW_MS = 120;
/** Moments of a timeline, at most. */
const MOMENTS = 16;
/** Larger previews are compressed with loss. */
const LOSSLESS_PIXELS = 128 * 128;

export interface WatchOptions {
  preview: PreviewKind | 'none';
  timeline: boolean;
}

export class Watch {
  /** The noisy and the clean estimate of the first picture over the steps. */
  readonly timeline: FinishedImage[] = [];
  #shownAt = 0;
  /** The latest preview of each picture. */
  #frames: string[] = [];

  constructor(
    private readonly model: DDPM,
    private readonly report: Report,
    private readonly options: WatchOptions,
  ) {}

  /** Options of a sampling run that is one of `runs` like it. */
  run(index = 0, runs = 1): { signal: AbortSignal; onStep: (step: SamplingStep) => Promise<void> } {
    return { signal: this.report.signal, onStep: (step) => this.#step(step, index, runs) };
  }

  async #step({ step, total, x, predX0 }: SamplingStep, index: number, runs: number): Promise<void> {
    const { preview, timeline } = this.options;
    this.report.step(index * total + step, runs * total);
    try {
      const isDue = Date.now() - this.#shownAt >= PREVIEW_MS || step === total;
      if (preview !== 'none' && isDue) {
        const pictures = await previewPictures(this.model, predX0, preview);
        for (let i = 0; i < pictures.batch; i++) this.#frames[index + i] = await dataUrl(pictures, i);
        this.report.preview({ step, images: [...this.#frames] });
        this.#shownAt = Date.now();
      }
      if (timeline && index === 0 && isMoment(step, total)) {
        const kind = preview === 'none' ? 'projection' : preview;
        this.timeline.push(await moment('xt', step, await previewPictures(this.model, x.slice(0, 0, 1), kind)));
        this.timeline.push(await moment('x0', step, await previewPictures(this.model, predX0.slice(0, 0, 1), kind)));
      }
    } finally {
      x.dispose();
      predX0.dispose();
    }
  }
}

/** Whether a step is one of evenly spread ones, the first and the last among them. */
function isMoment(step: number, total: number): boolean {
  const moments = Math.min(MOMENTS, total);
  const at = (i: number) => Math.round(1 + (i * (total - 1)) / Math.max(1, moments - 1));
  return Array.from({ length: moments }, (_, i) => at(i)).includes(step);
}

async function moment(role: 'x0' | 'xt', step: number, pictures: Pictures): Promise<FinishedImage> {
  const { width, height } = pictures;
  const data = await encodePng(toBytes(pictures), pictures);
  return { data, type: 'image/png', role, width, height, name: `${role}-${step}.png`, index: 0, step, settings: null };
}

async function dataUrl(pictures: Pictures, index: number): Promise<string> {
  const bytes = toBytes(pictures, { index });
  const { width, height, channels } = pictures;
  if (width * height <= LOSSLESS_PIXELS)
    return `data:image/png;base64,${(await encodePng(bytes, pictures)).toString('base64')}`;
  const raw = { width, height, channels: channels as 1 | 3 };
  const webp = await sharp(bytes, { raw }).webp({ quality: 80, effort: 0 }).toBuffer();
  return `data:image/webp;base64,${webp.toString('base64')}`;
}
