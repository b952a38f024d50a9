/** inpaint_*: what scripts/inpaint.py does from two PNG files to uint8 pixels. */
import { readMask, readPicture } from '../../../lib/data/picture-tensors';
import type { LatentDiffusion } from '../../../lib/models';
import { picturesOf, toBytes } from '../../../lib/pictures';
import { DDIMSampler, inpaint, inpaintConditioning } from '../../../lib/sampling';
import { Tensor } from '../../../lib/tensor';
import type { KindHandler } from '../runner/case';

const STEPS = 5;

const inpaintKind: KindHandler = async (c) => {
  const model = (await c.build()) as LatentDiffusion;
  const [picture, black] = await Promise.all([
    readPicture(c.file('example.png')),
    readMask(c.file('example_mask.png')),
  ]);
  const image = picture.to({ device: c.device });
  const mask = black.to({ device: c.device });
  await c.out('batch.image', image.mul(2).sub(1));
  await c.out('batch.mask', mask.mul(2).sub(1));
  await c.out('batch.masked_image', mask.neg().add(1).mul(image).mul(2).sub(1));
  await model.emaScope(async () => {
    const conditioning = await inpaintConditioning(model, image, mask);
    await c.out('cond', conditioning);
    const shape = conditioning.shape.slice(1);
    const { samples } = await new DDIMSampler(model).sample({
      steps: STEPS,
      conditioning,
      shape: [shape[0] - 1, ...shape.slice(1)],
      random: c.tape(),
    });
    await c.out('z', samples);
    await c.out('x', await model.decodeFirstStage(samples));
    const random = c.tape();
    const pictures = await picturesOf(await inpaint(model, { image, mask, steps: STEPS, random }));
    await random.finish();
    const { height, width } = pictures;
    await c.out('uint8', Tensor.from(toBytes(pictures, { range: [0, 1], rounding: 'truncate' }), [height, width, 3]));
  });
};

export default inpaintKind;
