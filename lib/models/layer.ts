/** Networks of one tensor in, one tensor out: building blocks that have no class of their own. */
import type { ResolvedParams } from '../config';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { initStages } from './init-from-ckpt';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** A network whose forward takes one tensor. `instantiateFromConfig` makes one of {@link LAYER_TARGETS}. */
export class Layer extends Module {
  /**
   * @param x as the reference's class takes it, mostly [n, channels, h, w]
   * @throws LdmError ERR_INVALID_ARGUMENT when the shape does not fit
   */
  async forward(x: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('forward', { x }, options)).y;
  }
}

const attention = 'ldm.modules.attention';
const model = 'ldm.modules.diffusionmodules.model';
const openai = 'ldm.modules.diffusionmodules.openaimodel';

/** The targets that are such networks. */
export const LAYER_TARGETS: readonly string[] = [
  `${attention}.FeedForward`,
  `${attention}.LinearAttention`,
  `${attention}.SpatialSelfAttention`,
  `${model}.AttnBlock`,
  `${model}.Decoder`,
  `${model}.Downsample`,
  `${model}.Encoder`,
  `${model}.FirstStagePostProcessor`,
  `${model}.LatentRescaler`,
  `${model}.LinAttnBlock`,
  `${model}.MergedRescaleDecoder`,
  `${model}.MergedRescaleEncoder`,
  `${model}.SimpleDecoder`,
  `${model}.UpsampleDecoder`,
  `${model}.Upsample`,
  `${model}.Upsampler`,
  `${openai}.AttentionBlock`,
  `${openai}.AttentionPool2d`,
  `${openai}.Downsample`,
  `${openai}.TransposedUpsample`,
  `${openai}.Upsample`,
];

for (const target of LAYER_TARGETS)
  registerModel(target, {
    async fromParams(params: ResolvedParams, options: CreateOptions): Promise<Layer> {
      const layer = new Layer(await createNative(target, params as NativeValue, options));
      await initStages(layer, params);
      return layer;
    },
  });
