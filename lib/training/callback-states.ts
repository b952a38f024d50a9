/** States of callbacks in checkpoints. Lightning 1.4 keys them by class, later versions and this library by `state_key`. */
import { type PlainValue, Skipped } from '../checkpoint';
import { Tensor } from '../tensor';
import type { Callback, CallbackState } from './callbacks/callback';

/** The states of those callbacks that have one, by key. Free their tensors with {@link disposeStates}. */
export function callbackStates(callbacks: readonly Callback[]): Record<string, CallbackState> {
  const stateful = callbacks.filter((callback) => callback.stateKey !== undefined && callback.state !== undefined);
  return Object.fromEntries(stateful.map((callback) => [callback.stateKey!, callback.state!()]));
}

/** Frees the tensors in a state. */
export function disposeStates(value: unknown): void {
  if (value instanceof Tensor) value.dispose();
  else if (value instanceof Map) for (const item of value.values()) disposeStates(item);
  else if (typeof value === 'object' && value !== null) for (const item of Object.values(value)) disposeStates(item);
}

/** Gives each callback what a checkpoint's `callbacks` entry holds for it. */
export async function loadCallbackStates(
  callbacks: readonly Callback[],
  stored: PlainValue | undefined,
): Promise<void> {
  if (!(stored instanceof Map)) return;
  const entries = [...(stored as ReadonlyMap<PlainValue, PlainValue>)];
  for (const callback of callbacks) {
    const key = callback.stateKey;
    if (key === undefined) continue;
    const name = key.slice(0, key.indexOf('{'));
    const found =
      entries.find(([other]) => other === key) ?? entries.find(([other]) => className(other)?.endsWith(`.${name}`));
    if (found?.[1] instanceof Map)
      await callback.loadState?.(new Map([...found[1]].map(([field, value]) => [String(field), value])));
  }
}

function className(key: PlainValue): string | undefined {
  return key instanceof Skipped ? key.className : undefined;
}

/** A number that a state holds as such or as a tensor of one element. */
export async function scalarOf(value: unknown, otherwise: number): Promise<number> {
  if (typeof value === 'number') return value;
  if (value instanceof Tensor) return Number(await value.item());
  if (typeof value === 'object' && value !== null && 'tensor' in value)
    return Number(await (value as { tensor(): Tensor }).tensor().item());
  return otherwise;
}
