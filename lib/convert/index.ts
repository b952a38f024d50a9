/** Conversion of models: `ldm convert` and for programs. */
export { type ConvertOptions, convertModel, formatOf, type TargetFormat } from './convert';
export type { ConvertReport } from './report';
