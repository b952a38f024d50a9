/** `ldm layout2img`: pictures of layouts, boxes with classes (layout2img-openimages256). */
import fs from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import type { ResolvedNode } from '../../config';
import { layoutBuilder, layoutTokens, openImagesLayoutClasses, readLayout } from '../../data/objects/layout-file';
import { LdmError } from '../../errors';
import { modelZoo } from '../../models/model-zoo';
import { layoutPictures } from '../../pictures/layout-pictures';
import { isLayoutModel, latentShape, layoutToImage } from '../../sampling/pipelines';
import { Tensor } from '../../tensor';
import type { CommandDefinition } from '../command';
import { addFileOptions, drawFromFiles, type FileFlags } from '../draw-from-files';
import { addDrawingOptions, OF_MODEL, sizeOf } from '../drawing-options';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { addModelOptions } from '../model-options';
import { numberedPaths, outputPaths, savePicture, takePictures } from '../picture-files';

interface LayoutFlags extends FileFlags {
  H?: number;
  W?: number;
  classes?: string;
}

export const layout2img: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [['ldm layout2img layout.json --outdir out/layouts', 'a picture of boxes with classes']]);
    command.argument('<layouts...>', 'JSON files such as [{"class": "Dog", "box": [0.1, 0.4, 0.35, 0.5]}]');
    addFileOptions(command, 'layout', { outdir: 'outputs/layout2img', eta: 0 });
    addDrawingOptions(command, { H: OF_MODEL, W: OF_MODEL })
      .option('--classes <file>', "names of the model's classes, one a line (default: those of Open Images)")
      .addHelpText(
        'after',
        '\nA box is left, top, width and height as parts of the picture. An object may have "group", "occluded",\n"depiction" and "inside": true. Beside each result lies its layout as a picture.',
      );
    addModelOptions(command, modelZoo['layout2img-openimages256']).action(
      async (layouts: string[], flags: LayoutFlags) => {
        const { steps, eta } = flags;
        const files = outputPaths(flags.outdir, layouts);
        const classes = flags.classes === undefined ? openImagesLayoutClasses() : linesOf(flags.classes);
        const objects = layouts.map((file) => readLayout(file, classes));
        await drawFromFiles(command, flags, modelZoo['layout2img-openimages256'], {
          label: 'drawing',
          sources: layouts,
          expect: (model) => {
            if (!isLayoutModel(model))
              throw new UsageError(
                `This model takes no layouts: its cond_stage_key is '${model.params.cond_stage_key}', not 'coordinates_bbox'.`,
              );
          },
          read: async (model, i) => {
            latentShape(model, sizeOf(model, flags));
            const { params } = model.params.cond_stage_config as ResolvedNode;
            const builder = layoutBuilder(classes, params as { max_seq_len: number; vocab_size: number });
            const tokens = layoutTokens(objects[i], builder);
            const one = Tensor.from(BigInt64Array.from(tokens, BigInt), [1, tokens.length], { device: model.device });
            return { tokens: one.expand(flags.number, tokens.length) };
          },
          draw: (model, inputs, run) =>
            layoutToImage(model, { ...inputs, ...run, ...sizeOf(model, flags), steps, eta }),
          beside: async (model, i) => {
            const boxes = objects[i].map(({ name, bbox }) => ({ label: name, box: bbox }));
            const drawn = await layoutPictures([{ objects: boxes, crop: null }], sizeOf(model, flags));
            const file = files[i].replace(/\.png$/, '_layout.png');
            await savePicture(file, await takePictures(drawn.add(1).div(2)), 0, { source: layouts[i] });
            return [file];
          },
          files: (i) => numberedPaths(files[i], flags.number),
          settings: { steps, eta },
        });
      },
    );
  },
};

function linesOf(file: string): string[] {
  try {
    return fs.readFileSync(file, 'utf8').trimEnd().split(/\r?\n/);
  } catch (error) {
    throw new LdmError('ERR_FILE', `Cannot read ${path.resolve(file)}: ${(error as Error).message}`, { cause: error });
  }
}
