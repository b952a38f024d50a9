/** `lightning.trainer`: the arguments of pytorch_lightning.Trainer (1.4) that have a meaning here. */
import { z } from 'zod';
import { anything, count, flag, integer, oneOf, options } from '../types';

export const trainer = options({
  max_epochs: count().nullable().default(null),
  /** Optimizer steps. */
  max_steps: count().nullable().default(null),
  /** Seconds; Lightning's text 'days:hours:minutes:seconds' works as well. */
  max_time: z
    .number()
    .positive()
    .or(
      z
        .string()
        .regex(/^\d+:\d+:\d+:\d+$/, 'expected seconds or "days:hours:minutes:seconds"')
        .transform(secondsOf),
    )
    .nullable()
    .default(null),
  accumulate_grad_batches: count().default(1),
  check_val_every_n_epoch: count().default(1),
  limit_val_batches: integer(0).nullable().default(null),
  log_every_n_steps: count().default(1),
  precision: oneOf('fp32', 'bf16')
    .or(z.literal(32).transform(() => 'fp32' as const))
    .default('fp32'),
  /** What to do when a loss or gradient is not finite; this project's own. */
  on_nan: oneOf('error', 'skip').default('error'),
  // Accepted because official configs and commands have them; the device is chosen by --device.
  gpus: anything().default(null),
  accelerator: anything().default(null),
  benchmark: flag().default(false),
  deterministic: flag().default(false),
  num_sanity_val_steps: integer().default(0),
  progress_bar_refresh_rate: anything().default(null),
  weights_summary: anything().default(null),
});
export type TrainerParams = z.output<typeof trainer>;

function secondsOf(text: string): number {
  const [days, hours, minutes, seconds] = text.split(':').map(Number);
  return ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}
