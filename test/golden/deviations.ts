/**
 * Tables of which some rows are rounding noise (gradients that are mathematically zero), so that not even the reference
 * keeps within their allowance on another machine: see docs/golden-deviations.md. Every other output of these cases has to.
 */
const NOISY_TABLES: { cases: RegExp; output: RegExp; factor: number }[] = [
  { cases: /^unet_ckpt_/, output: /^grad_checksums$/, factor: 30 },
  { cases: /^train_(kl|ldm|vq)_3steps$/, output: /^step\d\.updates$/, factor: 20 },
];

/** By what factor an output may exceed its allowance in the tests: 1 for all but the documented tables. */
export function toleratedFactor(caseName: string, output: string): number {
  return NOISY_TABLES.find((t) => t.cases.test(caseName) && t.output.test(output))?.factor ?? 1;
}
