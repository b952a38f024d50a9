/**
 * What scripts/sample_diffusion.py leaves: LOGDIR/samples/STEP/TIME with img/sample_000000.png and so on, all samples as
 * numpy/NxHxWx3-samples.npz (the layout of ADM's evaluation), and sampling_config.yaml.
 *
 * Departures: the first picture is number 0 (the original's is -1), a last batch that is not full is drawn as well, and
 * models with classes are sampled, too, when a class is given.
 */
import fs from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { NpzSamples } from '../pictures/npz-samples';
import { writeFileAtomic } from '../pictures/picture';
import { classCountOf } from '../sampling/pipelines';
import { chooseClasses, classNames } from './class-names';
import { UsageError } from './errors';
import type { OpenedModel } from './model-options';
import type { Output } from './output';
import { savedBytes, savePicture } from './picture-files';
import { Progress } from './progress';
import { type SampleFlags, SampleRun, samplingOf } from './sample-run';

export async function writeSampleFolder(
  opened: OpenedModel,
  flags: SampleFlags & { resume: string },
  signal: AbortSignal,
  output: Output,
): Promise<void> {
  const { model, checkpoint, globalStep } = opened;
  const label = oneClass(opened, flags.class);
  const how = samplingOf(model, flags, opened.classNames);
  const number = flags.number ?? 50000;
  const batchSize = flags.batchSize ?? 10;
  const root = path.join(logFolder(flags), 'samples', String(globalStep ?? 0).padStart(8, '0'), timeStamp());
  const settings = { checkpoint, global_step: globalStep, ...how.settings, seed: flags.seed, ema: opened.ema };
  const config = {
    resume: flags.resume,
    n_samples: number,
    eta: how.settings.eta ?? null,
    vanilla_sample: flags.vanilla ?? false,
    logdir: flags.logdir ?? 'none',
    custom_steps: how.settings.steps ?? null,
    batch_size: batchSize,
    ...settings,
  };
  writeFileAtomic(path.join(root, 'sampling_config.yaml'), stringify(config));
  output.note(`logging to: ${root}`);

  const run = new SampleRun(opened, how, signal);
  const progress = new Progress(output, { label: 'sampling', total: 1 });
  const batches = Math.ceil(number / batchSize);
  const images: string[] = [];
  using npz = new NpzSamples(path.join(root, 'numpy'), number);
  for (let batch = 0; batch < batches; batch++) {
    const n = Math.min(batchSize, number - images.length);
    const pictures = await run.draw(n, label, (step, total) =>
      progress.update(batch * total + step, {}, batches * total),
    );
    for (let k = 0; k < n; k++) {
      const file = path.join(root, 'img', `sample_${String(images.length).padStart(6, '0')}.png`);
      await savePicture(file, pictures, k, { ...settings, index: images.length });
      await npz.add(savedBytes(pictures, k), pictures);
      images.push(file);
    }
  }
  progress.end();
  const samples = await npz.finish();
  output.result({ folder: root, images, samples, settings }, () => [path.join(root, 'img'), samples].join('\n'));
}

/** The folder of the resumed model, or one of its name under --logdir. */
function logFolder({ resume, logdir }: { resume: string; logdir?: string }): string {
  const folder = fs.statSync(resume).isDirectory() ? resume : path.dirname(resume);
  if (logdir === undefined || logdir === 'none') return folder;
  return path.join(logdir, path.basename(path.resolve(folder)));
}

function oneClass({ model, classNames: trained }: OpenedModel, wanted: readonly string[] | undefined): number | null {
  const count = classCountOf(model);
  if (count === null) {
    if (wanted) throw new UsageError('This model has no classes: leave --class out.');
    return null;
  }
  if (wanted?.length !== 1)
    throw new UsageError('This model has classes: with -r, choose one with --class (or several without -r).');
  return chooseClasses(wanted, classNames(trained, count), count)[0].label;
}

/** `2021-12-31-23-59-59` in local time. */
function timeStamp(date = new Date()): string {
  const two = (n: number) => String(n).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())];
  return [...day, two(date.getHours()), two(date.getMinutes()), two(date.getSeconds())].join('-');
}
