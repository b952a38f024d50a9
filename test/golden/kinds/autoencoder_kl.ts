/** ae_kl_*: encoder, posterior and decoder of an AutoencoderKL, also at other sizes than the config's. */
import { noGrad } from '../../../lib/job';
import type { AutoencoderKL } from '../../../lib/models/autoencoder-kl';
import type { GoldenCase, KindHandler } from '../runner/case';

const autoencoderKl: KindHandler = async (c) => {
  if (c.meta.case === 'ae_kl_train_dropout') await trainDropout(c);
  else await evaluation(c);
};

async function evaluation(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as AutoencoderKL;
  const random = c.tape();
  const x = c.input('x');
  const encoder = await model.getSubmodule('encoder');
  await c.out('encoder', (await noGrad(() => encoder.call('forward', { x }))).y);

  const posterior = await noGrad(() => model.encode(x));
  const { mean, logvar, std, var: variance, parameters } = await posterior.fields();
  const sample = await noGrad(() => posterior.sample({ random }));
  const mode = await posterior.mode();
  const tensors = { moments: parameters, mean, logvar, std, var: variance, mode, sample };
  for (const [name, tensor] of Object.entries(tensors)) await c.out(name, tensor);
  await c.out('kl', await noGrad(() => posterior.kl()));
  await c.out('nll_of_sample', await noGrad(() => posterior.nll(sample)));
  await c.out('decode_sample', await noGrad(() => model.decode(sample)));
  await c.out('decode_mode', await noGrad(() => model.decode(mode)));

  await c.out('forward_rec', (await noGrad(() => model.forward(x, { random }))).reconstructions);
  const byMode = await noGrad(() => model.forward(x, { samplePosterior: false }));
  await c.out('forward_rec_mode', byMode.reconstructions);
  for (const [size, image] of c.inputs('x_')) {
    const other = await noGrad(() => model.encode(image));
    const latent = await other.mode();
    await c.out(`x_${size}.moments`, (await other.fields()).parameters);
    await c.out(`x_${size}.decode_mode`, await noGrad(() => model.decode(latent)));
  }
  await random.finish();
}

async function trainDropout(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as AutoencoderKL;
  const random = c.tape();
  await model.train();
  const posterior = await noGrad(() => model.encode(c.input('x'), { random }));
  const latent = await posterior.mode();
  await c.out('moments', (await posterior.fields()).parameters);
  await c.out('decode_mode', await noGrad(() => model.decode(latent, { random })));
  await random.finish();
}

export default autoencoderKl;
