/** The PLMS case of kind `sampler`. */
import type { LatentDiffusion } from '../../../../lib/models';
import { type PLMSSampleOptions, PLMSSampler } from '../../../../lib/sampling';
import type { GoldenCase } from '../../runner/case';
import { reportRun } from './ddim';

/** The options of each run of the case, besides its number of steps. */
function runs(c: GoldenCase): Record<string, Omit<PLMSSampleOptions, 'steps'>> {
  const [mask, x0, uncond] = ['mask', 'x0', 'uncond'].map((name) => c.input(name));
  return {
    S10: {},
    S1: {},
    S2: {},
    S4: {},
    cfg3: { unconditionalGuidanceScale: 3, unconditionalConditioning: uncond },
    mask: { mask, x0 },
    quantize: { quantizeX0: true },
  };
}

export async function plmsCase(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as LatentDiffusion;
  const sampler = new PLMSSampler(model);
  const common = {
    batchSize: 2,
    shape: [3, 8, 8],
    conditioning: c.input('cond'),
    xT: c.input('x_T'),
    logEveryT: 2,
  };
  for (const [tag, options] of Object.entries(runs(c))) {
    const random = c.tape(`${tag}.`);
    await reportRun(c, `${tag}.`, await sampler.sample({ ...common, steps: c.meta.runs[tag].S, ...options, random }));
    await random.finish();
  }
}
