/** What the translations between official configs and diffusers' config.json files share. */
import { z } from 'zod';
import { LdmError } from '../../errors';

/** A config.json. */
export type Json = Record<string, unknown>;

/**
 * Collects what does not fit while a config is translated: `problems` would change what the model computes, so nothing is
 * written; `notes` are lost without changing it.
 */
export class Findings {
  readonly problems: string[] = [];
  readonly notes: string[] = [];

  /** Notes a problem when the condition does not hold. */
  expect(holds: boolean, problem: string): void {
    if (!holds) this.problems.push(problem);
  }
  note(when: boolean, text: string): void {
    if (when) this.notes.push(text);
  }
  /** @throws LdmError ERR_CONFIG that names every problem */
  refuse(what: string): void {
    if (this.problems.length === 0) return;
    const list = this.problems.map((problem) => `\n  ${problem}`).join('');
    throw new LdmError('ERR_CONFIG', `${what}:${list}`);
  }
}

/** The version of diffusers whose options are written. */
const DIFFUSERS_VERSION = '0.30.0';

/** A config.json with the fields that diffusers itself puts in. */
export function configJson(className: string, values: Json): Json {
  return { _class_name: className, _diffusers_version: DIFFUSERS_VERSION, ...values };
}

/**
 * Reads a config.json by a schema of its options with diffusers' defaults, and checks those that have no counterpart here.
 * @param fixed values that options have to have, because the official networks are like that
 * @throws LdmError ERR_CONFIG when an option has a wrong type
 */
export function readJson<T extends z.ZodRawShape>(
  json: Json,
  where: string,
  schema: z.ZodObject<T>,
  fixed: Json,
  findings: Findings,
): z.output<z.ZodObject<T>> {
  const parsed = schema.safeParse(json);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new LdmError('ERR_CONFIG', `${where}: ${path.join('.')}: ${message}`);
  }
  for (const [key, value] of Object.entries(json)) {
    if (key.startsWith('_') || key in schema.shape) continue;
    if (!(key in fixed)) findings.note(true, `${where}: ${key} is not known here and left out`);
    else if (!same(value, fixed[key]))
      findings.problems.push(
        `${where}: ${key} is ${JSON.stringify(value)}, but the official network has ${JSON.stringify(fixed[key])}`,
      );
  }
  return parsed.data;
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/** Words of config.json schemas. */
export const positive = () => z.int().min(1);
export const widths = () => z.array(positive()).min(1);
export const words = () => z.array(z.string()).min(1);
/** A side, or height and width. */
export const side = () => z.union([positive(), z.array(positive()).length(2)]);

/** Widths as multiples of the first one. */
export function multiples(values: readonly number[], where: string, findings: Findings): number[] {
  const mults = values.map((value) => value / values[0]);
  findings.expect(
    mults.every(Number.isInteger),
    `${where}: block_out_channels are ${values.join(', ')}; expected multiples of the first`,
  );
  return mults;
}
