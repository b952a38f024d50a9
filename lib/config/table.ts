/** The table of known targets: each has a schema with the reference's constructor defaults. */
import type { z } from 'zod';

/** What a target is; the place of a node in a config asks for one of these. */
export type Family =
  | 'autoencoder'
  | 'diffusion'
  | 'classifier'
  | 'network'
  | 'conditioner'
  | 'low-scale model'
  | 'loss'
  | 'scheduler'
  | 'callback'
  | 'logger'
  | 'data module'
  | 'data set'
  | 'building block';

/** Schema of a target's `params`: an object without unknown keys. */
export type ParamsSchema = z.ZodType<Record<string, unknown>>;

export interface TargetOptions {
  /** Where nodes of this target may stand; without it they may stand anywhere. */
  family?: Family | readonly Family[];
  /**
   * Keys that the reference's constructor swallows (`**kwargs`) without using them. They are accepted, and left out of what
   * is resolved, so that official configs work and typos do not.
   */
  ignored?: readonly string[];
  /** The class is known under this name too; resolved nodes carry that one. */
  aliasOf?: string;
}

export interface TargetEntry {
  target: string;
  schema: ParamsSchema;
  families: readonly Family[];
  ignored: ReadonlySet<string>;
  /** The name that resolved nodes carry. */
  canonical: string;
}

const table = new Map<string, TargetEntry>();

/**
 * Makes a `target` known to configs. A target that is registered again replaces the former one.
 * @param schema a strict zod object; its defaults are the only ones (the native side has none)
 */
export function registerTarget(target: string, schema: ParamsSchema, options: TargetOptions = {}): void {
  const families =
    options.family === undefined ? [] : typeof options.family === 'string' ? [options.family] : options.family;
  table.set(target, {
    target,
    schema,
    families,
    ignored: new Set(options.ignored),
    canonical: options.aliasOf ?? target,
  });
}

/** The entry of a target, if it is known. */
export function findTarget(target: string): TargetEntry | undefined {
  return table.get(target);
}

/** All known targets in alphabetical order. */
export function knownTargets(): TargetEntry[] {
  return [...table.values()].sort((a, b) => (a.target < b.target ? -1 : 1));
}
