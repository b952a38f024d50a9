/** What the cases of kind sd_ldm share. */
import type { DDIMSampleOptions } from '../../../../lib/sampling';
import type { Tensor } from '../../../../lib/tensor';
import type { GoldenCase } from '../../runner/case';

/** Reports logged scalars as `<tag>log.<name>`. */
export async function reportLog(c: GoldenCase, tag: string, log: Record<string, Tensor>): Promise<void> {
  for (const [name, value] of Object.entries(log)) await c.out(`${tag}log.${name}`, value);
}

/** The start and the conditions that all sampling runs of a case have in common. */
export function commonSampling(c: GoldenCase): Pick<DDIMSampleOptions, 'xT' | 'conditioning' | 'logEveryT'> {
  return { xT: c.input('x_T'), conditioning: c.input('c'), logEveryT: 2 };
}
