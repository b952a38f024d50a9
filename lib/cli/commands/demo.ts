/**
 * `ldm demo`: draws texts with the bundled model; with `--train` it trains a small autoencoder and a small diffusion model on
 * emoji, and draws with them.
 */
import path from 'node:path';
import type { Command } from 'commander';
import { drawBundledSamples } from '../../demo/bundled-samples';
import { type DemoPhase, type DemoResult, runDemo } from '../../demo/demo';
import { DEMO_SAMPLING } from '../../demo/samples';
import { type CommandDefinition, outputOf } from '../command';
import { EXIT, UsageError } from '../errors';
import { addExamples } from '../examples';
import { interruptible } from '../interrupt';
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
    addExamples(command, [
      ['ldm demo', 'a grid of pictures by the bundled model, in half a minute'],
      ['ldm demo --prompt "red heart" "avatar, blue curly hair, sunglasses"', 'the same for texts of your own'],
      ['ldm demo --train', 'train two small models in six minutes and look at their pictures'],
    ]);
    command
      .option('--prompt <text...>', 'what to draw in place of the list of the demo')
      .option('--train', 'train small models of its own on emoji first, and draw with them')
      .option('--minutes <x>', 'with --train: time for everything (default: 5.5)', numberWithin(0.05))
      .option('--seed <n>', 'seed', integerFrom(0), 23)
      .option('--out <dir>', 'folder for pictures and checkpoints', 'out')
      .option('--device <device>', 'cpu, cuda or cuda:N', 'cpu')
      .action(async ({ minutes, ...common }: DemoFlags) => {
        const output = outputOf(command);
        if (!common.train && minutes !== undefined) throw new UsageError('--minutes is for --train: add it.');
        if (common.train && common.prompt)
          throw new UsageError('--prompt is for the bundled model: what --train trains knows classes, no texts.');
        if (!common.train) return drawWithBundledModel(common, output);
        const flags = { ...common, minutes: minutes ?? 5.5 };
        const result = await withTrainingSignals(output, (watch) => run(flags, output, watch));
        if (result === null) process.exitCode = EXIT.interrupted;
        else report(result, flags, output);
      });
  },
};

interface DemoFlags {
  prompt?: string[];
  train?: boolean;
  minutes?: number;
  seed: number;
  out: string;
  device: string;
}

async function drawWithBundledModel({ prompt, seed, out, device }: DemoFlags, output: Output): Promise<void> {
  const started = performance.now();
  const samples = path.join(out, 'samples.png');
  const progress = new Progress(output, { label: 'drawing' });
  const pictures = await interruptible((signal) =>
    drawBundledSamples(samples, {
      prompts: prompt,
      seed,
      device,
      signal,
      onProgress: (step, total) => progress.update(step, {}, total),
    }),
  );
  progress.end();
  const seconds = (performance.now() - started) / 1000;
  const next = {
    web: `${thisProgram()} serve`,
    draw: `${thisProgram()} txt2img --prompt "cat face" --outdir ${path.join(out, 'texts')}`,
    train: `${thisProgram()} demo --train --out ${out}`,
    own: `${thisProgram()} init DIR`,
  };
  output.result({ samples, pictures, seconds, next }, () =>
    [
      `samples:               ${samples} (${pictures} pictures in ${seconds.toFixed(1)} s)`,
      `In a browser:          ${next.web}`,
      `A text of your own:    ${next.draw}`,
      `Train one here:        ${next.train} (6 minutes)`,
      `Train on your images:  ${next.own}`,
    ].join('\n'),
  );
}

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
