/** sampler_*: whole sampling runs with every option, under injected randomness. */
import type { GoldenCase, KindHandler } from '../runner/case';
import { ddpmCase, hybridCase, pixelCase } from './diffusion/ancestral';
import { ddimCase, ddimX0Case } from './diffusion/ddim';
import { plmsCase } from './diffusion/plms';

const CASES: Record<string, (c: GoldenCase) => Promise<void>> = {
  sampler_ddim: ddimCase,
  sampler_ddim_x0param: ddimX0Case,
  sampler_ddpm: ddpmCase,
  sampler_ddpm_hybrid_x0: hybridCase,
  sampler_ddpm_pixel: pixelCase,
  sampler_plms: plmsCase,
};

const samplerKind: KindHandler = async (c) => {
  // meta.case names what the case is about, whatever its folder is called
  const run = CASES[c.meta.case];
  if (!run) throw new Error(`no sampler for the case '${c.meta.case}'; known: ${Object.keys(CASES).join(', ')}`);
  await run(c);
};

export default samplerKind;
