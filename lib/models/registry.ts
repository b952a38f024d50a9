/** From a config node to a typed model: the `instantiate_from_config` of the reference. */
import { type ResolvedParams, resolveNode, type TargetNode } from '../config';
import { type CreateOptions, createNative, Module } from './module';

/** A class that makes its instances from resolved params. */
export interface ModelClass {
  fromParams(params: ResolvedParams, options: CreateOptions): Promise<Module>;
}

const classes = new Map<string, ModelClass>();

/** Makes the class that stands for a target; each model's file registers its own. */
export function registerModel(target: string, cls: ModelClass): void {
  classes.set(target, cls);
}

/**
 * Creates what a node `{target, params}` names: its params are checked, the reference's defaults filled in, and the weights
 * drawn (or left empty, see `options.init`). A target without a class of its own gives a plain {@link Module}.
 * @throws LdmError ERR_CONFIG for a wrong node; ERR_UNKNOWN_TARGET when the addon does not have the target
 */
export async function instantiateFromConfig(node: TargetNode, options: CreateOptions = {}): Promise<Module> {
  const { target, params } = resolveNode(node);
  // Every model's file registers itself when it is imported; late, because those files import this one.
  await import('./index');
  const cls = classes.get(target);
  if (cls) return cls.fromParams(params, options);
  return new Module(await createNative(target, params as never, options));
}
