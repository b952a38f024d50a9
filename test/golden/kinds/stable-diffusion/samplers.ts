/** sd1_samplers: sampling of a model that predicts noise. */
import type { LatentDiffusion } from '../../../../lib/models';
import { DDIMSampler, PLMSSampler } from '../../../../lib/sampling';
import type { GoldenCase } from '../../runner/case';
import { commonSampling } from './common';

export async function samplersCase(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as LatentDiffusion;
  for (const [tag, sampler] of [
    ['ddim.', new DDIMSampler(model)],
    ['plms.', new PLMSSampler(model)],
  ] as const) {
    const random = c.tape(tag);
    const { samples } = await sampler.sample({
      ...commonSampling(c),
      steps: 5,
      unconditionalConditioning: c.input('uc'),
      unconditionalGuidanceScale: 7.5,
      random,
    });
    await random.finish();
    await c.out(`${tag}samples`, samples);
  }
  await imageToImage(c, model, 'img2img.', { scale: 5 });
  await imageToImage(c, model, 'img2img_eta1.', { scale: 1, eta: 1 });

  const random = c.tape('encode_original.');
  const steps = { steps: 10, useOriginalSteps: true };
  const encoded = await new DDIMSampler(model).stochasticEncode(c.input('x0'), 641, { ...steps, random });
  await random.finish();
  await c.out('encode_original.encoded', encoded);
}

/** x0 noised to step 6 of 10, and sampled from there on. */
export async function imageToImage(
  c: GoldenCase,
  model: LatentDiffusion,
  tag: string,
  { scale, eta = 0 }: { scale: number; eta?: number },
): Promise<void> {
  const sampler = new DDIMSampler(model);
  const random = c.tape(tag);
  const encoded = await sampler.stochasticEncode(c.input('x0'), 6, { steps: 10, random });
  const { samples } = await sampler.decode(encoded, {
    steps: 10,
    startStep: 6,
    eta,
    conditioning: c.input('c'),
    unconditionalConditioning: c.input('uc'),
    unconditionalGuidanceScale: scale,
    random,
  });
  await random.finish();
  await c.out(`${tag}encoded`, encoded);
  await c.out(`${tag}decoded`, samples);
}
