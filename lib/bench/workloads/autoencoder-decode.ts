/** Latents through the decoder of KL-f8. */
import { noGrad } from '../../job';
import { AutoencoderKL } from '../../models/autoencoder-kl';
import { factorOf, klF8 } from '../configs';
import { forInference, inputs } from '../deterministic';
import { workload } from '../workload';
import { withoutLoss } from './autoencoder-encode';

export const autoencoderDecode = (pixels: number) =>
  workload({
    name: `kl-f8-decode-${pixels}`,
    title: `KL-f8 decode, ${pixels}x${pixels}`,
    peer: 'autoencoder_decode',
    precisions: ['fp32', 'bf16'],
    settings: (size) => {
      const config = klF8(size);
      const edge = size === 'quick' ? 16 : pixels / factorOf(config);
      return { config, shape: [1, config.embed_dim as number, edge, edge] };
    },
    async setup({ config, shape }, side) {
      const { device, precision } = side;
      const model = await AutoencoderKL.fromParams(withoutLoss(config), { device, init: 'empty' });
      await forInference(model, side);
      const latents = inputs('latents', shape);
      return {
        async run() {
          using z = latents.to({ device });
          return { outputs: { image: await noGrad(() => model.decode(z, { precision })) } };
        },
      };
    },
  });
