/** VQModel: encoding to codes, decoding, lookup of codes by index, forward. */
import { noGrad } from '../../../../lib/job';
import type { VQModel } from '../../../../lib/models/vq-model';
import type { GoldenCase } from '../../runner/case';

export async function vqModel(c: GoldenCase, model: VQModel): Promise<void> {
  const x = c.input('x');
  const prequant = await noGrad(() => model.encodeToPrequant(x));
  await c.out('prequant', prequant);
  await c.out('encode_to_prequant', prequant);
  const { quant, loss, indices } = await noGrad(() => model.encode(x));
  await c.out('quant', quant);
  await c.out('emb_loss', loss);
  await c.out('indices', indices);
  await c.out('decode', await noGrad(() => model.decode(quant)));
  const [b, , h, w] = quant.shape;
  await c.out('codebook_entry', await noGrad(() => model.codebookEntry(indices.reshape(b, h, w))));
  const forward = await noGrad(() => model.forward(x));
  await c.out('forward_dec', forward.reconstructions);
  await c.out('forward_diff', forward.loss);
}
