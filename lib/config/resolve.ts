/**
 * Resolves `{target, params}` nodes: checks the params against the target's schema, fills in the reference's defaults, and does
 * the same for the nodes within.
 */
import { explain, suggestKey } from './explain';
import { originOf } from './node';
import { configError, type Problem, show } from './problems';
import { didYouMean } from './suggest';
import { type Family, findTarget, knownTargets, type ParamsSchema } from './table';

/** A node as configs have it. */
export interface TargetNode {
  target: string;
  params?: unknown;
  /** Only in `model`, where the trainer reads it; ignored elsewhere, as in the reference. */
  base_learning_rate?: number;
}

/** Every option of a target under its snake_case key. */
export type ResolvedParams = Record<string, unknown>;

/** A node with every option filled in, ready for the native side. */
export interface ResolvedNode {
  target: string;
  params: ResolvedParams;
}

export type Checked<T> = { value: T; problems: [] } | { value?: undefined; problems: Problem[] };

const NODE_KEYS = ['target', 'params', 'base_learning_rate'];

/**
 * Checks a node and fills in every option, also in the nodes within it. `null` stays null.
 * @param families what the node has to be, when that is known
 * @throws LdmError ERR_CONFIG that names each mistake with key path and, for a node of a loaded config, file and line
 */
export function resolveNode(node: unknown, ...families: Family[]): ResolvedNode {
  const checked = checkNode(node, families);
  if (checked.value) return checked.value;
  throw problemsOf(node, checked.problems);
}

/** The error for problems within `value`, with file and line when `value` came from a config. */
export function problemsOf(value: unknown, problems: readonly Problem[]): Error {
  const origin = originOf(value);
  if (!origin) return configError(problems);
  return configError(
    problems.map((problem) => ({ ...problem, path: [...origin.path, ...problem.path] })),
    origin.root,
  );
}

/** {@link resolveNode} that returns the problems, with paths from the node on. */
export function checkNode(node: unknown, families: readonly Family[] = []): Checked<ResolvedNode> {
  const fail = (message: string, ...path: string[]) => ({ problems: [{ path, message }] });
  if (node === undefined) return fail('missing; expected a mapping with "target" and "params"');
  if (!isMapping(node)) return fail(`expected a mapping with "target" and "params", received ${show(node)}`);

  const stray = Object.keys(node).filter((key) => !NODE_KEYS.includes(key));
  if (stray.length > 0) {
    return { problems: stray.map((key) => ({ path: [key], message: `unknown key.${suggestKey(key, NODE_KEYS)}` })) };
  }
  const target = node.target;
  if (target === undefined) return fail('missing; expected the name of a class', 'target');
  if (typeof target !== 'string') return fail(`expected the name of a class, received ${show(target)}`, 'target');

  const entry = findTarget(target);
  if (!entry) return fail(`unknown target "${target}".${suggestTarget(target, families)}`, 'target');
  if (families.length > 0 && entry.families.length > 0 && !entry.families.some((family) => families.includes(family))) {
    return fail(`${target} is ${an(entry.families[0]!)}; expected ${families.map(an).join(' or ')}`, 'target');
  }
  const params = node.params ?? {};
  if (!isMapping(params)) return fail(`expected a mapping, received ${show(params)}`, 'params');
  const used = Object.fromEntries(Object.entries(params).filter(([key]) => !entry.ignored.has(key)));
  const checked = checkValue(entry.schema, used, entry.ignored);
  if (checked.value) return { value: { target: entry.canonical, params: checked.value }, problems: [] };
  return { problems: checked.problems.map((problem) => ({ ...problem, path: ['params', ...problem.path] })) };
}

/** Checks a value against a schema, with suggestions for unknown keys. */
export function checkValue(
  schema: ParamsSchema,
  value: unknown,
  ignored: Iterable<string> = [],
): Checked<Record<string, unknown>> {
  const missing = missingValues(value);
  if (missing.length > 0) return { problems: missing };
  const parsed = schema.safeParse(value);
  if (parsed.success) return { value: parsed.data, problems: [] };
  return { problems: explain(parsed.error.issues, value, [...keysOf(schema), ...ignored]) };
}

/** The keys that a schema of an object takes. */
export function keysOf(schema: ParamsSchema): string[] {
  return 'shape' in schema ? Object.keys(schema.shape as object) : [];
}

/** OmegaConf's `???`: a value that has to be given by somebody else. */
function missingValues(value: unknown, path: (string | number)[] = []): Problem[] {
  if (value === '???') {
    return [{ path, message: 'this value (???) has to be given, in another config or as an override' }];
  }
  if (Array.isArray(value)) return value.flatMap((item, index) => missingValues(item, [...path, index]));
  if (!isMapping(value)) return [];
  return Object.entries(value).flatMap(([key, child]) => missingValues(child, [...path, key]));
}

/** A near target; or those with the same class name; or those that would fit the place. */
function suggestTarget(target: string, families: readonly Family[]): string {
  const all = knownTargets();
  const className = target.slice(target.lastIndexOf('.') + 1);
  const same = all.filter((entry) => entry.target.endsWith(`.${className}`)).map((entry) => `"${entry.target}"`);
  if (same.length > 0) return ` Did you mean ${same.join(' or ')}?`;
  const near = didYouMean(
    target,
    all.map((entry) => entry.target),
  );
  if (near) return near;
  const fitting = all.filter((entry) => entry.families.some((family) => families.includes(family)));
  const listed =
    fitting.length > 0 && fitting.length <= 16
      ? fitting.map((entry) => entry.target).join(', ')
      : 'see docs/configs.md';
  return ` Known here: ${listed}`;
}

function an(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
