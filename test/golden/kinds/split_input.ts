/** split_input: the first stage and the U-Net on overlapping patches. */
import type { SplitInputParams } from '../../../lib/config/split-input';
import { noGrad } from '../../../lib/job';
import type { LatentDiffusion } from '../../../lib/models';
import type { KindHandler } from '../runner/case';

const splitInput: KindHandler = async (c) => {
  for (const [tag, params] of Object.entries(c.meta.params as Record<string, SplitInputParams>)) {
    const model = (await c.build()) as LatentDiffusion;
    await model.setSplitInputParams(params);
    const [img, z] = [c.input('img'), c.input('z')];
    const out = async (name: string, value: Parameters<typeof c.out>[1]) => c.out(`${tag}.${name}`, value);
    await noGrad(async () => {
      await out('encode', await model.encodeFirstStage(img));
      await out('decode', await model.decodeFirstStage(z));
      await out('eps', await model.applyModel(z, c.input('t'), c.input('lr')));
      const [height, width] = z.shape.slice(2);
      const { weighting, normalization } = await model.patchWeighting(height, width);
      await out('normalization', normalization);
      await out('weighting', weighting);
      const enlarged = await model.patchWeighting(height, width, { enlarge: params.vqf });
      await out('normalization_uf2', enlarged.normalization);
    });
  }
};

export default splitInput;
