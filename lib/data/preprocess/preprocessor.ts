/**
 * What turns an image file into the arrays of a sample. A preprocessor is a function with a name, so that a data set can
 * have it run in a worker thread: arguments and results are plain data.
 */
import type { ArrayValue } from '../dataset';
import type { DataRandom } from '../random';

/** Arrays of a sample by key, and what else came out, such as where the image was cut. */
export interface Preprocessed {
  arrays: Record<string, ArrayValue>;
  info?: Record<string, unknown>;
}

/** A named step; `args` have to survive a structured clone. */
export interface Preprocessor<Args> {
  readonly name: string;
  run(args: Args, random: DataRandom): Promise<Preprocessed>;
}

/** Runs a preprocessor, here or in another thread. */
export type Preprocess = <Args>(step: Preprocessor<Args>, args: Args, random: DataRandom) => Promise<Preprocessed>;

const known = new Map<string, Preprocessor<unknown>>();

/** Makes a step known to worker threads. Its file has to be imported by preprocess/index.ts. */
export function definePreprocessor<Args>(
  name: string,
  run: (args: Args, random: DataRandom) => Promise<Preprocessed>,
): Preprocessor<Args> {
  const step = { name, run };
  known.set(name, step as Preprocessor<unknown>);
  return step;
}

/** The step of a name, for worker threads. */
export function preprocessorNamed(name: string): Preprocessor<unknown> {
  const step = known.get(name);
  if (!step) throw new Error(`no preprocessor '${name}'`);
  return step;
}

/** Runs a step in this thread. */
export const preprocessHere: Preprocess = (step, args, random) => step.run(args, random);
