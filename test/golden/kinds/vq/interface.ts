/** VQModelInterface: encoding before the codebook, quantization, decoding with and without it. */
import { noGrad } from '../../../../lib/job';
import type { VQModelInterface } from '../../../../lib/models/vq-model-interface';
import type { GoldenCase } from '../../runner/case';

export async function vqInterface(c: GoldenCase, model: VQModelInterface): Promise<void> {
  const h = await noGrad(() => model.encode(c.input('x')));
  await c.out('prequant', h);
  await c.out('encode', h);
  await c.out('decode', await noGrad(() => model.decode(h)));
  await c.out('decode_not_quantized', await noGrad(() => model.decode(h, { forceNotQuantize: true })));
  const { quant, loss, indices } = await noGrad(() => model.quantize(h));
  await c.out('quant', quant);
  await c.out('emb_loss', loss);
  await c.out('indices', indices);
}
