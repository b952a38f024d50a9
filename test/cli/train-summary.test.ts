import { summaryLines } from '../../lib/cli/train-summary';
import type { FitResult } from '../../lib/training/trainer-options';

const lines = (metrics: Record<string, number>) =>
  summaryLines({
    result: { globalStep: 20, epoch: 1, skippedSteps: 0 } as FitResult,
    totals: { seconds: 10, images: 40, images_per_second: 4, peak_memory: 2e8 },
    metrics,
    checkpoint: 'logs/last.ckpt',
    curves: null,
  });

test('the summary shows the terms that say most, in one order', () => {
  const [first, second, third] = lines({ 'train/disc_loss': 0.9, 'train/rec_loss': 0.25, 'train/logvar': 0 });
  expect(first).toContain('20 steps, epoch 1: 10s, 4.00 images/s');
  expect(second).toBe('train/rec_loss 0.2500, train/disc_loss 0.9000');
  expect(third).toBe('checkpoint: logs/last.ckpt');
});

test('a discriminator that is off is not shown as one without losses', () => {
  expect(lines({ 'train/rec_loss': 0.25, 'train/disc_loss': 0 })[1]).toBe('train/rec_loss 0.2500');
});
