/**
 * The learning rates of a run: the base rate of each optimizer times the model's schedule (torch.optim's LambdaLR) times a
 * factor that the run may add.
 */
import type { Checkpoint } from '../checkpoint';
import type { LrScheduler } from '../models/lr-schedulers';
import type { LearningRateSchedule } from './trainer-options';

export class LearningRates {
  #bases: readonly number[];
  readonly #scheduler: LrScheduler | null;
  readonly #factor: LearningRateSchedule | null;
  /** Steps by which the schedule is ahead of the run's counter. */
  #ahead = 0;

  /** @param bases rate of each optimizer before any factor */
  constructor(
    bases: readonly number[],
    options: { scheduler?: LrScheduler | null; factor?: LearningRateSchedule | null } = {},
  ) {
    this.#bases = bases;
    this.#scheduler = options.scheduler ?? null;
    this.#factor = options.factor ?? null;
  }

  /** Rate of each optimizer before any factor. */
  get bases(): readonly number[] {
    return this.#bases;
  }
  /** Whether the model has a schedule of its own. */
  get scheduled(): boolean {
    return this.#scheduler !== null;
  }

  /**
   * The rate of each optimizer in the step that follows `globalStep` steps.
   * @param fraction how much of the run is over, 0 to 1
   */
  at(globalStep: number, fraction: number): number[] {
    const schedule = this.#scheduler?.schedule(globalStep + this.#ahead) ?? 1;
    const factor = this.#factor?.(globalStep, fraction) ?? 1;
    return this.#bases.map((rate) => rate * schedule * factor);
  }

  /** torch's `state_dict()` of the LambdaLR of each optimizer; empty without a schedule. */
  lambdaStates(globalStep: number): Record<string, unknown>[] {
    if (!this.#scheduler) return [];
    const step = globalStep + this.#ahead;
    const factor = this.#scheduler.schedule(step);
    return this.#bases.map((rate) => ({
      base_lrs: [rate],
      last_epoch: step,
      verbose: false,
      _step_count: step + 1,
      _get_lr_called_within_step: false,
      _last_lr: [rate * factor],
      lr_lambdas: [{}],
    }));
  }

  /**
   * Continues as torch does from the states of a checkpoint: the rates and the place in the schedule are the file's, not the
   * config's.
   * @param globalStep the checkpoint's counter
   */
  restore(
    globalStep: number,
    { optimizerStates, lrSchedulers }: Pick<Checkpoint, 'optimizerStates' | 'lrSchedulers'>,
  ): void {
    if (!this.#scheduler) {
      this.#bases = this.#bases.map((rate, i) => numberOr(optimizerStates[i]?.param_groups[0]?.lr, rate));
      return;
    }
    this.#bases = this.#bases.map((rate, i) => {
      const saved = lrSchedulers[i]?.get('base_lrs');
      return numberOr(Array.isArray(saved) ? saved[0] : undefined, rate);
    });
    this.#ahead = numberOr(lrSchedulers[0]?.get('last_epoch'), globalStep) - globalStep;
  }
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
}
