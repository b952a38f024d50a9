/** What options of several data sets have in common. */
import { z } from 'zod';
import { type ParamsSchema, registerTarget } from '../../table';
import { count, text } from '../../types';

/** Side of the images in pixels; null: as they are. */
export const size = () => count().nullable().default(null);
export const probability = () => z.number().min(0).max(1);
/** The folder that the reference calls `data`; null: $LDM_DATA, or `data` in the current folder. */
export const dataRoot = () => text().nullable().default(null);

/** Registers data sets under one or several modules' names. */
export function dataSets(modules: readonly string[], names: readonly string[], schema: ParamsSchema): void {
  for (const module of modules)
    for (const name of names) registerTarget(`${module}.${name}`, schema, { family: 'data set' });
}
