/**
 * A classifier of noisy latents (reference: ldm.models.diffusion.classifier.NoisyLatentImageClassifier; the guidance is that of
 * Dhariwal & Nichol 2021).
 */
import fs from 'node:fs';
import path from 'node:path';
import { loadConfig, type ResolvedParams, resolveNode, type TargetNode } from '../config';
import type { ClassifierParams } from '../config/targets/diffusion';
import { LdmError } from '../errors';
import type { CallOptions } from '../job';
import type { NativeValue } from '../native';
import { textPictures } from '../pictures/text-pictures';
import type { ScoreCorrector } from '../sampling/sampling';
import type { Tensor } from '../tensor';
import type { Batch, DiffusionLoss } from './ddpm';
import { initFromCkpt, initStages } from './init-from-ckpt';
import { LatentDiffusion, withFirstStageRemap } from './latent-diffusion';
import { type CreateOptions, createNative, Module } from './module';
import { instantiateFromConfig, registerModel } from './registry';

/** What a batch is compared with: its labels, or the class of each position. */
const NETWORKS: Record<string, string> = {
  class_label: 'ldm.modules.diffusionmodules.openaimodel.EncoderUNetModel',
  segmentation: 'ldm.modules.diffusionmodules.openaimodel.UNetModel',
};

/** One evaluation of a batch. */
export interface ClassifierStep extends DiffusionLoss {
  /** [n, classes], or [n, classes, h, w] for maps. */
  logits: Tensor;
  /** The noisy latents that were classified. */
  xNoisy: Tensor;
  /** [n], or [n, h, w] for maps. */
  targets: Tensor;
}

/** A frozen diffusion model, and a network that classifies its latents at any timestep. */
export class NoisyLatentImageClassifier extends Module {
  /** The class's target string in official configs. */
  static readonly target = 'ldm.models.diffusion.classifier.NoisyLatentImageClassifier';
  /** Every option, with the reference's defaults filled in. */
  readonly params: ResolvedParams;
  /** 'class_label' or 'segmentation'. */
  readonly labelKey: string;

  readonly #diffusionParams: ResolvedParams;

  private constructor(
    handle: Module['native'],
    parts: { params: ResolvedParams; labelKey: string; diffusionParams: ResolvedParams },
  ) {
    super(handle);
    this.params = parts.params;
    this.labelKey = parts.labelKey;
    this.#diffusionParams = parts.diffusionParams;
  }

  /**
   * Creates a classifier for the diffusion model of a log folder.
   * @throws LdmError ERR_CONFIG when an option is unknown or wrong, ERR_FILE when the folder holds no config
   */
  static async create(params: ClassifierParams, options: CreateOptions = {}): Promise<NoisyLatentImageClassifier> {
    const { target } = NoisyLatentImageClassifier;
    return (await instantiateFromConfig({ target, params }, options)) as NoisyLatentImageClassifier;
  }

  /** @internal Reached through instantiateFromConfig, which fills in the reference's defaults. */
  static async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<NoisyLatentImageClassifier> {
    const diffusion = diffusionOf(params, options.init ?? 'random');
    const diffusion_config = resolveNode(diffusion, 'diffusion');
    const labelKey = (params.label_key ?? diffusion_config.params.cond_stage_key) as string;
    const classifier_config = resolveNode(networkOf(params, diffusion, labelKey), 'network');
    const { num_classes, log_steps, weight_decay } = params;
    const diffusionParams = diffusion_config.params;
    const handle = await withFirstStageRemap(diffusionParams, (native) => {
      const stages = { diffusion_config: { target: diffusion_config.target, params: native }, classifier_config };
      const given = { ...stages, label_key: labelKey, num_classes, log_steps, weight_decay };
      return createNative(NoisyLatentImageClassifier.target, given as unknown as NativeValue, options);
    });
    const model = new NoisyLatentImageClassifier(handle, { params, labelKey, diffusionParams });
    try {
      if (options.init !== 'meta') await initStages(model, { diffusion_config });
      if (params.ckpt_path !== null) await initFromCkpt(model, params.ckpt_path as string);
    } catch (error) {
      model.dispose();
      throw error;
    }
    return model;
  }

  /**
   * @param x noisy latents [n, c, h, w], scaled as the diffusion model has them
   * @param t timesteps, int64 [n]
   * @returns logits [n, classes], or [n, classes, h, w] for maps
   */
  async forward(x: Tensor, t: Tensor, options?: CallOptions): Promise<Tensor> {
    return (await this.call('forward', { x, t }, options)).logits;
  }

