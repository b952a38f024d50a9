/** Class labels as conditions (reference: ldm.modules.encoders.modules.ClassEmbedder). */
import { type ResolvedParams, resolveNode } from '../config';
import type { ClassEmbedderParams } from '../config/targets/conditioners';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import type { Tensor } from '../tensor';
import { type CreateOptions, createNative, Module } from './module';
import { registerModel } from './registry';

/** One learned embedding per class, used as a context of a single token. */
export class ClassEmbedder extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.modules.encoders.modules.ClassEmbedder';

  /**
   * @param params as `params` of an official config; the reference's defaults are filled in
   * @throws LdmError ERR_CONFIG for options that are unknown or do not fit together
   */
  static async create(params: ClassEmbedderParams, options: CreateOptions = {}): Promise<ClassEmbedder> {
    return ClassEmbedder.fromParams(resolveNode({ target: ClassEmbedder.target, params }).params, options);
  }

  /** @internal Reached through create and instantiateFromConfig. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<ClassEmbedder> {
    return new ClassEmbedder(await createNative(ClassEmbedder.target, params as NativeValue, options));
  }

  /**
   * @param input int64 labels [n] in [0, n_classes), or a batch that holds them under the `key` option
   * @returns [n, 1, embed_dim]
   * @throws LdmError ERR_INVALID_ARGUMENT for labels of another shape; ERR_TORCH for labels out of range
   */
  async encode(input: Tensor | Readonly<Record<string, Tensor>>, options?: CallOptions): Promise<Tensor> {
    return (await this.call('encode', { input }, options)).c;
  }
}

registerModel(ClassEmbedder.target, ClassEmbedder);
