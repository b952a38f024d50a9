/** Lightning's LearningRateMonitor: the rates of optimizers that have a schedule, as `lr-AdamW` or `lr-Adam`, `lr-Adam-1`. */
import type { LearningRateMonitorParams } from '../../config/targets/callbacks';
import type { Metrics } from '../metrics';
import type { Callback, TrainerView } from './callback';

export class LearningRateMonitor implements Callback {
  readonly #options: LearningRateMonitorParams;

  /** @param options.logging_interval 'step', 'epoch' or null: as the schedule is, which here is by step */
  constructor(options: LearningRateMonitorParams) {
    this.#options = options;
  }

  metrics(trainer: TrainerView, of: 'step' | 'epoch'): Metrics {
    const { logging_interval, log_momentum } = this.#options;
    if (!trainer.scheduled || of !== (logging_interval ?? 'step')) return {};
    const { name, momentum } = trainer.trainable.optimizerKind;
    const values: Metrics = {};
    trainer.learningRates.forEach((rate, i) => {
      const suffix = i === 0 ? '' : `-${i}`;
      values[`lr-${name}${suffix}`] = rate;
      if (log_momentum) values[`lr-${name}-momentum${suffix}`] = momentum;
    });
    return values;
  }
}
