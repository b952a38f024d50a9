/** Pictures through the encoder of KL-f8, to the mode of the posterior. */
import { noGrad } from '../../job';
import { AutoencoderKL } from '../../models/autoencoder-kl';
import { klF8 } from '../configs';
import { forInference, inputs } from '../deterministic';
import { workload } from '../workload';

export const autoencoderEncode = (pixels: number) =>
  workload({
    name: `kl-f8-encode-${pixels}`,
    title: `KL-f8 encode, ${pixels}x${pixels}`,
    peer: 'autoencoder_encode',
    precisions: ['fp32', 'bf16'],
    settings: (size) => {
      const edge = size === 'quick' ? 32 : pixels;
      return { config: klF8(size), shape: [1, 3, edge, edge] };
    },
    async setup({ config, shape }, side) {
      const { device, precision } = side;
      const model = await AutoencoderKL.fromParams(withoutLoss(config), { device, init: 'empty' });
      await forInference(model, side);
      const images = inputs('images', shape);
      return {
        async run() {
          using x = images.to({ device });
          using posterior = await noGrad(() => model.encode(x, { precision }));
          const latent = await posterior.mode();
          return { outputs: { latent } };
        },
      };
    },
  });

/** Only training has a loss. */
export const withoutLoss = <P extends object>(config: P): P => ({
  ...config,
  lossconfig: { target: 'torch.nn.Identity', params: {} },
});
