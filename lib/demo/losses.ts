/** The demo's loss curves. */
import { lineChart } from '../pictures/line-chart';
import { writeFileAtomic } from '../pictures/picture';
import { metricCurve } from '../plots';

/** Draws both trainings' losses. The options are their log folders. */
export function drawLosses(file: string, options: { autoencoder: string; diffusion: string }): void {
  const chart = lineChart([
    {
      title: 'KL-VAE: reconstruction (mean absolute error of pixels in [-1, 1])',
      xLabel: 'optimizer step',
      yLabel: 'rec_loss',
      logarithmic: true,
      series: [{ name: 'train/rec_loss', points: metricCurve(options.autoencoder, 'train/rec_loss') }],
    },
    {
      title: 'Latent diffusion: error of the predicted noise (mean squared)',
      xLabel: 'optimizer step',
      yLabel: 'loss_simple',
      logarithmic: true,
      series: [{ name: 'train/loss_simple', points: metricCurve(options.diffusion, 'train/loss_simple') }],
    },
  ]);
  writeFileAtomic(file, chart);
}
