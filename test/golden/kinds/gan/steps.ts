/** Training of a first stage against its discriminator, batch by batch, as the cases report it. */
import type { TrainableAutoencoder } from '../../../../lib/models/trainable-autoencoder';
import type { Tape } from '../../../../lib/random';
import type { Tensor } from '../../../../lib/tensor';
import type { GoldenCase } from '../../runner/case';
import { logged } from '../../runner/logged';
import { updates } from '../../runner/tables';

/** Parameters whose values are compared after the last step. */
const TRACKED = [
  'encoder.conv_in.weight',
  'encoder.norm_out.bias',
  'decoder.conv_out.weight',
  'decoder.conv_out.bias',
  'quant_conv.weight',
  'post_quant_conv.bias',
  'loss.logvar',
  'loss.discriminator.main.0.weight',
  'quantize.embedding.weight',
];

/**
 * Trains one step on each image batch [b, c, h, w] from `globalStep` on, and reports losses, logs and updates as
 * `step<i>.*`. Optimizers must be there.
 */
export async function ganSteps(
  c: GoldenCase,
  model: TrainableAutoencoder,
  images: readonly Tensor[],
  globalStep: number,
  random: Tape,
): Promise<void> {
  await model.train();
  for (const [i, image] of images.entries()) {
    const before = await copies(model);
    const batch = { [c.model!.params!.image_key ?? 'image']: image.permute(0, 2, 3, 1) };
    const args = { batch, batchIdx: i, globalStep: globalStep + i, log: true, step: true, accumulate: 1 };
    const { turns } = await model.trainBatch(args, { random });
    for (const [k, turn] of turns.entries()) {
      await c.out(`step${i}.opt${k}.loss`, logged('loss', turn.loss));
      for (const [name, value] of Object.entries(turn.log))
        await c.out(`step${i}.opt${k}.log.${name}`, logged(name, value));
    }
    const after = [...(await model.stateDict())].filter(([name]) => before.has(name));
    const { names, table } = await updates(before, after);
    c.expectEqual(`step${i}.checksum_names`, names, c.meta.checksum_names);
    await c.out(`step${i}.updates`, table);
    for (const tensor of before.values()) tensor.dispose();
  }
}

/** Reports `after.*`: the tracked parameters and, where asked for, running statistics. */
export async function reportAfter(c: GoldenCase, model: TrainableAutoencoder, statistics: boolean): Promise<void> {
  for (const [name, tensor] of await model.stateDict())
    if (TRACKED.includes(name) || (statistics && /running|num_batches/.test(name)))
      await c.out(`after.${name}`, tensor);
}

/** What a step can change: floating point tensors outside of LPIPS. */
async function copies(model: TrainableAutoencoder): Promise<Map<string, Tensor>> {
  const state = await model.stateDict();
  const changing = [...state].filter(([name, t]) => t.dtype === 'float32' && !name.includes('perceptual_loss'));
  return new Map(changing.map(([name, t]) => [name, t.detach().clone()]));
}
