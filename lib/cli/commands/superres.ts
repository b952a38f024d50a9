/** `ldm superres`: enlarges pictures, as the original notebook does it with bsr_sr. */
import type { Command } from 'commander';
import { readPicture } from '../../data/picture-tensors';
import { modelZoo } from '../../models/model-zoo';
import { firstStageFactor, isSuperResolutionModel, latentShape, superResolve } from '../../sampling/pipelines';
import type { CommandDefinition } from '../command';
import { drawFromFiles } from '../draw-from-files';
import { UsageError } from '../errors';
import { addModelOptions, type ModelFlags } from '../model-options';
import { outputPaths } from '../picture-files';
import { integerFrom, numberWithin } from '../values';

interface SuperResFlags extends ModelFlags {
  outdir: string;
  steps: number;
  eta: number;
}

export const superres: CommandDefinition = {
  configure(command: Command) {
    command
      .argument('<images...>', 'small pictures')
      .option('--outdir <dir>', 'folder for the results, which keep the names of the pictures', 'outputs/superres')
      .option('-c, --steps <n>', 'DDIM steps', integerFrom(1), 100)
      .option('-e, --eta <x>', 'noise of DDIM, 0 to 1', numberWithin(0, 1), 1);
    addModelOptions(command, modelZoo.bsr_sr).action(async (images: string[], flags: SuperResFlags) => {
      const { steps, eta } = flags;
      const files = outputPaths(flags.outdir, images);
      await drawFromFiles(command, flags, modelZoo.bsr_sr, {
        label: 'enlarging',
        sources: images,
        expect: (model) => {
          if (!isSuperResolutionModel(model))
            throw new UsageError(
              `This model does not enlarge: its cond_stage_key is '${model.params.cond_stage_key}', not 'LR_image'.`,
            );
        },
        read: async (model, i) => {
          const image = await readPicture(images[i]);
          const factor = firstStageFactor(model);
          const [, , height, width] = image.shape;
          latentShape(model, { height: height * factor, width: width * factor }, `${images[i]} times ${factor}`);
          return { image: image.to({ device: model.device }) };
        },
        draw: (model, inputs, run) => superResolve(model, { ...inputs, ...run, steps, eta }),
        files: (i) => [files[i]],
        settings: { steps, eta },
      });
    });
  },
};
