/** An exponential moving average of a model's parameters (reference: ldm.modules.ema.LitEma). */
import { LdmError } from '../errors';
import { type CreateOptions, createNative, Module } from '../models/module';
import type { Tensor } from '../tensor';

/** A model, or parameters by name for a model that is written by hand. */
export type Averaged = Module | ReadonlyMap<string, Tensor>;

export interface LitEmaOptions extends CreateOptions {
  /** Share of the average that each update keeps, 0 to 1. Default 0.9999. */
  decay?: number;
  /** Start with the smaller decay (1 + n) / (10 + n), n counting the updates. Default true. */
  useNumUpdates?: boolean;
}

/**
 * Keeps a shadow of each trainable parameter. Its state dict has `decay`, `num_updates` (-1 without warm-up) and the shadows
 * under the parameters' names without dots.
 */
export class LitEma extends Module {
  /** The class's name in the reference. */
  static readonly target = 'ldm.modules.ema.LitEma';

  /**
   * Starts an average at the model's present weights.
   * @throws LdmError ERR_INVALID_ARGUMENT for a decay outside of [0, 1]
   */
  static async create(model: Averaged, options: LitEmaOptions = {}): Promise<LitEma> {
    const { decay = 0.9999, useNumUpdates = true, ...rest } = options;
    const params = { ...nativeArgs(model), decay, use_num_upates: useNumUpdates };
    const device = model instanceof Module ? model.device : [...model.values()][0]?.device;
    if (device === undefined) throw new LdmError('ERR_INVALID_ARGUMENT', 'Expected at least one parameter to average');
    return new LitEma(await createNative(LitEma.target, params as never, { device, ...rest }));
  }

  /** Moves every shadow towards its parameter; call it after each training batch. */
  async update(model: Averaged): Promise<void> {
    await this.call('update', nativeArgs(model));
  }
  /** Writes the shadows into the model's parameters. */
  async copyTo(model: Averaged): Promise<void> {
    await this.call('copyTo', nativeArgs(model));
  }
  /** Keeps a copy of the model's parameters for {@link restore}. */
  async store(model: Averaged): Promise<void> {
    await this.call('store', nativeArgs(model));
  }
  /** Puts back what {@link store} kept. */
  async restore(model: Averaged): Promise<void> {
    await this.call('restore', nativeArgs(model));
  }
}

function nativeArgs(model: Averaged): Record<string, unknown> {
  if (model instanceof Module) return { model: model.native };
  return { parameters: Object.fromEntries([...model].map(([name, tensor]) => [name, tensor.native])) };
}
