/** `ldm txt2img`: pictures of texts, with the options, file names and seeds of the original scripts/txt2img.py. */
import type { Command } from 'commander';
import { modelZoo } from '../../models/model-zoo';
import { firstStageFactor, latentShape, textToImage } from '../../sampling/pipelines';
import { Tensor } from '../../tensor';
import { type CommandDefinition, outputOf } from '../command';
import {
  addTextOptions,
  checkLatent,
  type DrawnTexts,
  drawTexts,
  runTextCommand,
  type TextFlags,
  textsOf,
  wantedOf,
} from '../draw-texts';
import { addDrawingOptions, NO_DEFAULT, OF_MODEL, samplerOf, sizeOf } from '../drawing-options';
import { addExamples } from '../examples';
import { addModelOptions, latentModel, type ModelFlags, type OpenedModel } from '../model-options';
import { isStableDiffusion } from '../text-to-image-defaults';

interface Txt2ImgFlags extends ModelFlags, TextFlags {
  plms?: boolean;
  fixed_code?: boolean;
  H?: number;
  W?: number;
}

export const txt2img: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      ['ldm txt2img --prompt "a painting of a fox" --n_samples 4', 'draw a text'],
      [
        'ldm txt2img --from-file prompts.txt --plms --ddim_steps 50 --outdir out/fox',
        'one picture for each line, with PLMS',
      ],
      [
        'ldm txt2img --config models/ldm/stable-diffusion-v1/v1-inference.yaml --ckpt sd-v1-4.ckpt --prompt "a lighthouse"',
        'with Stable Diffusion',
      ],
    ]);
    addTextOptions(command, 'outputs/txt2img-samples', {
      steps: '200; Stable Diffusion: 50',
      n_iter: '1; Stable Diffusion: 2, or 3',
      n_samples: '4; Stable Diffusion: 3',
      scale: '5; Stable Diffusion: 7.5, or 9',
    });
    addDrawingOptions(command, { plms: NO_DEFAULT, fixed_code: NO_DEFAULT, H: OF_MODEL, W: OF_MODEL });
    addModelOptions(command, modelZoo['text2img-large']).action(async (flags: Txt2ImgFlags) => {
      const output = outputOf(command);
      samplerOf(flags);
      const texts = textsOf(flags.fromFile);
      await runTextCommand(
        flags,
        modelZoo['text2img-large'],
        output,
        (opened, signal) => draw(opened, texts, flags, signal, output),
        { seedBeforeModel: (config) => !isStableDiffusion(config) },
      );
    });
  },
};

async function draw(
  opened: OpenedModel,
  texts: readonly string[] | null,
  flags: Txt2ImgFlags,
  signal: AbortSignal,
  output: ReturnType<typeof outputOf>,
): Promise<DrawnTexts> {
  const model = latentModel(opened);
  const wanted = wantedOf(opened, flags, 'txt2img');
  const size = sizeOf(model, flags);
  const shape = latentShape(model, size);
  checkLatent(flags, shape[0], firstStageFactor(model));
  const { random } = opened;
  const startCode = flags.fixed_code
    ? Tensor.randn([wanted.n_samples, ...shape], { random, device: model.device })
    : undefined;
  const sampler = samplerOf(flags);
  const plan = {
    texts,
    wanted,
    settings: { sampler, negative_prompt: flags.negative_prompt, ...size },
    draw: (prompts: readonly string[], run: object) =>
      textToImage(model, {
        ...run,
        prompts,
        negativePrompt: flags.negative_prompt,
        scale: wanted.scale,
        sampler,
        steps: wanted.ddim_steps,
        eta: flags.ddim_eta,
        ...size,
        xT: startCode?.slice(0, 0, prompts.length),
      }),
  } as const;
  return drawTexts(opened, flags, plan, signal, output);
}
