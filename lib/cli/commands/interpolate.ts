/** `ldm interpolate`: the pictures between two seeds, texts or classes. */
import path from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { bundledModel } from '../../models/bundled-model';
import { animation } from '../../pictures/animation';
import { writeFileAtomic } from '../../pictures/picture';
import { Generator } from '../../random';
import { classCountOf, type Guide, interpolateImages, latentShape, trainedSize } from '../../sampling/pipelines';
import { unconditionalLabel } from '../../serve/describe-model';
import { Tensor } from '../../tensor';
import { chooseClasses, classNames } from '../class-names';
import { type CommandDefinition, outputOf } from '../command';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { interruptible } from '../interrupt';
import { addRunOptions, type ModelFlags, type OpenedModel, openModel, withWeights } from '../model-options';
import { saveGrid, savePicture, takePictures } from '../picture-files';
import { Progress } from '../progress';
import { integerFrom, numberWithin } from '../values';

interface InterpolateFlags extends ModelFlags {
  seeds?: [number, number];
  prompt?: string[];
  class?: string[];
  negative_prompt: string;
  frames: number;
  steps: number;
  scale?: number;
  sampler: 'ddim' | 'plms';
  H?: number;
  W?: number;
  out: string;
  format: 'gif' | 'webp';
  duration: number;
}

export const interpolate: CommandDefinition = {
  configure(command: Command) {
    command
      .argument('[model]', 'log folder, config or checkpoint of a diffusion model (default: the bundled one)')
      .option('--ckpt <file>', 'checkpoint (default: of the log folder, or beside the config)')
      .option('--seeds <a,b>', 'seeds of the noise at both ends (default: --seed and the next one)', seedPair)
      .option('--prompt <text...>', 'one text, or the texts of both ends')
      .option('--class <name...>', 'one class, or the classes of both ends')
      .option('--negative_prompt <text>', 'what guidance leads away from', '')
      .option('-n, --frames <n>', 'pictures, both ends included', integerFrom(2), 9)
      .option('-c, --steps <n>', 'steps of the sampler', integerFrom(1), 50)
      .option('--scale <x>', 'guidance, 1 is none (default: 5 with texts, else 1)', numberWithin(0))
      .addOption(new Option('--sampler <name>', 'both are deterministic').choices(['ddim', 'plms']).default('ddim'))
      .option('--H <pixels>', "height (default: the model's)", integerFrom(1))
      .option('--W <pixels>', "width (default: the model's)", integerFrom(1))
      .option('-o, --out <dir>', 'folder for the pictures', 'out/interpolation')
      .addOption(new Option('--format <name>', 'of the animation').choices(['gif', 'webp']).default('gif'))
      .option('--duration <ms>', 'how long the animation shows each picture', integerFrom(10), 120);
    addRunOptions(command, 23);
    addExamples(command, [
      ['ldm interpolate --prompt "a red apple" "a green pear" --frames 12', 'two texts: frames, a strip, a GIF'],
      [
        'ldm interpolate logs/2026-01-31T12-00-00_flowers --class rose --seeds 1,2 --format webp',
        'two seeds of a class',
      ],
    ]);
    command.action(async (source: string | undefined, flags: InterpolateFlags) => {
      const output = outputOf(command);
      await interruptible(async (signal) => {
        const opened = await openModel(source ?? bundledModel(), flags);
        try {
          const progress = new Progress(output, { label: 'sampling', total: flags.steps });
          const onProgress = ({ step, total }: { step: number; total: number }) => progress.update(step, {}, total);
          const result = await withWeights(opened, () => draw(opened, flags, { signal, onProgress }));
          progress.end();
          output.result(result, () => [...result.images, result.strip, result.animation].join('\n'));
        } finally {
          opened.model.dispose();
        }
      });
    });
  },
};

async function draw(
  opened: OpenedModel,
  flags: InterpolateFlags,
  run: Pick<Parameters<typeof interpolateImages>[1], 'signal' | 'onProgress'>,
): Promise<{ images: string[]; strip: string; animation: string; settings: object }> {
  const { model, precision } = opened;
  const { frames, sampler, out } = flags;
  const ends = guides(opened, flags);
  const trained = trainedSize(model);
  const size = { height: flags.H ?? trained.height, width: flags.W ?? trained.width };
  const shape = latentShape(model, size);
  const seeds = flags.seeds ?? [flags.seed, flags.seed + 1];
  const noise = (seed: number) => {
    using random = new Generator(seed, model.device);
    return Tensor.randn([1, ...shape], { random, device: model.device });
  };
  using a = noise(seeds[0]);
  using b = noise(seeds[1]);
  const steps = Math.min(flags.steps, model.numTimesteps);
  const pictures = await takePictures(
    await interpolateImages(model, {
      ...{ ...run, precision, frames, sampler, steps, ...size },
      from: { guide: ends[0], xT: a },
      to: { guide: ends[1], xT: b },
    }),
  );
  const settings = {
    checkpoint: opened.checkpoint,
    global_step: opened.globalStep,
    ...{ sampler, steps, seeds, frames, ema: opened.ema, from: ends[0], to: ends[1], ...size },
  };
  const images: string[] = [];
  for (let i = 0; i < frames; i++) {
    const file = path.join(out, `${String(i).padStart(4, '0')}.png`);
    await savePicture(file, pictures, i, { ...settings, position: i / (frames - 1) });
    images.push(file);
  }
  const strip = path.join(out, 'strip.png');
  await saveGrid(strip, [pictures], frames, settings);
  const moving = path.join(out, `animation.${flags.format}`);
  writeFileAtomic(moving, await animation(pictures, { format: flags.format, milliseconds: flags.duration }));
  return { images, strip, animation: moving, settings };
}

/** What guides both ends, by what the model is conditioned on. */
function guides(opened: OpenedModel, flags: InterpolateFlags): [Guide, Guide] {
  const { model, classNames: trained } = opened;
  const pair = <T>(name: string, values: readonly T[] | undefined): [T, T] | undefined => {
    if (values === undefined) return undefined;
    if (values.length > 2) throw new UsageError(`Give --${name} one value, or one for each end.`);
    return [values[0], values[values.length - 1]];
  };
  const prompts = pair('prompt', flags.prompt);
  const words = pair('class', flags.class);
  const count = classCountOf(model);
  if (words && count === null) throw new UsageError('This model has no classes: leave --class out.');
  if (count !== null && !words) throw new UsageError('This model draws classes: choose one or two with --class.');
  const labels = words && chooseClasses(words, classNames(trained, count!), count!).map(({ label }) => label);
  const scale = flags.scale ?? (prompts ? 5 : 1);
  return [0, 1].map((i) => ({
    ...(prompts ? { prompt: prompts[i], negativePrompt: flags.negative_prompt } : {}),
    ...(labels ? { label: labels[i], unconditionalLabel: unconditionalLabel(model, trained) } : {}),
    scale,
  })) as [Guide, Guide];
}

function seedPair(text: string): [number, number] {
  const parts = /^(\d+)\s*,\s*(\d+)$/.exec(text);
  if (!parts) throw new InvalidArgumentError('Expected two integers with a comma between them, such as 1,2.');
  return [Number(parts[1]), Number(parts[2])];
}
