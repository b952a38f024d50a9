/** `ldm img2img`: a picture changed as a text says, with the options, file names and seeds of the original scripts/img2img.py. */
import type { Command } from 'commander';
import { readPicture } from '../../data/picture-tensors';
import { modelZoo } from '../../models/model-zoo';
import {
  encodePictures,
  firstStageFactor,
  imageToImage,
  latentMultiple,
  latentShape,
  stepOfStrength,
} from '../../sampling/pipelines';
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
import { addExamples } from '../examples';
import { addModelOptions, latentModel, type ModelFlags, type OpenedModel } from '../model-options';
import { numberWithin } from '../values';

interface Img2ImgFlags extends ModelFlags, TextFlags {
  initImg: string;
  strength?: number;
}

export const img2img: CommandDefinition = {
  configure(command: Command) {
    addExamples(command, [
      [
        'ldm img2img --init-img sketch.png --prompt "a fantasy landscape" --strength 0.8',
        'the sketch gives the composition',
      ],
    ]);
    addTextOptions(command, 'outputs/img2img-samples', {
      steps: '50',
      n_iter: '1',
      n_samples: '2',
      scale: '5; Stable Diffusion 2: 9',
    })
      .requiredOption('--init-img <file>', 'the picture to begin with')
      .option(
        '--strength <x>',
        'how much of the picture is lost, 0 to 1 (default: 0.75; Stable Diffusion 2: 0.8)',
        numberWithin(0, 1),
      )
      .option('--fixed_code', 'accepted for the original script, which makes no use of it');
    addModelOptions(command, modelZoo['stable-diffusion-v1']).action(async (flags: Img2ImgFlags) => {
      const output = outputOf(command);
      const texts = textsOf(flags.fromFile);
      await runTextCommand(flags, modelZoo['stable-diffusion-v1'], output, (opened, signal) =>
        draw(opened, texts, flags, signal, output),
      );
    });
  },
};

async function draw(
  opened: OpenedModel,
  texts: readonly string[] | null,
  flags: Img2ImgFlags,
  signal: AbortSignal,
  output: ReturnType<typeof outputOf>,
): Promise<DrawnTexts> {
  const model = latentModel(opened);
  const wanted = wantedOf(opened, flags, 'img2img');
  const strength = flags.strength ?? wanted.strength;
  const multiple = leastCommonMultiple(wanted.sizeMultiple, firstStageFactor(model) * latentMultiple(model));
  using picture = await readPicture(flags.initImg, { multiple });
  const [, , height, width] = picture.shape;
  const shape = latentShape(model, { height, width }, flags.initImg);
  checkLatent(flags, shape[0], firstStageFactor(model));
  const { random, precision, tile } = opened;
  const images = picture.to({ device: model.device }).expand(wanted.n_samples, 3, height, width);
  using latents = await encodePictures(model, images, { random, precision, tile, signal });
  output.note(
    `${stepOfStrength(strength, wanted.ddim_steps)} of ${wanted.ddim_steps} steps, ${width} x ${height} pixels`,
  );
  const plan = {
    texts,
    wanted,
    settings: { sampler: 'ddim', init: flags.initImg, strength, negative_prompt: flags.negative_prompt, height, width },
    draw: (prompts: readonly string[], run: object) =>
      imageToImage(model, {
        ...run,
        prompts,
        latents: latents.slice(0, 0, prompts.length),
        strength,
        negativePrompt: flags.negative_prompt,
        scale: wanted.scale,
        steps: wanted.ddim_steps,
        eta: flags.ddim_eta,
      }),
  };
  return drawTexts(opened, flags, plan, signal, output);
}

function leastCommonMultiple(a: number, b: number): number {
  const divisor = (x: number, y: number): number => (y === 0 ? x : divisor(y, x % y));
  return (a * b) / divisor(a, b);
}
