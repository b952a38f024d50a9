/** Line charts of losses: axes with ticks and names, one panel under the other. */
import { rasterize, svgPage, svgText } from './svg';

export interface Series {
  name: string;
  /** Points in order of x. Points that are not finite are left out. */
  points: readonly (readonly [x: number, y: number])[];
}

export interface Panel {
  title: string;
  xLabel: string;
  yLabel: string;
  /** Logarithmic y axis; values must be positive then. Default false. */
  logarithmic?: boolean;
  series: readonly Series[];
}

const COLOURS = ['#1f6fb4', '#d95f02', '#2a9d5c', '#a0449a', '#666666'];
const FRAME = { left: 90, right: 24, top: 44, bottom: 56 };

/** Draws the panels as PNG. */
export function lineChart(panels: readonly Panel[], size = { width: 900, height: 380 }): Buffer {
  return rasterize(lineChartSvg(panels, size));
}

/** The same as an SVG file. */
export function lineChartSvg(panels: readonly Panel[], size = { width: 900, height: 380 }): string {
  const elements = panels.flatMap((panel, i) => drawPanel(panel, i * size.height, size));
  return svgPage(size.width, size.height * panels.length, elements);
}

function drawPanel(panel: Panel, top: number, size: { width: number; height: number }): string[] {
  const usable = panel.series.map((s) => ({
    ...s,
    points: s.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y) && (!panel.logarithmic || y > 0)),
  }));
  const all = usable.flatMap((s) => s.points);
  const xs = rangeOf(all.map((p) => p[0]));
  const ys = rangeOf(all.map((p) => (panel.logarithmic ? Math.log10(p[1]) : p[1])));
  const box = {
    x0: FRAME.left,
    x1: size.width - FRAME.right,
    y0: top + FRAME.top,
    y1: top + size.height - FRAME.bottom,
  };
  const px = (x: number) => box.x0 + ((x - xs[0]) / (xs[1] - xs[0])) * (box.x1 - box.x0);
  const py = (y: number) => {
    const v = panel.logarithmic ? Math.log10(y) : y;
    return box.y1 - ((v - ys[0]) / (ys[1] - ys[0])) * (box.y1 - box.y0);
  };
  const xTicks = ticks(xs);
  const yTicks = panel.logarithmic ? logTicks(ys) : ticks(ys);
  const line = (x1: number, y1: number, x2: number, y2: number, stroke: string) =>
    `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${stroke}"/>`;
  return [
    svgText(box.x0, top + 26, panel.title, { size: 15, bold: true }),
    ...xTicks.map((t) => line(px(t), box.y0, px(t), box.y1, '#eee')),
    ...yTicks.map((t) => line(box.x0, py(t), box.x1, py(t), '#eee')),
    line(box.x0, box.y1, box.x1, box.y1, '#444'),
    line(box.x0, box.y0, box.x0, box.y1, '#444'),
    ...xTicks.map((t) => svgText(px(t), box.y1 + 18, number(t), { size: 11, anchor: 'middle' })),
    ...yTicks.map((t) => svgText(box.x0 - 8, py(t) + 4, number(t), { size: 11, anchor: 'end' })),
    svgText((box.x0 + box.x1) / 2, box.y1 + 40, panel.xLabel, { size: 12, anchor: 'middle' }),
    svgText(22, (box.y0 + box.y1) / 2, panel.yLabel, { size: 12, anchor: 'middle', rotate: -90 }),
    ...usable.map((s, i) => {
      const points = s.points.map(([x, y]) => `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(' ');
      return `<polyline points="${points}" fill="none" stroke="${colourOf(i)}" stroke-width="1.6" stroke-linejoin="round"/>`;
    }),
    ...legend(
      usable,
      box,
      usable.flatMap((s) => s.points.map(([x, y]) => [px(x), py(y)] as const)),
    ),
  ];
}

function colourOf(series: number): string {
  return COLOURS[series % COLOURS.length];
}

interface Box {
  x0: number;
  x1: number;
  y0: number;
  y1: number;
}

/** Names of the series in the corner where the fewest points lie, on a ground that lets a curve behind it shine through. */
function legend(series: readonly Series[], box: Box, points: readonly (readonly [x: number, y: number])[]): string[] {
  const width = 44 + Math.max(0, ...series.map((s) => s.name.length)) * 7.3;
  const height = series.length * 18 + 6;
  const corners = [box.y0, box.y1 - height - 8].flatMap((top) =>
    [box.x1 - width - 4, box.x0 + 4].map((left) => ({ left, top })),
  );
  const covered = ({ left, top }: { left: number; top: number }) =>
    points.filter(([x, y]) => x >= left && x <= left + width && y >= top && y <= top + height + 8).length;
  const [{ left, top }] = corners.map((corner) => ({ ...corner, n: covered(corner) })).sort((p, q) => p.n - q.n);
  return [
    `<rect x="${left.toFixed(1)}" y="${top + 4}" width="${width.toFixed(1)}" height="${height}" fill="#fff" fill-opacity="0.8"/>`,
    ...series.flatMap((s, i) => {
      const y = top + 20 + i * 18;
      return [
        `<line x1="${(left + 8).toFixed(1)}" y1="${y - 4}" x2="${(left + 30).toFixed(1)}" y2="${y - 4}" stroke="${colourOf(i)}" stroke-width="2"/>`,
        svgText(left + 36, y, s.name, { size: 12 }),
      ];
    }),
  ];
}

function rangeOf(values: readonly number[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const v of values) [low, high] = [Math.min(low, v), Math.max(high, v)];
  if (low > high) return [0, 1];
  if (low === high) return [low - 0.5, high + 0.5];
  return [low, high];
}

/** About six round numbers (1, 2 or 5 times a power of ten) within the range. */
function ticks([low, high]: readonly [number, number]): number[] {
  const rough = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough)!;
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** 1, 2 and 5 times the powers of ten within a range of logarithms. */
function logTicks([low, high]: readonly [number, number]): number[] {
  const found: number[] = [];
  for (let p = Math.floor(low); p <= Math.ceil(high); p++)
    for (const m of high - low > 3 ? [1] : [1, 2, 5]) {
      const log = p + Math.log10(m);
      if (log >= low && log <= high) found.push(m * 10 ** p);
    }
  return found;
}

function number(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(0) : String(Number(value.toPrecision(4)));
}
