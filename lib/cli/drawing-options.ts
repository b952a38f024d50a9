/** Options that several drawing commands share with the original scripts, each written once. */
import { type Command, Option } from 'commander';
import type { LatentDiffusion } from '../models/latent-diffusion';
import { trainedSize } from '../sampling/pipelines';
import { UsageError } from './errors';
import { integerFrom, numberWithin } from './values';

const option = (flags: string, text: string, parse?: (text: string) => unknown) => () => {
  const made = new Option(flags, text);
  return parse ? made.argParser(parse) : made;
};

const OPTIONS = {
  prompt: option('--prompt <text>', 'what to draw'),
  negative_prompt: option('--negative_prompt <text>', 'what guidance leads away from'),
  'from-file': option('--from-file <file>', 'draw the texts of a file, one a line'),
  outdir: option('--outdir <dir>', 'folder for the pictures'),
  skip_grid: option('--skip_grid', 'write no grid of all pictures'),
  skip_save: option('--skip_save', 'write no single pictures'),
  ddim_steps: option('--ddim_steps <n>', 'steps of the sampler', integerFrom(1)),
  n_repeat: option('--n_repeat <n>', "how often the text's embedding is repeated", integerFrom(1)),
  plms: option('--plms', 'sample with PLMS'),
  fixed_code: option('--fixed_code', 'begin each batch with the same noise'),
  ddim_eta: option('--ddim_eta <x>', 'noise of DDIM, 0 to 1', numberWithin(0, 1)),
  n_iter: option('--n_iter <n>', 'how often', integerFrom(1)),
  H: option('--H <pixels>', 'height', integerFrom(1)),
  W: option('--W <pixels>', 'width', integerFrom(1)),
  C: option('--C <n>', "channels of the latent (the model's, or an error)", integerFrom(1)),
  f: option('--f <n>', "factor of the first stage (the model's, or an error)", integerFrom(1)),
  n_samples: option('--n_samples <n>', 'pictures of each text at a time', integerFrom(1)),
  n_rows: option('--n_rows <n>', 'pictures in a row of the grid', integerFrom(0)),
  scale: option('--scale <x>', 'guidance, 1 is none', numberWithin(0)),
};

/** What an option is when it is not given: a value, a value that is told otherwise, or only told. */
type Absent = string | number | { value?: string | number; told?: string };

/** The script's own picture. */
export const PROMPT = 'a painting of a virus monster playing guitar';
export const NO_DEFAULT: Absent = {};
/** Follows from the model; the help says how. */
export const told = (text: string): Absent => ({ told: text });
export const OF_MODEL = told("the model's");
/** `n_rows` 0 stands for n_samples. */
export const ROWS: Absent = { value: 0, told: 'n_samples' };

/** Adds the named options in this order. */
export function addDrawingOptions(command: Command, wanted: Partial<Record<keyof typeof OPTIONS, Absent>>): Command {
  for (const [name, absent] of Object.entries(wanted)) {
    const made = OPTIONS[name as keyof typeof OPTIONS]();
    const { value, told = undefined } = typeof absent === 'object' ? absent : { value: absent };
    if (value !== undefined) made.default(value, told);
    else if (told) made.description += ` (default: ${told})`;
    command.addOption(made);
  }
  return command;
}

/** The size that `--H` and `--W` ask for, else the one that the model was trained on. */
export function sizeOf(model: LatentDiffusion, flags: { H?: number; W?: number }): { width: number; height: number } {
  const trained = trainedSize(model);
  return { height: flags.H ?? trained.height, width: flags.W ?? trained.width };
}

/** DDIM, or PLMS with `--plms`. @throws UsageError for PLMS with noise */
export function samplerOf({ plms, ddim_eta }: { plms?: boolean; ddim_eta: number }): 'ddim' | 'plms' {
  if (plms && ddim_eta !== 0) throw new UsageError(`PLMS is deterministic: leave --ddim_eta at 0 (it is ${ddim_eta}).`);
  return plms ? 'plms' : 'ddim';
}
