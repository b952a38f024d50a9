/** `ldm superres`: enlarges pictures, as the original notebook does it with bsr_sr. */
import type { Command } from 'commander';
import { readPicture } from '../../data/picture-tensors';
import { modelZoo } from '../../models/model-zoo';
import {
  firstStageFactor,
  isSuperResolutionModel,
  isTextUpscalingModel,
  latentShape,
  superResolve,
  upscaleByText,
} from '../../sampling/pipelines';
import type { CommandDefinition } from '../command';
import { drawFromFiles } from '../draw-from-files';
import { UsageError } from '../errors';
import { addExamples } from '../examples';
import { addModelOptions, type ModelFlags } from '../model-options';
import { outputPaths } from '../picture-files';
import { integerFrom, numberWithin } from '../values';

interface SuperResFlags extends ModelFlags {
  outdir: string;
  steps?: number;
  eta?: number;
  prompt?: string;
  negative_prompt?: string;
  scale?: number;
  noise_level?: number;
  whole?: boolean;
}

/** What the original programs begin with. */
const DEFAULTS = { bsr_sr: { steps: 100, eta: 1 }, upscaler: { steps: 50, eta: 0 } };
const PROMPT = 'a high quality professional photograph';

export const superres: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [['ldm superres photo.png --outdir out/large', 'four times as large']]);
    command
      .argument('<images...>', 'small pictures')
      .option('--outdir <dir>', 'folder for the results, which keep the names of the pictures', 'outputs/superres')
      .option('-c, --steps <n>', "DDIM steps (default: 100; Stable Diffusion's upscaler: 50)", integerFrom(1))
      .option('-e, --eta <x>', "noise of DDIM, 0 to 1 (default: 1; Stable Diffusion's upscaler: 0)", numberWithin(0, 1))
      .option('--whole', 'work on a large picture at once, not in overlapping patches as the original (more memory)')
      .option('--prompt <text>', `what is on the pictures (Stable Diffusion only; default: ${PROMPT})`)
      .option('--negative_prompt <text>', 'what guidance leads away from (Stable Diffusion only)')
      .option('--scale <x>', 'guidance (Stable Diffusion only; default: 9)', numberWithin(0))
      .option('--noise_level <n>', 'noise on the small pictures (Stable Diffusion only; default: 20)', integerFrom(0));
    addModelOptions(command, modelZoo.bsr_sr).action(async (images: string[], flags: SuperResFlags) => {
      const { steps, eta, prompt = PROMPT, negative_prompt: negativePrompt, scale, noise_level: noiseLevel } = flags;
      const texts = { prompts: [prompt], negativePrompt, scale, noiseLevel };
      const said = flags.prompt ?? negativePrompt ?? scale ?? noiseLevel;
      const files = outputPaths(flags.outdir, images);
      await drawFromFiles(command, flags, modelZoo.bsr_sr, {
        label: 'enlarging',
        sources: images,
        expect: (model) => {
          if (isTextUpscalingModel(model)) return;
          if (said !== undefined)
            throw new UsageError(
              'This model takes no text: leave --prompt, --negative_prompt, --scale and --noise_level out.',
            );
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
        draw: (model, inputs, run) =>
          isTextUpscalingModel(model)
            ? upscaleByText(model, { ...DEFAULTS.upscaler, ...inputs, ...run, ...given({ steps, eta }), ...texts })
            : superResolve(model, {
                ...DEFAULTS.bsr_sr,
                ...inputs,
                ...run,
                ...given({ steps, eta }),
                ...(flags.whole ? { splitInput: null } : {}),
              }),
        files: (i) => [files[i]],
        settings: given({ steps, eta, whole: flags.whole, ...(said === undefined ? {} : texts) }),
      });
    });
  },
};

/** What is not undefined. */
function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
