/** sd2_concat: what LatentInpaintDiffusion and LatentUpscaleDiffusion make of a batch, and their losses. */
import { noGrad } from '../../../../lib/job';
import type { LatentDiffusion } from '../../../../lib/models';
import type { ConditioningParts } from '../../../../lib/sampling';
import type { Tensor } from '../../../../lib/tensor';
import type { GoldenCase } from '../../runner/case';
import { keyList } from '../../runner/key-list';
import { reportLog } from './common';

export async function concatCase(c: GoldenCase): Promise<void> {
  const images = ['jpg', 'mask', 'masked_image', 'lr'].map((key) => [key, c.input(key)]);
  const batch = { ...Object.fromEntries(images), txt: c.meta.txt };
  for (const [tag, node] of Object.entries<{ target: string; params: Record<string, unknown> }>(c.meta.models)) {
    const model = (await c.build(node, { fill: false })) as LatentDiffusion;
    await c.fillDet(model, `${tag}.`);
    c.expectEqual(`keys of ${tag}`, await keyList(model), c.meta.keys![tag]);

    const drawn = c.tape(`${tag}.input.`);
    const { z, c: cond } = await noGrad(() => model.getInput(batch, { random: drawn }));
    await drawn.finish();
    const parts = cond as ConditioningParts & { c_concat: Tensor[]; c_crossattn: Tensor };
    await c.out(`${tag}.input.z`, z);
    await c.out(`${tag}.input.c_concat`, parts.c_concat[0]);
    await c.out(`${tag}.input.c_crossattn`, parts.c_crossattn.slice(1, 0, 4));
    if (parts.c_adm) await c.out(`${tag}.input.c_adm`, parts.c_adm);

    await model.train();
    const random = c.tape(`${tag}.step.`);
    const { loss, log } = await noGrad(() => model.sharedStep(batch, { random }));
    await random.finish();
    await c.out(`${tag}.step.loss`, loss);
    await reportLog(c, `${tag}.step.`, log);
  }
}
