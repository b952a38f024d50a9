/** wrapper_keys: the conditioning keys of DiffusionWrapper through applyModel. */
import { noGrad } from '../../../lib/job';
import type { LatentDiffusion } from '../../../lib/models';
import type { Conditioning } from '../../../lib/sampling';
import type { KindHandler } from '../runner/case';

const wrapperKind: KindHandler = async (c) => {
  const [x, t, concat, cross, cross2, y] = ['x', 't', 'concat', 'cross', 'cross2', 'y'].map((name) => c.input(name));
  const conditions: Record<string, Conditioning | null> = {
    none: null,
    concat,
    crossattn: cross,
    crossattn_list: [cross, cross2],
    hybrid: { c_concat: [concat], c_crossattn: [cross] },
    adm: y,
  };
  for (const [tag, cond] of Object.entries(conditions)) {
    const model = (await c.build(c.meta.configs[tag])) as LatentDiffusion;
    await c.out(`${tag}.eps`, await noGrad(() => model.applyModel(x, t, cond)));
  }
};

export default wrapperKind;
