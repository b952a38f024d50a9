/** `ldm evaluate`: PSNR, SSIM, LPIPS and FID of two folders of images, or of a first stage's reconstructions. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import {
  type EvaluationResult,
  evaluateFolders,
  evaluateModel,
  FID_PROTOCOLS,
  type FidProtocol,
  METRICS,
  type Metric,
} from '../../evaluation';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { addFirstStageOptions, type FirstStageFlags, withFirstStage } from '../first-stage-options';
import { interruptible } from '../interrupt';
import { Progress } from '../progress';
import { integerFrom } from '../values';

interface EvaluateFlags extends FirstStageFlags {
  model?: string;
  metrics?: Metric[];
  size?: number;
  batch: number;
  inception?: string;
  fidProtocol: FidProtocol;
  vgg?: string;
  save?: string;
  saveStatistics?: string;
}

export const evaluate: CommandDefinition = {
  configure(command: Command) {
    command
      .argument('[images]', 'folder of images: drawn or reconstructed ones, or the originals with --model')
      .argument('[reference]', 'folder of the images to compare with, or a .npz file with mu and sigma')
      .option('-m, --model <path>', 'compare images with what this first stage makes of them: a log folder or a config')
      .option(
        '--metrics <list>',
        `some of ${METRICS.join(',')} (default: all that the weights at hand allow)`,
        metricList,
      )
      .option(
        '--size <n>',
        "bring images to squares of this size: shorter side, then the middle (default: the model's, or as they are)",
        integerFrom(11),
      )
      .option('--batch <n>', 'images at a time', integerFrom(1), 16)
      .option('--inception <file>', "weights of FID's Inception v3 (default: of ldm download inception)")
      .addOption(
        new Option('--fid-protocol <name>', 'how images become the input of Inception; the paper used torch-fidelity')
          .choices(Object.keys(FID_PROTOCOLS))
          .default('torch-fidelity'),
      )
      .option('--vgg <file>', "torchvision's VGG16 weights for LPIPS (default: of ldm download lpips)")
      .option('--save <dir>', 'with --model: write the reconstructions into this folder')
      .option('--save-statistics <file>', 'write the FID statistics of the reference to a .npz file');
    addFirstStageOptions(command);
    addExamples(command, [
      ['ldm evaluate samples/ photos/ --inception pt_inception-2015-12-05-6726825d.pth', 'FID of drawn pictures'],
      ['ldm evaluate -m logs/2026-01-31T12-00-00_kl photos/', 'how well an autoencoder reconstructs photos'],
      ['ldm evaluate -m models/first_stage_models/kl-f8 val/ --metrics psnr,fid --json', 'R-FID, for a program'],
    ]);
    command.action(async (images: string | undefined, reference: string | undefined, flags: EvaluateFlags) => {
      checkUsage(images, reference, flags);
      const output = outputOf(command);
      await interruptible(async (signal) => {
        const progress = new Progress(output, { label: 'evaluating', unit: 'images' });
        const { batch: batchSize, ...rest } = flags;
        const onProgress = (done: number, total: number) => progress.update(done, {}, total);
        const common = { ...rest, batchSize, signal, onProgress };
        const result = flags.model
          ? await withFirstStage(flags.model, flags, (loaded) => evaluateModel(loaded, { ...common, images }))
          : await evaluateFolders(images!, reference!, common);
        progress.end();
        for (const warning of result.warnings) output.warn(warning);
        for (const [metric, why] of Object.entries(result.leftOut)) output.note(`No ${metric.toUpperCase()}: ${why}.`);
        output.result(result, () => describe(result));
      });
    });
  },
};

function checkUsage(images: string | undefined, reference: string | undefined, flags: EvaluateFlags): void {
  if (flags.model) {
    if (reference !== undefined) throw new UsageError('With --model there is one folder: that of the originals.');
    return;
  }
  if (images === undefined || reference === undefined)
    throw new UsageError('Give two folders to compare, or a first stage with --model and one folder.');
  if (flags.save !== undefined) throw new UsageError('--save is for --model: two folders have no reconstructions.');
}

function metricList(text: string): Metric[] {
  const names = text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((name) => name !== '');
  const unknown = names.find((name) => !METRICS.includes(name as Metric));
  if (names.length === 0 || unknown !== undefined)
    throw new InvalidArgumentError(`Expected some of ${METRICS.join(', ')}, with commas between them.`);
  return names as Metric[];
}

function describe(result: EvaluationResult): string {
  const lines = [`images     ${result.images}, compared with ${result.reference || 'the statistics of a file'}`];
  const digits = { psnr: 2, ssim: 4, lpips: 4 };
  for (const [metric, places] of Object.entries(digits) as ['psnr', number][]) {
    const value = result[metric];
    if (!value) continue;
    const unit = metric === 'psnr' ? ' dB' : '';
    lines.push(
      `${metric.toUpperCase().padEnd(11)}${value.mean.toFixed(places)}${unit}  ± ${value.std.toFixed(places)}`,
    );
  }
  if (result.fid !== undefined) lines.push(`FID        ${result.fid.toFixed(4)}`);
  lines.push('', ...Object.entries(result.protocol).map(([metric, how]) => `${metric.toUpperCase().padEnd(11)}${how}`));
  return lines.join('\n');
}
