/** Inpainting and upscaling by text: the pipelines show the U-Net what a training batch shows it. */
import type { LatentDiffusionParams } from '../../lib/config/targets/diffusion';
import { type LatentDiffusion, LatentInpaintDiffusion, LatentUpscaleDiffusion } from '../../lib/models';
import { Generator } from '../../lib/random';
import { type Conditioning, DDIMSampler, inpaintByText, upscaleByText } from '../../lib/sampling';
import { Tensor } from '../../lib/tensor';
import { randomized, tinyUnet } from '../helpers/tiny-diffusion';

const SIZES = { hidden_size: 32, intermediate_size: 64, num_hidden_layers: 1, num_attention_heads: 2 };
const UPSCALING = 'ldm.modules.diffusionmodules.upscaling.ImageConcatWithNoiseAugmentation';

const params = (unet: object, more: object) =>
  ({
    unet_config: tinyUnet({ use_spatial_transformer: true, context_dim: 32, ...unet }),
    first_stage_config: { target: 'ldm.models.autoencoder.IdentityFirstStage', params: {} },
    cond_stage_config: { target: 'ldm.modules.encoders.modules.FrozenCLIPEmbedder', params: { version: SIZES } },
    first_stage_key: 'jpg',
    cond_stage_key: 'txt',
    timesteps: 20,
    image_size: 8,
    channels: 3,
    use_ema: false,
    ...more,
  }) as LatentDiffusionParams & { low_scale_config: never };

const values = async (tensor: Tensor) => Array.from((await tensor.data()) as Float32Array);
const image = () => Tensor.rand([1, 3, 8, 8], { seed: 1 });
const hwc = (picture: Tensor) => picture.mul(2).sub(1).permute(0, 2, 3, 1).contiguous();

/** What DDIM makes of conditions, as pictures in [0, 1]. */
async function drawn(model: LatentDiffusion, conditioning: Conditioning, random: Generator): Promise<number[]> {
  const { samples } = await new DDIMSampler(model).sample({ steps: 3, conditioning, random });
  return values(samples.add(1).div(2).clamp(0, 1));
}

test('inpaintByText', async () => {
  const more = { conditioning_key: 'hybrid', finetune_keys: null };
  using model = await randomized(
    await LatentInpaintDiffusion.create(params({ in_channels: 7 }, more), { random: new Generator(2) }),
  );
  const mask = Tensor.rand([1, 1, 8, 8], { seed: 3 }).add(0.5).clamp(0, 1).round();
  const masked = image().mul(2).sub(1).mul(mask.neg().add(1)).permute(0, 2, 3, 1).contiguous();
  const batch = {
    jpg: hwc(image()),
    masked_image: masked,
    mask: mask.permute(0, 2, 3, 1).contiguous(),
    txt: ['a fox'],
  };
  const { c } = await model.getInput(batch);
  const options = { image: image(), mask, prompts: ['a fox'], scale: 1, steps: 3 };
  const pictures = await inpaintByText(model, { ...options, random: new Generator(4) });
  expect(await values(pictures)).toEqual(await drawn(model, c as Conditioning, new Generator(4)));

  const guided = await inpaintByText(model, { ...options, scale: 10, random: new Generator(4) });
  expect(await values(guided)).not.toEqual(await values(pictures));
  await expect(inpaintByText(model, { ...options, prompts: ['a', 'b'] })).rejects.toThrow('one for each picture');
});

test('upscaleByText', async () => {
  const config = { target: UPSCALING, params: { noise_schedule_config: { timesteps: 20 }, max_noise_level: 5 } };
  const more = { conditioning_key: 'hybrid-adm', low_scale_config: config, low_scale_key: 'lr', parameterization: 'v' };
  using model = await randomized(
    await LatentUpscaleDiffusion.create(params({ in_channels: 6, num_classes: 20 }, more), {
      random: new Generator(2),
    }),
  );
  const options = { image: image(), prompts: ['a fox'], scale: 1, steps: 3, noiseLevel: 4 };
  const pictures = await upscaleByText(model, { ...options, random: new Generator(4) });

  const random = new Generator(4);
  const level = Tensor.full([1], 4, { dtype: 'int64' });
  const low = await model.lowScale(image().mul(2).sub(1), level, { random });
  const text = await model.getLearnedConditioning(['a fox']);
  const conditioning = { c_concat: [low.x], c_crossattn: [text], c_adm: low.level };
  expect(await values(pictures)).toEqual(await drawn(model, conditioning, random));
  await expect(upscaleByText(model, { ...options, noiseLevel: 5 })).rejects.toThrow('from 0 to 4');
});
