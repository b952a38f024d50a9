/** sd_ldm: Stable Diffusion's formulas, losses, conditions and samplers under injected randomness. */
import type { GoldenCase, KindHandler } from '../runner/case';
import { concatCase } from './stable-diffusion/concat';
import { samplersCase } from './stable-diffusion/samplers';
import { velocityCase } from './stable-diffusion/velocity';

const CASES: Record<string, (c: GoldenCase) => Promise<void>> = {
  sd1_samplers: samplersCase,
  sd2_concat: concatCase,
  sd2_v: velocityCase,
};

const sdLdm: KindHandler = async (c) => {
  const run = CASES[c.meta.case];
  if (!run) throw new Error(`nothing to run for the case '${c.meta.case}'; known: ${Object.keys(CASES).join(', ')}`);
  await run(c);
};

export default sdLdm;
