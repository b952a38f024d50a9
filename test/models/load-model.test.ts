/** Models of files and folders, as commands and the web demo open them. */
import { noGrad } from '../../lib/job';
import { bundledModel } from '../../lib/models/bundled-model';
import type { LatentDiffusion } from '../../lib/models/latent-diffusion';
import { loadModel } from '../../lib/models/load-model';
import { Tensor } from '../../lib/tensor';

test('without averages in the file, the averaged weights are the weights', async () => {
  // Its config trains with a moving average; the file holds the averages in the place of the weights.
  const loaded = await loadModel(bundledModel());
  using model = loaded.model as LatentDiffusion;
  expect([loaded.hasEma, model.params.use_ema]).toEqual([false, false]);
  const x = Tensor.randn([1, 8, 8, 8], { seed: 1 });
  const t = Tensor.from(BigInt64Array.of(500n));
  const cond = await noGrad(() => model.getLearnedConditioning(['red heart']));
  const predict = () => noGrad(() => model.applyModel(x, t, cond));
  const [plain, averaged] = [await predict(), await model.emaScope(predict)];
  expect(await averaged.sub(plain).abs().max().item()).toBe(0);
  const size = await plain.abs().max().item();
  expect([size > 0.5, size < 10]).toEqual([true, true]);
});
