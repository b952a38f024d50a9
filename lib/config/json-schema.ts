/**
 * The configs as one JSON schema (draft 7), made of the schemas of all targets: editors check and complete with it what
 * `ldm` checks when it runs.
 */
import { z } from 'zod';
import { trainerSchema } from './lightning';
import optionTexts from './option-texts.json';
import { type Family, knownTargets, type ParamsSchema, type TargetEntry } from './table';
import { type Nested, nestedOf } from './types';

type Json = Record<string, any>;

/** What may stand in place of any value: OmegaConf's interpolation, and `???` for what somebody else gives. */
const INTERPOLATION: Json = { type: 'string', pattern: '^(\\$\\{.*\\}|\\?\\?\\?)$' };
const ref = (name: string): Json => ({ $ref: `#/definitions/${name.replace(/\//g, '~1')}` });

/** The schema of a whole config, with one definition for each target. */
export function configJsonSchema(): Json {
  const targets = knownTargets();
  const definitions: Json = { interpolation: INTERPOLATION };
  const sections = new Map<ParamsSchema, string>();

  const convert = (schema: ParamsSchema, text: Texts, ignored: Iterable<string> = []): Json => {
    const options = (schema as unknown as z.ZodObject).shape ?? {};
    // Told while they are converted: a section is met before the property that holds it.
    const names = new Map(Object.entries(options).map(([name, option]) => [option as unknown, name]));
    const converted = z.toJSONSchema(schema, {
      target: 'draft-7',
      io: 'input',
      unrepresentable: 'any',
      override({ zodSchema, jsonSchema }) {
        const meaning = nestedOf(zodSchema as unknown as z.ZodType);
        const inner = (name: string) => text(`${names.get(zodSchema)}.${name}`);
        if (meaning) replace(jsonSchema, nestedSchema(meaning, inner));
        else if (INTERPOLATED.has(String(jsonSchema.type))) orInterpolation(jsonSchema);
        else if (jsonSchema.const !== undefined || jsonSchema.enum) orInterpolation(jsonSchema);
      },
    }) as Json;
    delete converted.$schema;
    for (const [name, property] of Object.entries<Json>(converted.properties ?? {})) {
      const description = text(name);
      if (description) property.description = description;
    }
    for (const key of ignored) converted.properties[key] = { description: 'Accepted and without effect.' };
    return converted;
  };

  const nestedSchema = (meaning: Nested, text: Texts): Json => {
    if (meaning.kind === 'section') {
      const known = sections.get(meaning.schema) ?? `section ${sections.size + 1}`;
      if (!sections.has(meaning.schema)) {
        sections.set(meaning.schema, known);
        definitions[known] = convert(meaning.schema, text);
      }
      return { anyOf: [ref(known), ref('interpolation')] };
    }
    const words = meaning.words.length > 0 ? [{ enum: [...meaning.words] }] : [];
    return { anyOf: [ref(nodeName(meaning.families)), ...words, ref('interpolation')] };
  };

  const nodeName = (families: readonly Family[]): string => {
    const name = families.length > 0 ? families.join(' or ') : 'any target';
    // Noted before it is filled: nodes lie within nodes.
    if (!definitions[name]) {
      definitions[name] = {};
      Object.assign(definitions[name], nodeSchema(families));
    }
    return name;
  };

  const nodeSchema = (families: readonly Family[]): Json => {
    const fitting = targets.filter((entry) => fits(entry, families));
    return {
      type: 'object',
      required: ['target'],
      properties: {
        target: { enum: fitting.map((entry) => entry.target) },
        params: { type: ['object', 'null'] },
        base_learning_rate: {
          description: 'Multiplied with batch size, accumulated batches and devices, unless --scale_lr is false.',
          anyOf: [{ type: 'number', minimum: 0 }, ref('interpolation')],
        },
      },
      additionalProperties: false,
      allOf: fitting.map((entry) => ({
        if: { properties: { target: { const: entry.target } }, required: ['target'] },
        // biome-ignore lint/suspicious/noThenProperty: JSON schema's word
        then: { properties: { params: { anyOf: [ref(paramsName(entry)), { type: 'null' }] } } },
      })),
    };
  };

  const paramsName = (entry: TargetEntry): string => {
    const name = `params of ${entry.target}`;
    if (!definitions[name]) {
      definitions[name] = {};
      Object.assign(definitions[name], convert(entry.schema, textsOf(entry.canonical), entry.ignored));
    }
    return name;
  };

  const model = ref(nodeName(['autoencoder', 'diffusion', 'classifier']));
  const data = { anyOf: [ref(nodeName(['data module'])), { type: 'null' }] };
  const part = { type: ['object', 'null'] };
  const lightning = {
    type: ['object', 'null'],
    properties: {
      trainer: { anyOf: [convert(trainerSchema, textsOf('lightning.trainer')), { type: 'null' }] },
      logger: part,
      modelcheckpoint: part,
      callbacks: part,
    },
    additionalProperties: false,
  };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Config of latent diffusion (CompVis)',
    type: 'object',
    properties: { model, data, lightning },
    additionalProperties: false,
    definitions,
  };
}

/** What an option means, by its name in a section or a target. */
type Texts = (option: string) => string | undefined;

function textsOf(target: string): Texts {
  const { texts, targets } = optionTexts as { texts: string[]; targets: Record<string, Record<string, number>> };
  return (option) => texts[targets[target]?.[option] ?? -1];
}

const INTERPOLATED = new Set(['integer', 'number', 'boolean', 'array']);

function fits(entry: TargetEntry, families: readonly Family[]): boolean {
  return families.length === 0 || entry.families.length === 0 || entry.families.some((f) => families.includes(f));
}

function replace(schema: Json, other: Json): void {
  for (const key of Object.keys(schema)) if (key !== 'default') delete schema[key];
  Object.assign(schema, other);
}

function orInterpolation(schema: Json): void {
  const { default: value, ...own } = schema;
  for (const key of Object.keys(schema)) delete schema[key];
  Object.assign(schema, { anyOf: [own, ref('interpolation')] }, value === undefined ? {} : { default: value });
}
