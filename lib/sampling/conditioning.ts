/** What a diffusion model can be conditioned on. */
import type { Tensor } from '../tensor';

/** Conditioning by place: channels of the input, and tokens of the cross-attention (class labels under "adm"). */
export interface ConditioningParts {
  /** Each [n, c, h, w]. */
  c_concat?: readonly Tensor[] | Tensor;
  /** Each [n, tokens, dim], or [n] labels under "adm". */
  c_crossattn?: readonly Tensor[] | Tensor;
  /** Labels [n] or vectors [n, dim] beside the others, under "hybrid-adm" and "crossattn-adm". */
  c_adm?: Tensor;
}

/** A tensor (or several) for the place that the model's conditioning_key names, or each place by name ("hybrid"). */
export type Conditioning = Tensor | readonly Tensor[] | ConditioningParts;
