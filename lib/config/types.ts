/** The words that target schemas are written in. */
import { z } from 'zod';
import { checkNode, checkValue, type ResolvedNode } from './resolve';
import type { Family, ParamsSchema } from './table';

/** An integer, from `minimum` on. */
export const integer = (minimum?: number) => {
  const error = minimum === undefined ? 'expected an integer' : `expected an integer of at least ${minimum}`;
  return z.int(error).min(minimum ?? Number.MIN_SAFE_INTEGER, error);
};
/** A count: an integer of at least 1. */
export const count = () => integer(1);
export const number = () => z.number();
/** A factor or weight of a loss; negative ones make no sense. */
export const weight = () => z.number().min(0);
/** A probability below 1, such as a dropout rate. */
export const rate = () => z.number().min(0).lt(1);
export const flag = () => z.boolean();
export const text = () => z.string();
export const listOf = <T extends z.ZodType>(item: T) => z.array(item);
/** A list of counts with at least one. */
export const counts = () => z.array(count()).min(1);
export const oneOf = <const T extends readonly [string, ...string[]]>(...words: T) => z.enum(words);
/** One of several types; `expected` says it in words, such as 'an integer or text'. */
export const either = <T extends readonly [z.ZodType, z.ZodType, ...z.ZodType[]]>(expected: string, ...types: T) =>
  z.union(types, `expected ${expected}`);
/** Anything: for values that are handed on to something that checks them itself. */
export const anything = () => z.unknown();

/** An object of options: unknown keys are errors. */
export const options = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape);

/** What the schemas below stand for, which zod cannot tell of a transformation: for the JSON schema. */
export type Nested =
  | { kind: 'node'; families: readonly Family[]; words: readonly string[] }
  | { kind: 'section'; schema: ParamsSchema };
const nested = new WeakMap<z.ZodType, Nested>();
/** The nested node or section that a schema stands for, if it does. */
export const nestedOf = (schema: z.ZodType): Nested | undefined => nested.get(schema);

function noted<T extends z.ZodType>(schema: T, meaning: Nested): T {
  nested.set(schema, meaning);
  return schema;
}

/** A nested object of options that are no target, such as `ddconfig`, with suggestions for its own keys. */
export function section<T extends ParamsSchema>(schema: T, ignored: readonly string[] = []) {
  const transform = z.unknown().transform((value, context): z.output<T> => {
    const used =
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).filter(([key]) => !ignored.includes(key)))
        : value;
    const checked = checkValue(schema, used, ignored);
    if (checked.value) return checked.value as z.output<T>;
    for (const { path, message } of checked.problems) context.addIssue({ code: 'custom', path: [...path], message });
    return z.NEVER;
  });
  return noted(transform, { kind: 'section', schema });
}

/** A nested `{target, params}` node of one of the families, resolved. */
export function node(...families: Family[]) {
  const transform = z.unknown().transform((value, context): ResolvedNode => {
    const checked = checkNode(value, families);
    if (checked.value) return checked.value;
    for (const { path, message } of checked.problems) context.addIssue({ code: 'custom', path: [...path], message });
    return z.NEVER;
  });
  return noted(transform, { kind: 'node', families, words: [] });
}

/** A node, or one of some words such as `__is_unconditional__`. */
export function nodeOr<const W extends string>(words: readonly W[], ...families: Family[]) {
  const transform = z.unknown().transform((value, context): ResolvedNode | W => {
    if (words.includes(value as W)) return value as W;
    const checked = checkNode(value, families);
    if (checked.value) return checked.value;
    for (const { path, message } of checked.problems) {
      const hint = path.length === 0 ? `, or one of ${words.map((word) => `"${word}"`).join(', ')}` : '';
      context.addIssue({ code: 'custom', path: [...path], message: message + hint });
    }
    return z.NEVER;
  });
  return noted(transform, { kind: 'node', families, words });
}
