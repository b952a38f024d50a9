/** The distribution of a first stage's latents as a chart, beside the normal distribution that diffusion ends in. */
import type { Panel } from '../pictures/line-chart';
import type { LatentStatistics } from './latent-sidecar';

/** How far the chart goes, in standard deviations. */
const SPAN = 5;

/** The histogram of the latents after scaling, and one line for each of up to eight channels' normal distribution. */
export function latentPanels(found: LatentStatistics): Panel[] {
  const { histogram, mean, std, scale_factor, elements, channel_mean, channel_std } = found;
  const { from, to, counts } = histogram;
  const width = ((to - from) / counts.length) * scale_factor;
  const scaled = counts.map((count, i) => [from * scale_factor + (i + 0.5) * width, count / elements / width] as const);
  const inside = scaled.filter(([x]) => Math.abs(x - mean * scale_factor) <= SPAN);
  const xs = Array.from({ length: 121 }, (_, i) => mean * scale_factor + ((i - 60) / 60) * SPAN);
  const normal = (centre: number, sigma: number) =>
    xs.map((x) => [x, Math.exp(-(((x - centre) / sigma) ** 2) / 2) / (sigma * Math.sqrt(2 * Math.PI))] as const);
  const panels: Panel[] = [
    {
      title: `Latents of ${found.images} images, times 1 / std = ${scale_factor.toPrecision(4)}`,
      xLabel: 'scaled latent',
      yLabel: 'density',
      series: [
        { name: 'latents', points: inside },
        { name: 'standard normal: what diffusion ends in', points: normal(0, 1) },
      ],
    },
  ];
  if (channel_mean.length <= 8)
    panels.push({
      title: 'Channels: normal distributions of their means and deviations',
      xLabel: 'scaled latent',
      yLabel: 'density',
      series: channel_mean.map((centre, c) => ({
        name: `channel ${c}: ${centre.toPrecision(3)} ± ${channel_std[c].toPrecision(3)}`,
        points: normal(centre * scale_factor, Math.max(channel_std[c], std * 1e-3) * scale_factor),
      })),
    });
  return panels;
}
