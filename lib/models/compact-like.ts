/** Storing a model's weights as a file has them. */
import type { Tensor } from '../tensor';
import type { Module } from './module';

/**
 * Makes those parts of a model compact (the U-Net, the first stage, the text model) of which a file has every weight in the
 * same half precision. Their values are undefined until the file is loaded.
 * @param state the file's tensors by name
 */
export async function compactLike(model: Module, state: ReadonlyMap<string, Tensor>): Promise<void> {
  const dtypes = new Map<string, Set<string>>();
  for (const [name, { dtype, dim }] of state) {
    if (dim < 2 || dtype.startsWith('int')) continue;
    const part = name.slice(0, name.indexOf('.'));
    dtypes.set(part, (dtypes.get(part) ?? new Set()).add(dtype));
  }
  for (const part of new Set([...(await model.stateDict()).keys()].map((name) => name.slice(0, name.indexOf('.'))))) {
    const [dtype, ...others] = dtypes.get(part) ?? [];
    if (others.length > 0 || (dtype !== 'float16' && dtype !== 'bfloat16') || part === 'model_ema') continue;
    await (await model.getSubmodule(part)).compact(dtype, { keep: false });
  }
}
