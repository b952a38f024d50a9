/** The demo's picture of originals over reconstructions. */
import { resolveNode } from '../config';
import { disposeBatch, openDataset } from '../data';
import { DataLoader } from '../data/data-loader';
import type { AutoencoderKL } from '../models/autoencoder-kl';
import { loadModel } from '../models/load-model';
import { labelledGrid } from '../pictures/labelled-grid';
import { type Pictures, picturesOf, writeFileAtomic } from '../pictures/picture';
import { psnr } from '../pictures/psnr';

/** Pictures in a row, and pairs of rows. */
const COLUMNS = 12;
const PAIRS = 2;

/**
 * Draws images of the training data over what the autoencoder makes of them.
 * @param options.source log folder of an AutoencoderKL
 * @returns the mean PSNR in dB of the pictures shown
 */
export async function drawReconstructions(file: string, options: { source: string; device?: string }): Promise<number> {
  const { model, config, globalStep } = await loadModel(options.source, { device: options.device });
  try {
    const params = resolveNode(config.get('data'), 'data module').params;
    const dataset = openDataset(params.train as ReturnType<typeof resolveNode>);
    const rows = [];
    let sum = 0;
    for await (const { batch, last } of new DataLoader(dataset, { batchSize: COLUMNS, shuffle: true, seed: 1 }).batches(
      0,
    )) {
      const x = batch.image.permute(0, 3, 1, 2);
      const posterior = await (model as AutoencoderKL).encode(x);
      const reconstruction = await (model as AutoencoderKL).decode(await posterior.mode());
      const pair: [Pictures, Pictures] = [await picturesOf(x), await picturesOf(reconstruction)];
      disposeBatch(batch);
      sum += psnr(...pair);
      rows.push({ label: 'original', pictures: pair[0] }, { label: 'reconstruction', pictures: pair[1] });
      if (last || rows.length === 2 * PAIRS) break;
    }
    const mean = (2 * sum) / rows.length;
    const title = 'Reconstructions of the KL-VAE';
    const subtitle = `${dataset.length} emoji, step ${globalStep}, ${mean.toFixed(1)} dB`;
    writeFileAtomic(file, await labelledGrid(rows, { title, subtitle, cell: 72 }));
    return mean;
  } finally {
    model.dispose();
  }
}
