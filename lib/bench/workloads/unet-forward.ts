/** One evaluation of a U-Net. */
import type { ResolvedNode, ResolvedParams } from '../../config';
import { noGrad } from '../../job';
import { UNetModel } from '../../models/unet-model';
import { Tensor } from '../../tensor';
import { churches, textToImageUnet } from '../configs';
import { forInference, inputs } from '../deterministic';
import { type Workload, workload } from '../workload';

interface UnetSettings extends Record<string, unknown> {
  config: ResolvedParams;
  shape: number[];
  timestep: number;
  /** [n, tokens, context_dim] */
  context: number[] | null;
  /** Of guidance; the first half of the batch is without the condition. 1: none. */
  scale: number;
}

/** LSUN churches, a latent of 32x32. */
export const churchesForward = () =>
  forward({
    name: 'churches-unet',
    title: 'lsun_churches U-Net, one latent',
    settings: (size) => ({
      config: (churches(size).unet_config as ResolvedNode).params,
      shape: size === 'quick' ? [1, 4, 16, 16] : [1, 4, 32, 32],
      timestep: 500,
      context: null,
      scale: 1,
    }),
  });

/** Text to image with guidance: one latent of 32x32 with its text and without. */
export const textToImageForward = () =>
  forward({
    name: 'text-to-image-unet',
    title: 'text-to-image U-Net with guidance, one latent',
    settings: (size) => {
      const config = textToImageUnet(size);
      return {
        config,
        shape: size === 'quick' ? [2, 4, 16, 16] : [2, 4, 32, 32],
        timestep: 500,
        context: [2, 77, config.context_dim as number],
        scale: 5,
      };
    },
  });

function forward(about: Pick<Workload<UnetSettings>, 'name' | 'title' | 'settings'>): Workload {
  return workload({
    ...about,
    peer: 'unet_forward',
    precisions: ['fp32', 'bf16'],
    async setup({ config, shape, timestep, context, scale }, side) {
      const { device, precision } = side;
      const unet = await UNetModel.fromParams(config, { device, init: 'empty' });
      await forInference(unet, side);
      const x = inputs('latents', shape, device);
      const t = Tensor.full([shape[0]], timestep, { dtype: 'int64', device });
      const conditions = context ? { context: inputs('context', context, device) } : {};
      return {
        async run() {
          const eps = await noGrad(() => unet.forward(x, t, conditions, { precision }));
          if (scale === 1) return { outputs: { eps } };
          const half = shape[0] / 2;
          const [without, withCondition] = [eps.slice(0, 0, half), eps.slice(0, half, shape[0])];
          return { outputs: { eps: without.add(withCondition.sub(without).mul(scale)) } };
        },
      };
    },
  });
}
