/** Latent diffusion of layouts (reference: ldm.models.diffusion.ddpm.Layout2ImgDiffusion). */
import type { ResolvedParams } from '../config';
import type { LatentDiffusionParams } from '../config/targets/diffusion';
import { type Layout, layoutPictures } from '../pictures/layout-pictures';
import { Tensor } from '../tensor';
import type { Batch } from './ddpm';
import { LatentDiffusion, type LogImagesOptions, withFirstStageRemap } from './latent-diffusion';
import { type CreateOptions, createNative } from './module';
import { instantiateFromConfig, registerModel } from './registry';

/** From the tokens of one image to its objects. */
export type LayoutReader = (tokens: readonly number[]) => Layout;

/** A latent diffusion model that is conditioned on bounding boxes (`cond_stage_key: coordinates_bbox`) and draws them. */
export class Layout2ImgDiffusion extends LatentDiffusion {
  /** The class's target string in official configs. */
  static override readonly target: string = 'ldm.models.diffusion.ddpm.Layout2ImgDiffusion';

  /**
   * What the tokens of a layout say. Training sets it from the data set that made them; without it there is no
   * `bbox_image`.
   */
  readLayout: LayoutReader | null = null;

  /**
   * Creates a model; options that are left out take the reference's defaults.
   * @throws LdmError ERR_CONFIG when an option is unknown or wrong
   */
  static override async create(
    params: LatentDiffusionParams,
    options: CreateOptions = {},
  ): Promise<Layout2ImgDiffusion> {
    return (await instantiateFromConfig(
      { target: Layout2ImgDiffusion.target, params },
      options,
    )) as Layout2ImgDiffusion;
  }

  /** @internal Reached through instantiateFromConfig, which fills in the reference's defaults. */
  static override async fromParams(params: ResolvedParams, options: CreateOptions = {}): Promise<Layout2ImgDiffusion> {
    const { target } = Layout2ImgDiffusion;
    const handle = await withFirstStageRemap(params, (native) => createNative(target, native, options));
    const model = new Layout2ImgDiffusion(handle, params);
    await model.initFromParams();
    return model;
  }

  /** The pictures of {@link LatentDiffusion.logImages}, and `bbox_image`: the boxes with their classes. */
  override async logImages(batch: Batch, options: LogImagesOptions = {}): Promise<Record<string, Tensor>> {
    const log = await super.logImages(batch, options);
    const tokens = batch[this.params.cond_stage_key as string];
    if (this.readLayout && tokens instanceof Tensor) {
      const layouts = (await rowsOf(tokens)).slice(0, options.N ?? 8).map(this.readLayout);
      log.bbox_image = await layoutPictures(layouts);
    }
    return log;
  }
}

async function rowsOf(tokens: Tensor): Promise<number[][]> {
  const [count, length] = tokens.shape;
  const flat = Array.from(await tokens.data(), Number);
  return Array.from({ length: count }, (_, i) => flat.slice(i * length, (i + 1) * length));
}

registerModel(Layout2ImgDiffusion.target, Layout2ImgDiffusion);
