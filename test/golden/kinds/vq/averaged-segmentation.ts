/** VQModel with use_ema, batch_resize_range and colorize_nlabels: input, colours, averaged weights, one update of them. */
import { noGrad } from '../../../../lib/job';
import type { VQModel } from '../../../../lib/models/vq-model';
import type { GoldenCase } from '../../runner/case';

export async function averagedSegmentation(c: GoldenCase, model: VQModel): Promise<void> {
  const key = c.model!.params!.image_key;
  const x = await model.getInput({ [key]: c.input('segmentation_nhwc') });
  await c.out('get_input_resized', x);
  await c.out('to_rgb', await noGrad(() => model.toRgb(x)));
  const decode = async () => (await noGrad(() => model.forward(x))).reconstructions;
  await c.out('dec', await decode());
  await c.out('dec_ema', await model.emaScope(decode));
  await model.onTrainBatchEnd();
  const state = await model.stateDict();
  await c.out('ema_decay_used_num_updates', state.get('model_ema.num_updates')!);
  await c.out('ema_after_update.encoder.conv_in.weight', state.get('model_ema.encoderconv_inweight')!);
}
