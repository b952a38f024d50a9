/** The VQ models of taming-transformers (reference: taming/models/vqgan.py). */
import { type ResolvedParams, resolveNode, type TargetNode } from '../config';
import type { GumbelVQParams, TamingVQModelParams } from '../config/targets/autoencoders';
import type { CallOptions } from '../job';
import type { NativeObject } from '../native';
import { createLrScheduler, type LrScheduler } from './lr-schedulers';
import type { CreateOptions } from './module';
import { registerModel } from './registry';
import { makeVqModel, VQModel } from './vq-model';

/** VQModel without the options that came later; it logs the losses of both turns as well. */
export class TamingVQModel extends VQModel {
  /** The class's target string in configs. */
  static override readonly target: string = 'taming.models.vqgan.VQModel';

  /** @throws LdmError ERR_CONFIG; ERR_FILE or ERR_CHECKPOINT when `ckpt_path` cannot be read */
  static override async create(params: TamingVQModelParams, options: CreateOptions = {}): Promise<TamingVQModel> {
    return TamingVQModel.fromParams(resolveNode({ target: TamingVQModel.target, params }).params, options);
  }
  /** @internal Reached through create and instantiateFromConfig. */
  static override fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<TamingVQModel> {
    return makeVqModel(TamingVQModel, params, options);
  }
}

/** Codes are drawn, with a temperature that follows a schedule in training. */
export class GumbelVQ extends VQModel {
  /** The class's target string in configs. */
  static override readonly target: string = 'taming.models.vqgan.GumbelVQ';
  readonly #temperature: LrScheduler;

  /** @internal */
  constructor(handle: NativeObject, params: ResolvedParams) {
    super(handle);
    this.#temperature = createLrScheduler(params.temperature_scheduler_config as TargetNode);
  }

  /** @throws LdmError ERR_CONFIG; ERR_FILE or ERR_CHECKPOINT when `ckpt_path` cannot be read */
  static override async create(params: GumbelVQParams, options: CreateOptions = {}): Promise<GumbelVQ> {
    return GumbelVQ.fromParams(resolveNode({ target: GumbelVQ.target, params }).params, options);
  }
  /** @internal Reached through create and instantiateFromConfig. */
  static override fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<GumbelVQ> {
    return makeVqModel(GumbelVQ, params, options);
  }

  /** A training step begins with the temperature of its number. */
  override async call(method: string, args: Record<string, unknown> = {}, options?: CallOptions): Promise<any> {
    if (method === 'trainBatch' || method === 'trainingStep')
      await this.setTemperature(this.#temperature.schedule(args.globalStep as number));
    return await super.call(method, args, options);
  }

  /** @param temperature of the softmax over the codes, above 0; 1 unless it was set */
  async setTemperature(temperature: number): Promise<void> {
    await super.call('setTemperature', { temperature });
  }
}

/** The codebook is a moving average of the latents. */
export class EMAVQ extends VQModel {
  /** The class's target string in configs. */
  static override readonly target: string = 'taming.models.vqgan.EMAVQ';

  /** @throws LdmError ERR_CONFIG; ERR_FILE or ERR_CHECKPOINT when `ckpt_path` cannot be read */
  static override async create(params: TamingVQModelParams, options: CreateOptions = {}): Promise<EMAVQ> {
    return EMAVQ.fromParams(resolveNode({ target: EMAVQ.target, params }).params, options);
  }
  /** @internal Reached through create and instantiateFromConfig. */
  static override fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<EMAVQ> {
    return makeVqModel(EMAVQ, params, options);
  }
}

registerModel(TamingVQModel.target, TamingVQModel);
registerModel(GumbelVQ.target, GumbelVQ);
registerModel(EMAVQ.target, EMAVQ);
