/** `ldm init`: configs for a folder of images of one's own. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type InitResult, initConfigs, type Machine, PROPOSED_SIZES } from '../../init';
import { inspectConfig } from '../../inspect';
import { type CommandDefinition, outputOf } from '../command';
import { addExamples } from '../examples';
import { formatCount } from '../format';
import { interruptible } from '../interrupt';
import { integerFrom } from '../values';

/** Fewer images than this are learned by heart. */
const FEW = 1000;

interface InitFlags {
  out: string;
  name?: string;
  for?: Machine;
  size?: number;
  batch?: number;
  logdir: string;
  force?: boolean;
}

export const init: CommandDefinition = {
  configure(command: Command) {
    command
      .argument('<images>', 'folder of images; sub-folders are classes, captions.txt or captions.jsonl tell captions')
      .option('-o, --out <dir>', 'folder for the configs', 'configs')
      .option('--name <name>', "first part of the configs' names (default: that of the folder)")
      .addOption(
        new Option('--for <machine>', 'what to propose for (default: a GPU where there is one, else the CPU)').choices([
          'cpu',
          'gpu',
        ]),
      )
      .option(
        '--size <n>',
        `side of the images, one of ${PROPOSED_SIZES.join(', ')} (default: what they allow)`,
        sideOf,
      )
      .option('--batch <n>', 'images at a time (default: by size and machine)', integerFrom(1))
      .option('-l, --logdir <dir>', 'parent of the log folders', 'logs')
      .option('--force', 'replace configs that are there');
    addExamples(command, [
      ['ldm init photos/', 'look at a folder and write configs/photos-autoencoder.yaml and configs/photos-ldm.yaml'],
      ['ldm init flowers/ --size 128 --for gpu --name flowers128', 'choose size and machine'],
    ]);
    command.action(async (images: string, flags: InitFlags) => {
      const output = outputOf(command);
      await interruptible(async (signal) => {
        const result = await initConfigs(images, { ...flags, machine: flags.for, signal });
        const parameters = {
          autoencoder: await parametersOf(result.autoencoder),
          diffusion: await parametersOf(result.diffusion),
        };
        const { unreadable, images: count } = result.survey;
        if (unreadable.length > 0)
          output.warn(`${unreadable.length} of the images looked at cannot be read, such as ${unreadable[0]}`);
        if (count < FEW)
          output.note(`${count} images are few: a diffusion model learns them by heart. Some thousands let it invent.`);
        const next = [`ldm train --base ${result.autoencoder} -t`, `ldm train --base ${result.diffusion} -t`];
        output.result({ ...result, parameters, next }, () => describe(result, parameters, next));
      });
    });
  },
};

function sideOf(text: string): number {
  if (PROPOSED_SIZES.includes(Number(text))) return Number(text);
  throw new InvalidArgumentError(`Expected one of ${PROPOSED_SIZES.join(', ')}. Other sizes: edit the config.`);
}

/** The network's own parameters: what is trained. */
async function parametersOf(config: string): Promise<number> {
  return (await inspectConfig(config)).parameters!.trainable;
}

function describe(
  { survey, proposal, autoencoder, diffusion, schema }: InitResult,
  parameters: { autoencoder: number; diffusion: number },
  next: readonly string[],
): string {
  const { size, factor, autoencoder: a, diffusion: d, machine } = proposal;
  const { images, classes, captions, shorterSide } = survey;
  const conditions = captions ? 'with captions' : classes.length > 0 ? `${classes.length} classes` : 'no classes';
  const side = size / factor;
  return [
    `images           ${images}, ${conditions}, shorter sides ${shorterSide.smallest} or more, half of them ${shorterSide.median} or more`,
    `proposal         ${size} x ${size} pixels on a ${machine.toUpperCase()}, latents ${side} x ${side} x ${a.channels}`,
    `autoencoder      ${formatCount(parameters.autoencoder)} parameters, batches of ${a.batch}, ${a.steps} steps: ${autoencoder}`,
    `diffusion model  ${formatCount(parameters.diffusion)} parameters, batches of ${d.batch}, ${d.steps} steps: ${diffusion}`,
    `for editors      ${schema}`,
    '',
    'Read the comments in both, then (ldm train says how long it will take; Ctrl-C saves, and what is saved can be drawn with):',
    ...next.map((line) => `  ${line}`),
  ].join('\n');
}
