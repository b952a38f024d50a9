/**
 * Learning-rate schedules of ldm/lr_scheduler.py: factors of the base rate by optimizer step, float64.
 *
 * Departure: once all cycles are over, the reference's cyclic schedules crash the training; here the factor of the last
 * cycle's last step stays.
 */
import { resolveNode, type TargetNode } from '../config';
import { LdmError } from '../errors';

/** A factor on the learning rate by step. */
export interface LrScheduler {
  /**
   * @param n optimizer steps done so far, from 0
   * @returns what the base learning rate is multiplied with in the next step
   */
  schedule(n: number): number;
}

/** Options of {@link LambdaWarmUpCosineScheduler}. */
export interface WarmUpCosineParams {
  /** Steps of the linear warm-up from `lr_start` to `lr_max`. */
  warm_up_steps: number;
  lr_min: number;
  lr_max: number;
  lr_start: number;
  /** Step at which `lr_min` is reached, counted from 0; it stays there. */
  max_decay_steps: number;
  /** Accepted for the configs' sake; rates are in the training log. */
  verbosity_interval?: number;
}

/** Options of the cyclic schedules: each list has one entry per cycle. */
export interface CyclesParams {
  /** Steps of the linear warm-up from `f_start` to `f_max` at the cycle's beginning. */
  warm_up_steps: readonly number[];
  f_min: readonly number[];
  f_max: readonly number[];
  f_start: readonly number[];
  /** Steps of the whole cycle, warm-up included. */
  cycle_lengths: readonly number[];
  /** Accepted for the configs' sake; rates are in the training log. */
  verbosity_interval?: number;
}

const cosine = (from: number, to: number, t: number) =>
  from + 0.5 * (to - from) * (1 + Math.cos(Math.min(t, 1) * Math.PI));

/** A linear warm-up and a cosine decay. Meant for a base learning rate of 1. */
export class LambdaWarmUpCosineScheduler implements LrScheduler {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.lr_scheduler.LambdaWarmUpCosineScheduler';
  readonly params: Readonly<WarmUpCosineParams>;

  constructor(params: WarmUpCosineParams) {
    this.params = params;
  }

  schedule(n: number): number {
    const { warm_up_steps, lr_min, lr_max, lr_start, max_decay_steps } = this.params;
    if (n < warm_up_steps) return ((lr_max - lr_start) / warm_up_steps) * n + lr_start;
    return cosine(lr_min, lr_max, (n - warm_up_steps) / (max_decay_steps - warm_up_steps));
  }
}

/** Cycles of a linear warm-up and a decay. A boundary between two cycles belongs to the earlier one. */
abstract class CyclicScheduler implements LrScheduler {
  readonly params: Readonly<CyclesParams>;
  /** First step of each cycle, and the end of the last one. */
  readonly #bounds: number[];

  /** @throws LdmError ERR_INVALID_ARGUMENT when the lists are empty or of different lengths */
  constructor(params: CyclesParams) {
    const { warm_up_steps, f_min, f_max, f_start, cycle_lengths } = params;
    const lengths = [warm_up_steps, f_min, f_max, f_start, cycle_lengths].map((list) => list.length);
    if (lengths[0] === 0 || lengths.some((length) => length !== lengths[0]))
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        `Expected warm_up_steps, f_min, f_max, f_start and cycle_lengths to be lists of one length, but they have ${lengths.join(', ')} entries`,
      );
    this.params = params;
    this.#bounds = [0];
    for (const length of cycle_lengths) this.#bounds.push(this.#bounds[this.#bounds.length - 1] + length);
  }

  schedule(n: number): number {
    const bounds = this.#bounds;
    const within = Math.min(n, bounds[bounds.length - 1]);
    const cycle = bounds.findIndex((end, index) => index > 0 && within <= end) - 1;
    const step = within - bounds[cycle];
    const { warm_up_steps, f_max, f_start } = this.params;
    if (step < warm_up_steps[cycle])
      return ((f_max[cycle] - f_start[cycle]) / warm_up_steps[cycle]) * step + f_start[cycle];
    return this.decay(cycle, step);
  }

  /** The factor after the warm-up, `step` counted from the cycle's beginning. */
  protected abstract decay(cycle: number, step: number): number;
}

/** Cycles of a linear warm-up and a cosine decay from `f_max` to `f_min`. */
export class LambdaWarmUpCosineScheduler2 extends CyclicScheduler {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.lr_scheduler.LambdaWarmUpCosineScheduler2';

  protected decay(cycle: number, step: number): number {
    const { warm_up_steps, f_min, f_max, cycle_lengths } = this.params;
    const warmUp = warm_up_steps[cycle];
    return cosine(f_min[cycle], f_max[cycle], (step - warmUp) / (cycle_lengths[cycle] - warmUp));
  }
}

/**
 * Cycles of a linear warm-up and a linear decay to `f_min`. As in the reference, the decay is measured from the cycle's
 * beginning: there is a jump at the end of the warm-up unless `f_min` equals `f_max`.
 */
export class LambdaLinearScheduler extends CyclicScheduler {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.lr_scheduler.LambdaLinearScheduler';

  protected decay(cycle: number, step: number): number {
    const { f_min, f_max, cycle_lengths } = this.params;
    const length = cycle_lengths[cycle];
    return f_min[cycle] + ((f_max[cycle] - f_min[cycle]) * (length - step)) / length;
  }
}

/**
 * Creates the scheduler of a `scheduler_config` node.
 * @throws LdmError ERR_CONFIG when the node is wrong or names something else
 */
export function createLrScheduler(node: TargetNode): LrScheduler {
  const { target, params } = resolveNode(node, 'scheduler');
  switch (target) {
    case LambdaWarmUpCosineScheduler.target:
      return new LambdaWarmUpCosineScheduler(params as unknown as WarmUpCosineParams);
    case LambdaWarmUpCosineScheduler2.target:
      return new LambdaWarmUpCosineScheduler2(params as unknown as CyclesParams);
    case LambdaLinearScheduler.target:
      return new LambdaLinearScheduler(params as unknown as CyclesParams);
    default:
      throw new LdmError('ERR_UNKNOWN_TARGET', `${target} is not a learning-rate schedule`);
  }
}
