/** A model in the official layout on its way from one file to another, and what conversions do to it. */
import type { TensorRecipe } from '../checkpoint';
import type { Picklable } from '../checkpoint/pickle-writer';
import type { Config } from '../config';
import { LdmError } from '../errors';
import type { DType } from '../tensor';
import type { Report } from './report';

/** Tensors under official names, in the order of the reference's state_dict. */
export type State = ReadonlyMap<string, TensorRecipe>;

export interface OfficialModel {
  state: State;
  /** The official config, where there is one. */
  config: Config | null;
  epoch: number | null;
  globalStep: number | null;
  lightningVersion: string | null;
  /** safetensors' metadata. */
  metadata: Readonly<Record<string, string>>;
  /** What else a training needs: optimizer states and the like, under Lightning's names. */
  training: ReadonlyMap<string, Picklable>;
}

/** Which weights a file gets: averaged ones in the place of the raw ones, raw ones, or both side by side. */
export type EmaChoice = 'averaged' | 'raw' | 'both';

const EMA = 'model_ema.';
/** What LitEma keeps beside the averages. */
const EMA_COUNTERS = [`${EMA}decay`, `${EMA}num_updates`];

/** The name under which LitEma keeps the average of a weight; '' for one that it does not average. */
export function averageOf(name: string, state: { has(name: string): boolean }): string {
  if (name.startsWith(EMA)) return '';
  const whole = EMA + name.replaceAll('.', ''); // an autoencoder averages all of itself
  const own = name.startsWith('model.') ? EMA + name.slice('model.'.length).replaceAll('.', '') : '';
  if (own !== '' && state.has(own)) return own;
  return state.has(whole) && !EMA_COUNTERS.includes(whole) ? whole : '';
}

export const hasEma = (state: State): boolean => [...state.keys()].some((name) => name.startsWith(EMA));
export const isEma = (name: string): boolean => name.startsWith(EMA);

/** The state with averages in the place of the weights that they belong to, and without what EMA kept. */
export function averaged(state: State): State {
  const names = new Set(state.keys());
  return new Map(
    [...state]
      .filter(([name]) => !isEma(name))
      .map(([name, recipe]) => [name, state.get(averageOf(name, names)) ?? recipe]),
  );
}

/**
 * Chooses between averaged and raw weights.
 * @throws LdmError ERR_CHECKPOINT when averaged ones are asked for and there are none
 */
export function chooseEma(model: OfficialModel, choice: EmaChoice, source: string, report: Report): OfficialModel {
  const there = hasEma(model.state);
  if (choice === 'both' || (!there && choice === 'raw')) return model;
  if (!there)
    throw new LdmError('ERR_CHECKPOINT', `${source}: holds no moving averages (model_ema.*); convert it without --ema`);
  if (choice === 'averaged') report.note('The averaged weights (EMA) take the place of those of the last step.');
  const state = choice === 'averaged' ? averaged(model.state) : new Map([...model.state].filter(([n]) => !isEma(n)));
  const count = [...model.state.keys()].filter(isEma).length;
  if (choice === 'raw') report.drop('moving averages (model_ema)', count, '--no-ema');
  return { ...model, state };
}

/** Weights that nothing computes with: the text transformers of the reference return what comes before their logits. */
export const UNUSED_WEIGHTS = 'cond_stage_model.transformer.to_logits.';

/** Without what no drawing needs: optimizer states, callbacks, the loss and its networks, weights that are never used. */
export function prune(model: OfficialModel, report: Report): OfficialModel {
  const state = new Map(model.state);
  for (const prefix of ['loss.', UNUSED_WEIGHTS]) {
    const names = [...state.keys()].filter((name) => name.startsWith(prefix));
    for (const name of names) state.delete(name);
    if (names.length > 0) report.drop(prefix.slice(0, -1), names.length, '--prune');
  }
  if (model.training.size > 0) report.drop([...model.training.keys()].join(', '), 0, '--prune');
  return { ...model, state, training: new Map() };
}

/** Tables of the noise schedule and numbers that samplers compute with: half of them would be a fraction too coarse. */
const KEPT =
  /^(betas|alphas_cumprod\w*|sqrt_\w+|log_one_minus_\w+|posterior_\w+|scale_factor|logvar|model_ema\.decay)$/;
const FLOATS = ['float64', 'float32', 'float16', 'bfloat16'];

/** All floating-point weights in one dtype; the schedule and integers stay as they are. */
export function cast(model: OfficialModel, dtype: DType): OfficialModel {
  const state = new Map(
    [...model.state].map(([name, recipe]) => [
      name,
      FLOATS.includes(recipe.dtype) && !KEPT.test(name) ? recipe.as(dtype) : recipe,
    ]),
  );
  return { ...model, state };
}
