/** Learning-rate schedules (ldm/lr_scheduler.py): factors of the base rate by step. */
import type { z } from 'zod';
import { registerTarget } from '../table';
import { integer, listOf, number, options } from '../types';

const verbosity = {
  /** Steps between two printed rates; 0: none. */
  verbosity_interval: integer(0).default(0),
};

/** One warm-up and one cosine decay. */
export const warmUpCosine = options({
  warm_up_steps: integer(0),
  lr_min: number(),
  lr_max: number(),
  lr_start: number(),
  max_decay_steps: integer(1),
  ...verbosity,
});

/** Repeated cycles: all lists have one value for each cycle. */
export const cycles = options({
  warm_up_steps: listOf(integer(0)).min(1),
  f_min: listOf(number()).min(1),
  f_max: listOf(number()).min(1),
  f_start: listOf(number()).min(1),
  cycle_lengths: listOf(integer(1)).min(1),
  ...verbosity,
}).refine(
  ({ warm_up_steps, f_min, f_max, f_start, cycle_lengths }) =>
    [f_min, f_max, f_start, cycle_lengths].every((list) => list.length === warm_up_steps.length),
  'warm_up_steps, f_min, f_max, f_start and cycle_lengths have to be lists of the same length',
);
export type CycleSchedulerParams = z.output<typeof cycles>;

const scheduler = { family: 'scheduler' } as const;
registerTarget('ldm.lr_scheduler.LambdaWarmUpCosineScheduler', warmUpCosine, scheduler);
registerTarget('ldm.lr_scheduler.LambdaWarmUpCosineScheduler2', cycles, scheduler);
registerTarget('ldm.lr_scheduler.LambdaLinearScheduler', cycles, scheduler);
registerTarget('taming.lr_scheduler.LambdaWarmUpCosineScheduler', warmUpCosine, {
  ...scheduler,
  aliasOf: 'ldm.lr_scheduler.LambdaWarmUpCosineScheduler',
});
