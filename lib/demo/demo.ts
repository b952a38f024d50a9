/**
 * The demo: in a few minutes on a CPU, a small KL-VAE and then a small class-conditional latent diffusion model learn
 * to draw emoji. Everything goes the way of a user's own training: configs (models/demo), log folders, checkpoints.
 */
import path from 'node:path';
import type { Trainer } from '../training/trainer';
import { TrainingRun } from '../training/training-run';
import { drawLosses } from './losses';
import { drawReconstructions } from './reconstructions';
import { drawSamples } from './samples';

/** What the demo is doing. */
export type DemoPhase = 'autoencoder' | 'diffusion' | 'sampling';

export interface DemoOptions {
  /** Folder for pictures and log folders. */
  out: string;
  /** Minutes for everything. */
  minutes: number;
  seed: number;
  device?: string;
  /** Called when a training is ready, and with undefined when it is over; for signals and progress. */
  onTraining?: (phase: DemoPhase, run: TrainingRun | undefined) => void;
  onProgress?: (
    phase: DemoPhase,
    progress: Parameters<NonNullable<ConstructorParameters<typeof Trainer>[0]['onProgress']>>[0],
  ) => void;
  onSampling?: (done: number, total: number) => void;
  onInfo?: (message: string) => void;
}

/** What the demo leaves. */
export interface DemoResult {
  samples: string;
  reconstructions: string;
  losses: string;
  /** Log folders of the two trainings. */
  autoencoder: string;
  diffusion: string;
  /** Optimizer steps of each. */
  steps: { autoencoder: number; diffusion: number };
  /** Latest values of the losses. */
  metrics: Record<string, number>;
  /** Mean peak signal-to-noise ratio of the shown reconstructions in dB. */
  psnr: number;
  seconds: number;
}

const CONFIGS = path.join(__dirname, '../../models/demo');
/** Parts of the time; the rest is for sampling and pictures. */
const AUTOENCODER_SHARE = 0.32;
const DIFFUSION_SHARE = 0.58;

/**
 * Runs the demo. Returns null when a training was interrupted; its checkpoint is in its log folder then.
 * @throws LdmError ERR_DATA when the emoji are not installed, ERR_FILE when `out` cannot be written
 */
export async function runDemo(options: DemoOptions): Promise<DemoResult | null> {
  const started = performance.now();
  const budget = options.minutes * 60;
  const logdir = path.join(options.out, 'logs');
  const common = { logdir, seed: options.seed, device: options.device, onInfo: options.onInfo };

  const first = await train('autoencoder', options, {
    ...common,
    base: [path.join(CONFIGS, 'autoencoder.yaml')],
    maxTime: budget * AUTOENCODER_SHARE,
    schedule: warmUpAndDecay,
  });
  if (!first) return null;
  const checkpoint = path.join(first.root, 'checkpoints', 'last.ckpt');
  const second = await train('diffusion', options, {
    ...common,
    base: [path.join(CONFIGS, 'ldm.yaml')],
    overrides: [`model.params.first_stage_config.params.ckpt_path=${path.resolve(checkpoint)}`],
    maxTime: budget * DIFFUSION_SHARE,
    schedule: warmUpAndDecay,
  });
  if (!second) return null;

  const reconstructions = path.join(options.out, 'reconstructions.png');
  const samples = path.join(options.out, 'samples.png');
  const losses = path.join(options.out, 'losses.png');
  const psnr = await drawReconstructions(reconstructions, { source: first.root, device: options.device });
  await drawSamples(samples, {
    source: second.root,
    seed: options.seed,
    device: options.device,
    onProgress: options.onSampling,
  });
  drawLosses(losses, { autoencoder: first.root, diffusion: second.root });
  return {
    samples,
    reconstructions,
    losses,
    autoencoder: first.root,
    diffusion: second.root,
    steps: { autoencoder: first.steps, diffusion: second.steps },
    metrics: { ...first.metrics, ...second.metrics },
    psnr,
    seconds: (performance.now() - started) / 1000,
  };
}

/** Trains one model. Returns null when it was interrupted. */
async function train(
  phase: DemoPhase,
  options: DemoOptions,
  how: Parameters<typeof TrainingRun.prepare>[0],
): Promise<{ root: string; steps: number; metrics: Record<string, number> } | null> {
  using run = await TrainingRun.prepare({
    ...how,
    onProgress: (progress) => options.onProgress?.(phase, progress),
  });
  options.onTraining?.(phase, run);
  try {
    const { reason, globalStep, metrics } = await run.fit();
    return reason === 'interrupted' ? null : { root: run.folder.root, steps: globalStep, metrics };
  } finally {
    options.onTraining?.(phase, undefined);
  }
}

/** A short linear warm-up, then half a cosine down to a twentieth: most of what a decay brings, in a bounded time. */
function warmUpAndDecay(step: number, fraction: number): number {
  const warmUp = Math.min((step + 1) / 30, 1);
  return warmUp * (0.05 + 0.95 * 0.5 * (1 + Math.cos(Math.PI * fraction)));
}
