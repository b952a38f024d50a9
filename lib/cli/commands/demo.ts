/** `ldm demo`: trains a small autoencoder and a small diffusion model on emoji, and draws with them. */
import path from 'node:path';
import type { Command } from 'commander';
import { type DemoPhase, type DemoResult, runDemo } from '../../demo/demo';
import { DEMO_SAMPLING } from '../../demo/samples';
import { type CommandDefinition, outputOf } from '../command';
import { EXIT } from '../errors';
import { addExamples } from '../examples';
import type { Output } from '../output';
import { Progress } from '../progress';
import { TrainDisplay } from '../train-progress';
import { withTrainingSignals } from '../training-signals';
import { integerFrom, numberWithin } from '../values';

const TITLES: Record<DemoPhase, string> = {
  autoencoder: '1 of 3: autoencoder',
  diffusion: '2 of 3: diffusion model',
  sampling: '3 of 3: sampling',
};

export const demo: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [['ldm demo', 'see for oneself']]);
    command
      .option('--minutes <x>', 'time for everything', numberWithin(0.05), 5.5)
      .option('--seed <n>', 'seed', integerFrom(0), 23)
      .option('--out <dir>', 'folder for pictures and checkpoints', 'out')
      .option('--device <device>', 'cpu, cuda or cuda:N', 'cpu')
      .action(async (flags: { minutes: number; seed: number; out: string; device: string }) => {
        const output = outputOf(command);
        const result = await withTrainingSignals(output, (watch) => run(flags, output, watch));
        if (result === null) process.exitCode = EXIT.interrupted;
        else report(result, flags, output);
      });
  },
};

async function run(
  flags: { minutes: number; seed: number; out: string; device: string },
  output: Output,
  watch: Parameters<Parameters<typeof withTrainingSignals>[1]>[0],
): Promise<DemoResult | null> {
  output.note(`A KL-VAE and a latent diffusion model learn to draw emoji; this takes about ${flags.minutes} minutes.`);
  let display: TrainDisplay | undefined;
  let sampling: Progress | undefined;
  const result = await runDemo({
    ...flags,
    onTraining: (phase, training) => {
      watch(training?.trainer);
      display?.end();
      display = training && new TrainDisplay(output, { label: TITLES[phase], images: training.imagesPerStep });
    },
    onProgress: (_, progress) => display?.update(progress),
    onSampling: (done, total) => {
      // Only now: its rate counts from when it begins.
      sampling ??= new Progress(output, { label: TITLES.sampling });
      sampling.update(done, {}, total);
    },
  });
  sampling?.end();
  return result;
}

function report(result: DemoResult, flags: { minutes: number; seed: number; out: string }, output: Output): void {
  const next = `${thisProgram()} sample ${result.diffusion} --class heart face -n 16 --eta ${DEMO_SAMPLING.eta} --scale ${DEMO_SAMPLING.scale} --seed 1 --out ${path.join(flags.out, 'more')}`;
  output.result({ ...result, next }, () =>
    [
      `samples:          ${result.samples}`,
      `reconstructions:  ${result.reconstructions} (${result.psnr.toFixed(1)} dB)`,
      `losses:           ${result.losses}`,
      `autoencoder:      ${result.autoencoder} (${result.steps.autoencoder} steps)`,
      `diffusion model:  ${result.diffusion} (${result.steps.diffusion} steps)`,
      `Draw more with:   ${next}`,
    ].join('\n'),
  );
}

/** How the user called this program: in a clone by its path, else through npx. */
function thisProgram(): string {
  const script = path.relative(process.cwd(), process.argv[1] ?? '');
  return script === path.join('bin', 'ldm.js') ? `node ${script}` : 'npx ldm';
}
