/** Colours for people: only on a terminal, and never against NO_COLOR (https://no-color.org). */
import { styleText } from 'node:util';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
export type Painter = (style: Style, text: string) => string;

/** Whether a stream may be coloured. FORCE_COLOR wins over a missing terminal, NO_COLOR over everything. */
export function mayColor(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR && env.FORCE_COLOR !== '0') return true;
  return stream.isTTY === true && env.TERM !== 'dumb';
}

/** A function that colours text for a stream, or leaves it. */
export function painter(stream: { isTTY?: boolean }, env?: NodeJS.ProcessEnv): Painter {
  const color = mayColor(stream, env);
  return (style, text) => (color ? styleText(style, text) : text);
}
