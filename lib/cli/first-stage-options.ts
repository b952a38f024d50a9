/** The options that commands with a first stage share, and how they get it. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { hasAveragedFirstStage } from '../evaluation/first-stage';
import { type LoadedModel, loadModel } from '../models/load-model';
import { UsageError } from './errors';
import { compactFor, tileOption } from './saving-options';

export interface FirstStageFlags {
  ckpt?: string;
  ema?: boolean;
  device: string;
  precision: 'fp32' | 'bf16';
  tile?: number;
}

/** Adds `--ckpt`, `--ema`, `--no-ema`, `--device`, `--precision` and `--tile`. */
export function addFirstStageOptions(command: Command): Command {
  return command
    .option('--ckpt <file>', 'checkpoint (default: checkpoints/last.ckpt, or model.ckpt beside the config)')
    .option('--ema', 'use the averaged weights of a VQ model (default: where the checkpoint has them)')
    .option('--no-ema', 'use the weights of the last step')
    .option('--device <device>', 'cpu, cuda or cuda:N', 'cpu')
    .addOption(new Option('--precision <type>', 'number format').choices(['fp32', 'bf16']).default('fp32'))
    .addOption(tileOption());
}

/** Runs `work` with the model that the flags name. @throws UsageError when --ema asks for what is not there */
export async function withFirstStage<T>(
  source: string,
  flags: FirstStageFlags,
  work: (loaded: LoadedModel) => Promise<T>,
): Promise<T> {
  const loaded = await loadModel(source, {
    checkpoint: flags.ckpt,
    device: flags.device,
    compact: compactFor(flags.precision, flags.device),
  });
  try {
    if (flags.ema && !hasAveragedFirstStage(loaded))
      throw new UsageError('There are no averaged weights of a first stage in this checkpoint: leave --ema out.');
    return await work(loaded);
  } finally {
    loaded.model.dispose();
  }
}
