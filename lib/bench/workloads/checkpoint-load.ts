/** A PyTorch checkpoint of 1.2 GB into a network that is there. */
import path from 'node:path';
import { readCheckpoint, writeTorchFile } from '../../checkpoint';
import type { ResolvedNode } from '../../config';
import { UNetModel } from '../../models/unet-model';
import type { Tensor } from '../../tensor';
import { churches } from '../configs';
import { fill } from '../deterministic';
import { workload } from '../workload';

export const checkpointLoad = () =>
  workload({
    name: 'checkpoint-load',
    title: 'checkpoint of 1.2 GB into the lsun_churches U-Net',
    peer: 'checkpoint_load',
    tolerance: { fp32: 0 },
    settings: (size) => ({
      config: (churches(size).unet_config as ResolvedNode).params,
      file: 'model.ckpt',
      compared: ['time_embed.0.weight', 'out.2.weight'],
    }),
    async prepare({ config, file }, folder) {
      const unet = await UNetModel.fromParams(config, { init: 'empty' });
      await fill(unet);
      await writeTorchFile(path.join(folder, file), new Map([['state_dict', await unet.stateDict()]]));
      unet.dispose();
    },
    async setup({ config, file, compared }, { device, folder }) {
      const unet = await UNetModel.fromParams(config, { device, init: 'empty' });
      return {
        async run() {
          using checkpoint = await readCheckpoint(path.join(folder, file));
          await unet.loadStateDict(checkpoint.stateDict);
          const state = await unet.stateDict();
          return { outputs: Object.fromEntries(compared.map((name): [string, Tensor] => [name, state.get(name)!])) };
        },
      };
    },
  });
