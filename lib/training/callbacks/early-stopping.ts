/** Lightning's EarlyStopping: ends training when a metric has not become better for a while. */
import type { EarlyStoppingParams } from '../../config/targets/callbacks';
import { LdmError } from '../../errors';
import { Tensor } from '../../tensor';
import { scalarOf } from '../callback-states';
import { type Callback, type CallbackState, stateKey, type TrainerView } from './callback';

export class EarlyStopping implements Callback {
  readonly stateKey: string;
  readonly #options: EarlyStoppingParams & { monitor: string };
  #waited = 0;
  #stoppedEpoch = 0;
  #best: number;

  /** @throws LdmError ERR_CONFIG when no metric is named */
  constructor(options: EarlyStoppingParams) {
    const { monitor, mode } = options;
    if (monitor === null)
      throw new LdmError('ERR_CONFIG', 'EarlyStopping needs a metric: give params.monitor, such as val/rec_loss.');
    this.#options = { ...options, monitor };
    this.#best = mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    this.stateKey = stateKey('EarlyStopping', { monitor, mode });
  }

  async onTrainEpochEnd(trainer: TrainerView): Promise<void> {
    if (this.#options.check_on_train_epoch_end) this.#check(trainer);
  }
  async onValidationEnd(trainer: TrainerView): Promise<void> {
    if (!this.#options.check_on_train_epoch_end) this.#check(trainer);
  }

  state(): CallbackState {
    return {
      wait_count: this.#waited,
      stopped_epoch: this.#stoppedEpoch,
      best_score: Tensor.full([], this.#best),
      patience: this.#options.patience,
    };
  }
  async loadState(state: ReadonlyMap<string, unknown>): Promise<void> {
    this.#waited = Number(state.get('wait_count') ?? 0);
    this.#stoppedEpoch = Number(state.get('stopped_epoch') ?? 0);
    this.#best = await scalarOf(state.get('best_score'), this.#best);
  }

  /** @throws LdmError ERR_CONFIG when the metric is not there and `strict` is on */
  #check(trainer: TrainerView): void {
    const { monitor, strict, verbose } = this.#options;
    const value = trainer.metrics[monitor];
    if (value === undefined) {
      const names = Object.keys(trainer.metrics).sort().join(', ');
      const message = `EarlyStopping watches ${monitor}, which nothing has logged. Logged: ${names}.`;
      if (strict) throw new LdmError('ERR_CONFIG', message);
      if (verbose) trainer.info(message);
      return;
    }
    const reason = this.#reasonToStop(value, trainer);
    if (reason === null) return;
    this.#stoppedEpoch = trainer.currentEpoch;
    trainer.stop(reason);
  }

  #reasonToStop(value: number, trainer: TrainerView): string | null {
    const { monitor, mode, min_delta, patience, check_finite, stopping_threshold, divergence_threshold, verbose } =
      this.#options;
    const better = (a: number, b: number) => (mode === 'min' ? a < b : a > b);
    if (check_finite && !Number.isFinite(value)) return `${monitor} = ${value} is not finite`;
    if (stopping_threshold !== null && better(value, stopping_threshold))
      return `${monitor} = ${value} has passed the stopping threshold ${stopping_threshold}`;
    if (divergence_threshold !== null && better(divergence_threshold, value))
      return `${monitor} = ${value} has passed the divergence threshold ${divergence_threshold}`;
    if (better(value + (mode === 'min' ? min_delta : -min_delta), this.#best)) {
      if (verbose) trainer.info(`${monitor} is better than before: ${value} (was ${this.#best})`);
      this.#best = value;
      this.#waited = 0;
      return null;
    }
    this.#waited++;
    return this.#waited >= patience
      ? `${monitor} has not become better than ${this.#best} in ${this.#waited} records`
      : null;
  }
}
