/** A pass over a data set without training: validation and test. */
import { disposeBatch, type ImageBatch } from '../data/collate';
import type { DataLoader } from '../data/data-loader';
import { MeanMetrics, type Metrics } from './metrics';

export interface EvaluationSteps {
  /** Whether to leave the rest out. */
  isOver(): boolean;
  run(batch: ImageBatch, batchIdx: number): Promise<Metrics>;
  afterBatch(batch: ImageBatch, batchIdx: number): Promise<void>;
}

/**
 * The means of what the batches give, weighted by their sizes.
 * @param limit batches at most
 */
export async function evaluate(loader: DataLoader, limit: number, steps: EvaluationSteps): Promise<Metrics> {
  const mean = new MeanMetrics();
  let batchIdx = 0;
  if (limit === 0) return {};
  for await (const { batch, size } of loader.batches(0)) {
    try {
      mean.add(await steps.run(batch, batchIdx), size);
      await steps.afterBatch(batch, batchIdx);
    } finally {
      disposeBatch(batch);
    }
    if (++batchIdx >= limit || steps.isOver()) break;
  }
  return mean.values;
}
