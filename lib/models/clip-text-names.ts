/**
 * Two differences between versions of the transformers library, in whose layout Stable Diffusion 1 keeps its text model: since
 * 4.31 the constant `position_ids` is not in a state_dict, and since 5 the model has no `text_model` level in its names.
 */
import type { LoadReport } from '../native';
import type { Tensor } from '../tensor';

const CONSTANT = /(^|\.)text_model\.embeddings\.position_ids$/;
const TOKENS = /(^|\.)transformer\.embeddings\.token_embedding\.weight$/;

/** The state with the names of the official files. */
export function clipTextNames(state: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> {
  const tokens = [...state.keys()].find((name) => TOKENS.test(name));
  if (tokens === undefined) return state;
  const prefix = tokens.slice(0, tokens.indexOf('embeddings.token_embedding'));
  const renamed = (name: string) => `${prefix}text_model.${name.slice(prefix.length)}`;
  return new Map([...state].map(([name, tensor]) => [name.startsWith(prefix) ? renamed(name) : name, tensor]));
}

/** A report that does not count constants as missing, and how many there were. */
export function withoutConstants(report: LoadReport): LoadReport & { constants: number } {
  const missing = report.missing.filter((name) => !CONSTANT.test(name));
  return { ...report, missing, constants: report.missing.length - missing.length };
}
