/** `ldm semantic`: pictures of label maps (semantic_synthesis256 and 512). */
import type { Command } from 'commander';
import { readLabelMap } from '../../data/picture-tensors';
import { modelZoo } from '../../models/model-zoo';
import { labelCountOf, latentShape, segmentationToImage } from '../../sampling/pipelines';
import type { CommandDefinition } from '../command';
import { addFileOptions, drawFromFiles, type FileFlags } from '../draw-from-files';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { addModelOptions } from '../model-options';
import { numberedPaths, outputPaths } from '../picture-files';

interface SemanticFlags extends FileFlags {
  shift_segmentation?: boolean;
}

export const semantic: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [['ldm semantic labels.png --outdir out/landscapes', 'a picture of a map of labels']]);
    command.argument(
      '<maps...>',
      "greyscale pictures whose levels are the labels (semantic_synthesis: COCO-Stuff's 182)",
    );
    addFileOptions(command, 'map', { outdir: 'outputs/semantic', eta: 1 }).option(
      '--shift_segmentation',
      'add 1 to each label, so that 255 (unlabelled) becomes 0',
    );
    addModelOptions(command, modelZoo.semantic_synthesis256).action(async (maps: string[], flags: SemanticFlags) => {
      const { steps, eta } = flags;
      const files = outputPaths(flags.outdir, maps);
      await drawFromFiles(command, flags, modelZoo.semantic_synthesis256, {
        label: 'drawing',
        sources: maps,
        expect: (model) => {
          if (labelCountOf(model) === null)
            throw new UsageError(
              `This model takes no label maps: its cond_stage_key is '${model.params.cond_stage_key}', not 'segmentation'.`,
            );
        },
        read: async (model, i) => {
          const map = await readLabelMap(maps[i], { shift: flags.shift_segmentation });
          const [, height, width] = map.shape;
          latentShape(model, { height, width }, maps[i]);
          const most = await map.max().item();
          if (most >= labelCountOf(model)!)
            throw new UsageError(
              `${maps[i]} has the label ${most}, but this model knows 0 to ${labelCountOf(model)! - 1}.`,
            );
          return { segmentation: map.expand(flags.number, height, width).to({ device: model.device }) };
        },
        draw: (model, inputs, run) => segmentationToImage(model, { ...inputs, ...run, steps, eta }),
        files: (i) => numberedPaths(files[i], flags.number),
        settings: { steps, eta },
      });
    });
  },
};
