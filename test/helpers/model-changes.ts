/** What a training step changes in a model. */
import type { Module } from '../../lib/models';
import type { Tensor } from '../../lib/tensor';
import { difference } from './tiny-autoencoder';

export async function snapshot(model: Module): Promise<Map<string, Tensor>> {
  return new Map([...(await model.stateDict())].map(([name, t]) => [name, t.detach().clone()]));
}

/** Names of what changed since the snapshot. */
export async function changed(model: Module, before: Map<string, Tensor>): Promise<string[]> {
  const names: string[] = [];
  for (const [name, t] of await model.stateDict()) {
    const a = t.detach().to({ dtype: 'float64' });
    const b = before.get(name)!.to({ dtype: 'float64' });
    if ((await difference(a, b)) > 0) names.push(name);
  }
  return names;
}
