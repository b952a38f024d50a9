/** A curve as SVG: lines with a value under the pointer. */
import { useRef, useState } from 'preact/hooks';
import { formatValue } from '../format';

export interface Curve {
  name: string;
  points: readonly (readonly [number, number])[];
}

const WIDTH = 480;
const HEIGHT = 200;
const MARGIN = { left: 58, right: 10, top: 10, bottom: 24 };

/** Round numbers between two values. */
function ticks(least: number, most: number, wanted: number): number[] {
  const rough = (most - least) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough)!;
  const first = Math.ceil(least / step);
  return Array.from({ length: Math.floor(most / step) - first + 1 }, (_, i) => (first + i) * step);
}

function rangeOf(values: readonly number[]): [number, number] {
  const least = Math.min(...values);
  const most = Math.max(...values);
  if (least === most) return [least - (Math.abs(least) || 1) / 2, most + (Math.abs(most) || 1) / 2];
  const room = (most - least) * 0.06;
  return [least - room, most + room];
}

export function Chart({ title, curves }: { title: string; curves: readonly Curve[] }) {
  const svg = useRef<SVGSVGElement>(null);
  const [at, setAt] = useState<number | null>(null);
  const points = curves.flatMap((curve) => curve.points);
  if (points.length === 0) return null;
  const [x0, x1] =
    points.length > 1
      ? [Math.min(...points.map(([x]) => x)), Math.max(...points.map(([x]) => x))]
      : [points[0][0] - 1, points[0][0] + 1];
  const [y0, y1] = rangeOf(points.map(([, y]) => y));
  const x = (value: number) => MARGIN.left + ((value - x0) / (x1 - x0 || 1)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value: number) =>
    HEIGHT - MARGIN.bottom - ((value - y0) / (y1 - y0)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const nearest = (curve: Curve, step: number) =>
    curve.points.reduce((best, point) => (Math.abs(point[0] - step) < Math.abs(best[0] - step) ? point : best));
  const last = curves.map((curve) => curve.points.at(-1)!);
  const shown = at === null ? last : curves.map((curve) => nearest(curve, at));
  return (
    <figure class="chart">
      <svg
        ref={svg}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`${title}: ${curves.map(({ name }, i) => `${name} ${formatValue(last[i][1])} at step ${last[i][0]}`).join(', ')}`}
        onPointerMove={(event) => {
          const box = svg.current!.getBoundingClientRect();
          const px = ((event.clientX - box.left) / box.width) * WIDTH;
          setAt(x0 + ((px - MARGIN.left) / (WIDTH - MARGIN.left - MARGIN.right)) * (x1 - x0));
        }}
        onPointerLeave={() => setAt(null)}
      >
        {ticks(y0, y1, 4).map((tick) => (
          <g key={tick}>
            <line class="grid" x1={MARGIN.left} x2={WIDTH - MARGIN.right} y1={y(tick)} y2={y(tick)} />
            <text x={MARGIN.left - 6} y={y(tick) + 4} text-anchor="end">
              {formatValue(tick)}
            </text>
          </g>
        ))}
        {ticks(x0, x1, 5)
          .filter(Number.isInteger)
          .map((tick) => (
            <text key={tick} x={x(tick)} y={HEIGHT - 6} text-anchor="middle">
              {tick}
            </text>
          ))}
        {curves.map((curve, i) => (
          <path
            key={curve.name}
            class={`line line-${i}`}
            d={curve.points
              .map(([px, py], k) => `${k === 0 ? 'M' : 'L'}${x(px).toFixed(1)} ${y(py).toFixed(1)}`)
              .join('')}
          />
        ))}
        {curves.map((curve, i) =>
          curve.points.length === 1 || at !== null ? (
            <circle key={curve.name} class={`dot line-${i}`} cx={x(shown[i][0])} cy={y(shown[i][1])} r="3" />
          ) : null,
        )}
      </svg>
      <figcaption>
        {curves.map((curve, i) => (
          <span key={curve.name} class={`key line-${i}`}>
            {curve.name} <strong>{formatValue(shown[i][1])}</strong>
            {at !== null && <small> at step {shown[i][0]}</small>}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}
