/**
 * Trains a small KL autoencoder on a folder of images, as `ldm init` and `ldm train` do, and tells the losses.
 *
 *     npx tsx examples/train-on-a-folder.ts FOLDER [--steps N] [--logdir DIR]
 *
 * Ctrl-C ends it; the checkpoint is written in any case. `ldm train -t -r LOG_FOLDER` would go on with it.
 */
import { parseArgs } from 'node:util';
import { initConfigs, TrainingRun } from 'node-ldm';

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { steps: { type: 'string', default: '200' }, logdir: { type: 'string', default: 'logs' } },
  });
  const [folder] = positionals;
  if (!folder) throw new Error('Give a folder of images.');

  // A config that fits the images and this machine; a file of your own does as well: base: ['my.yaml'].
  const configs = { out: `${values.logdir}/configs`, logdir: values.logdir, force: true };
  const { autoencoder } = await initConfigs(folder, configs);

  using training = await TrainingRun.prepare({
    base: [autoencoder],
    name: 'example',
    logdir: values.logdir,
    maxSteps: Number(values.steps),
    onProgress: ({ step, loss, imagesPerSecond }) =>
      console.log(`step ${step}: ${loss?.name} ${loss?.value.toFixed(3)}, ${imagesPerSecond.toFixed(1)} images/s`),
  });
  console.log(training.description);
  process.once('SIGINT', () => training.trainer.interrupt());

  const { reason, globalStep } = await training.fit();
  training.finish();
  console.log(`${reason} after ${globalStep} steps: ${training.folder.checkpoints}/last.ckpt`);
}

main();
