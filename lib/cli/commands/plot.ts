/** `ldm plot`: pictures that explain the method, with the numbers of this library. */
import { Argument, type Command, InvalidArgumentError } from 'commander';
import { cropImage, decodeImage } from '../../data/image';
import { DataRandom } from '../../data/random';
import { loadModel } from '../../models/load-model';
import type { Panel } from '../../pictures/line-chart';
import { writeFileAtomic } from '../../pictures/picture';
import { boundPanels, drawJourney, ganPanels, schedulePanels, trainingPanels } from '../../plots';
import { Tensor } from '../../tensor';
import { imageSizeOf } from '../../training/training-run';
import { chartFile, writeChart } from '../chart-file';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { interruptible } from '../interrupt';
import { integerFrom } from '../values';

interface PlotFlags {
  out?: string;
  timesteps: number;
  linear_start: number;
  linear_end: number;
  model?: string;
  ckpt?: string;
  device: string;
  prompt: string;
  class?: number;
  scale: number;
  ddim_steps: number;
  seed: number;
}

const betaFrom = (text: string): number => {
  const value = Number(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError('Expected a number between 0 and 1.');
};

/** A chart of each name; the source is what follows the name. */
const CHARTS: Record<string, (flags: PlotFlags, source: string | undefined) => Promise<Panel[]>> = {
  schedules: (flags) => schedulePanels(scheduleOptions(flags)),
  bound: (flags) => boundPanels(scheduleOptions(flags)),
  gan: () => ganPanels(),
  losses: async (_flags, source) => {
    if (!source) throw new UsageError('Give the log folder of a training: ldm plot losses LOGFOLDER');
    return trainingPanels(source);
  },
};

const scheduleOptions = (flags: PlotFlags) => ({
  timesteps: flags.timesteps,
  linearStart: flags.linear_start,
  linearEnd: flags.linear_end,
});

export const plot: CommandDefinition = {
  configure(command: Command) {
    command
      .addArgument(
        new Argument(
          '<what>',
          'schedules: the four noise schedules; bound: the variational weights of the timesteps; gan: hinge and vanilla loss; ' +
            "losses: a training's loss terms and adaptive weight; steps: what encode, diffuse, denoise and decode do to a picture",
        ).choices([...Object.keys(CHARTS), 'steps']),
      )
      .argument('[source]', 'losses: a log folder; steps: a picture')
      .option('--out <file>', '.png or .svg (steps: .png) (default: out/plots/WHAT.png)', chartFile)
      .option('--timesteps <n>', 'schedules, bound: length of the chain', integerFrom(2), 1000)
      .option('--linear_start <beta>', 'schedules, bound: first beta', betaFrom, 0.0015)
      .option('--linear_end <beta>', 'schedules, bound: last beta', betaFrom, 0.0195)
      .option('-m, --model <path>', 'steps: log folder or config of a latent diffusion model')
      .option('--ckpt <file>', "steps: checkpoint (default: the log folder's, or model.ckpt beside the config)")
      .option('--device <device>', 'steps: cpu, cuda or cuda:N', 'cpu')
      .option('--prompt <text>', 'steps: what the picture shows, for models of texts', '')
      .option('--class <n>', 'steps: number of the class, for models of classes', integerFrom(0))
      .option('--scale <x>', 'steps: guidance, for models of texts', Number, 1)
      .option('--ddim_steps <n>', 'steps: steps of DDIM from pure noise', integerFrom(1), 50)
      .option('--seed <n>', 'steps: seed of the noise', integerFrom(0), 1);
    addExamples(command, [
      ['ldm plot schedules', 'the four noise schedules as a chart'],
      ['ldm plot bound --out bound.svg', 'the variational weights, as a vector drawing'],
      ['ldm plot losses logs/2026-01-31T12-00-00_kl', 'the loss terms and the adaptive weight of a training'],
      ['ldm plot steps cat.png -m logs/2026-01-31T12-00-00_ldm', 'what a model does to a picture'],
    ]);
    command.action(async (what: string, source: string | undefined, flags: PlotFlags) => {
      const output = outputOf(command);
      const file = flags.out ?? `out/plots/${what}.png`;
      const panels = CHARTS[what] && (await CHARTS[what](flags, source));
      if (panels) writeChart(file, panels);
      else await interruptible((signal) => drawSteps(file, source, flags, signal));
      output.result({ file, ...(panels ? { panels } : {}) }, () => file);
    });
  },
};

async function drawSteps(
  file: string,
  image: string | undefined,
  flags: PlotFlags,
  signal: AbortSignal,
): Promise<void> {
  if (!image || !flags.model) throw new UsageError('Give a picture and a model: ldm plot steps IMAGE --model FOLDER');
  if (!/\.png$/i.test(file)) throw new UsageError('This table of pictures is a .png file: change --out');
  const loaded = await loadModel(flags.model, { checkpoint: flags.ckpt, device: flags.device });
  try {
    const size = imageSizeOf(loaded.config.get('model') as never);
    const decoded = await decodeImage(image, { size, interpolation: 'cubic', background: 'white' });
    const pixels = cropImage(decoded, { size, random_crop: false, flip_p: 0 }, new DataRandom(0));
    using x = Tensor.from(pixels, [1, size, size, 3]).permute(0, 3, 1, 2).to({ device: loaded.model.device });
    const guide = { prompt: flags.prompt, label: flags.class, scale: flags.scale };
    const options = { image: x, guide, steps: flags.ddim_steps, seed: flags.seed, signal };
    writeFileAtomic(file, await drawJourney(loaded, options));
  } finally {
    loaded.model.dispose();
  }
}
