/** Adam and AdamW for training loops that are written by hand (reference: torch.optim). */

import type { OptimizerState } from '../checkpoint';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import { job } from '../job';
import { createNative } from '../models/module';
import { type NativeObject, native } from '../native';
import { type Tensor, unwrapTensors, wrapTensors } from '../tensor';

/**
 * The format in which Adam's first moments are held. 'bf16' takes half of their memory, an eighth of what training needs for weights,
 * moments and their average. What a step computes with them is in fp32 either way, and they follow each new gradient by a tenth or
 * more, which eight significant bits can express.
 */
export type FirstMoment = 'fp32' | 'bf16';

/** What the models' `configureOptimizers` takes. */
export interface OptimizerOptions {
  learningRate: number;
  /** Default 'fp32'. */
  firstMoment?: FirstMoment;
}

export interface AdamOptions {
  /** Learning rate. Default 1e-3. */
  lr?: number;
  /** Decay rates of the two moments. Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps?: number;
  /** Adam adds it to the gradient (default 0); AdamW shrinks the weights by lr times it (default 0.01). */
  weightDecay?: number;
  /** Default 'fp32'. */
  firstMoment?: FirstMoment;
}

/** Base of {@link Adam} and {@link AdamW}. */
abstract class Optimizer {
  /** @internal */
  readonly native: NativeObject;

  /** @internal */
  constructor(handle: NativeObject) {
    this.native = handle;
  }

  /** @internal */
  protected static async make(
    target: string,
    parameters: Iterable<Tensor>,
    options: AdamOptions,
    weightDecay: number,
  ): Promise<NativeObject> {
    const params = [...parameters].map((p) => p.native);
    if (params.length === 0)
      throw new LdmError(
        'ERR_INVALID_ARGUMENT',
        'Expected at least one parameter to optimize; pass model.namedParameters()',
      );
    return createNative(
      target,
      {
        params,
        lr: options.lr ?? 1e-3,
        betas: [...(options.betas ?? [0.9, 0.999])],
        eps: options.eps ?? 1e-8,
        weight_decay: options.weightDecay ?? weightDecay,
        firstMoment: options.firstMoment,
      },
      { device: params[0].device },
    );
  }

  /** Updates every parameter that has a gradient. */
  async step(options?: CallOptions): Promise<void> {
    await this.#call('step', {}, options);
  }
  /** Forgets the gradients. */
  async zeroGrad(): Promise<void> {
    await this.#call('zeroGrad');
  }
  async setLearningRate(lr: number): Promise<void> {
    await this.#call('setLearningRate', { lr });
  }
  /** The moments and numbers; the tensors are the live ones. */
  async state(): Promise<OptimizerState> {
    return this.#call('state');
  }
  /** @throws LdmError ERR_INVALID_ARGUMENT when the state is of other parameters */
  async loadState(state: OptimizerState): Promise<void> {
    await this.#call('loadState', { ...state });
  }
  dispose(): void {
    this.native.dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  async #call(method: string, args: Record<string, unknown> = {}, options?: CallOptions): Promise<any> {
    return wrapTensors(await job(options, {}, (o) => native().call(this.native, method, unwrapTensors(args), o)));
  }
}

/** torch.optim.Adam (Kingma & Ba 2015). */
export class Adam extends Optimizer {
  /** @param parameters leaves that require gradients, in the order that saved states count in */
  static async create(parameters: Iterable<Tensor>, options: AdamOptions = {}): Promise<Adam> {
    return new Adam(await Optimizer.make('torch.optim.Adam', parameters, options, 0));
  }
}

/** torch.optim.AdamW (Loshchilov & Hutter 2019). */
export class AdamW extends Optimizer {
  /** @param parameters leaves that require gradients, in the order that saved states count in */
  static async create(parameters: Iterable<Tensor>, options: AdamOptions = {}): Promise<AdamW> {
    return new AdamW(await Optimizer.make('torch.optim.AdamW', parameters, options, 0.01));
  }
}
