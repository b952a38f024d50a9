/** `ldm inpaint`: fills in the masked parts of pictures, with the options and file names of the original scripts/inpaint.py. */
import fs from 'node:fs';
import path from 'node:path';
import type { Command } from 'commander';
import { readMask, readPicture } from '../../data/picture-tensors';
import { LdmError } from '../../errors';
import type { LatentDiffusion } from '../../models/latent-diffusion';
import { modelZoo } from '../../models/model-zoo';
import {
  inpaint as fillIn,
  inpaintByText,
  isInpaintingModel,
  isTextInpaintingModel,
  latentShape,
} from '../../sampling/pipelines';
import type { Tensor } from '../../tensor';
import type { CommandDefinition } from '../command';
import { drawFromFiles } from '../draw-from-files';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { addModelOptions, type ModelFlags } from '../model-options';
import { integerFrom, numberWithin } from '../values';

interface InpaintFlags extends ModelFlags {
  indir: string;
  outdir: string;
  steps: number;
  prompt?: string;
  negative_prompt?: string;
  scale?: number;
}

interface Pair {
  image: string;
  mask: string;
}

export const inpaint: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      [
        'ldm inpaint --indir data/inpainting_examples --outdir out/inpainted',
        'pairs example.png and example_mask.png, white where to fill in',
      ],
    ]);
    command
      .requiredOption('--indir <dir>', 'folder of pictures and masks (`example.png` and `example_mask.png`)')
      .requiredOption('--outdir <dir>', 'folder for the results, which keep the names of the pictures')
      .option('--steps <n>', 'DDIM steps', integerFrom(1), 50)
      .option('--prompt <text>', 'what to fill in (needed by Stable Diffusion only)')
      .option('--negative_prompt <text>', 'what guidance leads away from (Stable Diffusion only)')
      .option('--scale <x>', 'guidance (Stable Diffusion only; default: 10)', numberWithin(0));
    addModelOptions(command, modelZoo.inpainting_big).action(async (flags: InpaintFlags) => {
      const pairs = pairsIn(flags.indir);
      if (path.resolve(flags.indir) === path.resolve(flags.outdir))
        throw new UsageError('--outdir is --indir: the results would replace the pictures.');
      await drawFromFiles(command, flags, modelZoo.inpainting_big, {
        label: 'inpainting',
        sources: pairs.map((pair) => pair.image),
        expect: (model) => {
          if (isTextInpaintingModel(model)) return needPrompt(flags);
          if (flags.prompt ?? flags.negative_prompt ?? flags.scale)
            throw new UsageError('This model takes no text: leave --prompt, --negative_prompt and --scale out.');
          if (!isInpaintingModel(model))
            throw new UsageError(
              `This model does not inpaint: its cond_stage_key is '${model.params.cond_stage_key}', not 'masked_image'.`,
            );
        },
        read: (model, i) => readPair(model, pairs[i]),
        draw: (model, inputs, run) =>
          isTextInpaintingModel(model)
            ? inpaintByText(model, { ...inputs, ...run, ...textsOf(flags), steps: flags.steps })
            : fillIn(model, { ...inputs, ...run, steps: flags.steps }),
        files: (i) => [path.join(flags.outdir, path.basename(pairs[i].image))],
        settings: { steps: flags.steps, ...(flags.prompt === undefined ? {} : textsOf(flags)) },
      });
    });
  },
};

function needPrompt({ prompt }: InpaintFlags): void {
  if (prompt === undefined) throw new UsageError('This model fills in what a text says: give it with --prompt "...".');
}

const textsOf = ({ prompt, negative_prompt, scale }: InpaintFlags) => ({
  prompts: [prompt!],
  negativePrompt: negative_prompt,
  scale,
});

/** Pictures and their masks in the order of their names. */
function pairsIn(folder: string): Pair[] {
  if (!fs.existsSync(folder) || !fs.statSync(folder).isDirectory())
    throw new LdmError('ERR_FILE', `There is no folder ${folder}.`);
  const masks = fs.readdirSync(folder).filter((name) => name.endsWith('_mask.png') && !name.startsWith('.'));
  if (masks.length === 0)
    throw new LdmError(
      'ERR_FILE',
      `There are no masks in ${folder}: expected pairs such as example.png and example_mask.png (white where to fill in).`,
    );
  return masks.sort().map((name) => {
    const pair = { mask: path.join(folder, name), image: path.join(folder, name.replace('_mask.png', '.png')) };
    if (!fs.existsSync(pair.image))
      throw new LdmError('ERR_FILE', `There is no ${pair.image}, the picture that ${pair.mask} belongs to.`);
    return pair;
  });
}

async function readPair(model: LatentDiffusion, pair: Pair): Promise<{ image: Tensor; mask: Tensor }> {
  const [image, mask] = await Promise.all([readPicture(pair.image), readMask(pair.mask)]);
  const size = ({ shape }: Tensor) => `${shape[3]} x ${shape[2]}`;
  if (size(image) !== size(mask))
    throw new LdmError(
      'ERR_DATA',
      `Expected a picture and a mask of one size but ${pair.image} has ${size(image)} pixels and ${pair.mask} ${size(mask)}.`,
    );
  latentShape(model, { height: image.shape[2], width: image.shape[3] }, pair.image);
  return { image: image.to({ device: model.device }), mask: mask.to({ device: model.device }) };
}
