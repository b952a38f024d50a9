import fs from 'node:fs';
import { native } from '../../lib/native';
import { TrainingRun } from '../../lib/training/training-run';
import { temporary, tinyAutoencoder, tinyImages } from './tiny';

it('leaves memory flat: handles and resident size after 20 steps are those after 100', async () => {
  const images = await tinyImages();
  const logdir = temporary();
  const seen: { step: number; tensors: number; objects: number; rss: number }[] = [];
  try {
    using run = await TrainingRun.prepare({
      base: tinyAutoencoder(images.root, {
        callbacks: { image_logger: { params: { disabled: true } } },
        modelcheckpoint: { params: { every_n_epochs: 5, save_top_k: 0 } },
      }),
      logdir,
      maxSteps: 100,
      onProgress: ({ step }) => {
        const { tensors, objects, rss } = native().memoryUsage();
        if (step === 20 || step === 100) seen.push({ step, tensors, objects, rss });
      },
    });
    await run.fit();
    const [early, late] = seen;
    // A few batches are decoded ahead, more or less.
    expect(late.tensors - early.tensors).toBeLessThan(10);
    expect(late.objects - early.objects).toBeLessThan(2);
    expect((late.rss - early.rss) / 2 ** 20).toBeLessThan(60);
  } finally {
    images.remove();
    fs.rmSync(logdir, { recursive: true });
  }
});
