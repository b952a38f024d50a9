/** Charts as files: the ending decides on the format. */
import { InvalidArgumentError } from 'commander';
import { lineChartSvg, type Panel } from '../pictures/line-chart';
import { writeFileAtomic } from '../pictures/picture';
import { rasterize } from '../pictures/svg';

/** The value of an option that names a chart. */
export function chartFile(text: string): string {
  if (/\.(png|svg)$/i.test(text)) return text;
  throw new InvalidArgumentError('Expected a file ending in .png or .svg.');
}

/** Draws the panels into a file that {@link chartFile} accepts. */
export function writeChart(file: string, panels: readonly Panel[]): void {
  const svg = lineChartSvg(panels);
  writeFileAtomic(file, /\.svg$/i.test(file) ? `${svg}\n` : rasterize(svg));
}