  /**
   * Encodes the images of a batch, adds noise, classifies: cross-entropy and the share of labels among the likeliest
   * (`acc@1`, `acc@5`).
   * @param options.t the same timestep for the whole batch; default: random ones
   */
  async sharedStep(batch: Batch, options: CallOptions & { t?: number } = {}): Promise<ClassifierStep> {
    return this.call('sharedStep', { batch, t: options.t ?? null }, options);
  }

  /** The frozen diffusion model: a second handle of the same weights, to sample from with {@link guidance}. */
  async diffusionModel(): Promise<LatentDiffusion> {
    return new LatentDiffusion((await this.getSubmodule('diffusion_model')).native, this.#diffusionParams);
  }

  /**
   * Leads sampling towards labels: the `scoreCorrector` of a sampler.
   * @param labels int64 [n], one for each sample
   * @param scale strength; 0: none
   */
  guidance(labels: Tensor, scale = 1): ScoreCorrector {
    return {
      modifyScore: async (eps, { x, t }) => (await this.call('guide', { eps, x, t, labels, scale })).eps,
    };
  }

  /**
   * Pictures that show how training goes: inputs and labels; for maps, at several timesteps t, also `inputs@t`, the noisy
   * latents, and `pred@t`.
   * @param options.N pictures of a kind, at most. Default 8
   */
  async logImages(batch: Batch, options: CallOptions & { N?: number } = {}): Promise<Record<string, Tensor>> {
    const { N = 8 } = options;
    const log: Record<string, Tensor> = await this.call('logImages', { batch, N }, options);
    if (this.labelKey !== 'class_label') return log;
    const [, , height, width] = log.inputs.shape;
    const texts = Array.isArray(batch.human_label)
      ? (batch.human_label as string[])
      : Array.from(await (batch.class_label as Tensor).data(), String);
    return { ...log, labels: await textPictures(texts.slice(0, N), { width, height }) };
  }
}

/**
 * The diffusion model's node: of the last config in its log folder, with the weights of `diffusion_ckpt_path`, or else of the
 * folder's last checkpoint.
 */
function diffusionOf(params: ResolvedParams, init: string): TargetNode & { params: ResolvedParams } {
  const folder = path.join(params.diffusion_path as string, 'configs');
  const files = fs.existsSync(folder) ? fs.readdirSync(folder).filter((name) => name.endsWith('-project.yaml')) : [];
  const last = files.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
  if (last === undefined)
    throw new LdmError(
      'ERR_FILE',
      `There is no config *-project.yaml in ${folder}. diffusion_path has to name the log folder of a diffusion model.`,
    );
  const model = loadConfig(path.join(folder, last)).get('model') as unknown as TargetNode & { params: ResolvedParams };
  const checkpoint = path.join(params.diffusion_path as string, 'checkpoints', 'last.ckpt');
  // Where a checkpoint of the classifier follows, that brings the diffusion model's weights, too.
  const found = init === 'random' && fs.existsSync(checkpoint) ? checkpoint : null;
  const ckpt_path = params.diffusion_ckpt_path ?? found;
  return { target: model.target, params: { ...model.params, ckpt_path } };
}

/** The classifier's node: the options of the diffusion model's U-Net, for its latents and the classes. */
function networkOf(params: ResolvedParams, diffusion: { params: ResolvedParams }, labelKey: string): TargetNode {
  const target = NETWORKS[labelKey];
  if (target === undefined)
    throw new LdmError(
      'ERR_CONFIG',
      `Expected the label_key class_label or segmentation but found "${labelKey}". Give label_key in the classifier's params.`,
    );
  const unet = diffusion.params.unet_config as TargetNode;
  if (unet?.target !== NETWORKS.segmentation)
    throw new LdmError(
      'ERR_CONFIG',
      `Expected a diffusion model with a ${NETWORKS.segmentation} but found ${unet?.target}.`,
    );
  const own = unet.params as ResolvedParams;
  const pool = labelKey === 'class_label' ? { pool: params.pool } : {};
  return { target, params: { ...own, in_channels: own.out_channels, out_channels: params.num_classes, ...pool } };
}

registerModel(NoisyLatentImageClassifier.target, NoisyLatentImageClassifier);
