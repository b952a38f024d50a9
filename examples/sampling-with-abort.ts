/**
 * Samples a latent diffusion model with DDIM, shows each step, and can be stopped: by ctrl-C or after a time.
 *
 *     npx tsx examples/sampling-with-abort.ts [--config FILE] [--ckpt FILE] [--class N] [--steps N]
 *                                             [--abort-after MILLISECONDS] [--out FILE]
 *
 * What was reached when it was stopped is decoded and written all the same. Without a checkpoint the weights are random.
 */
import { parseArgs } from 'node:util';
import {
  DDIMSampler,
  Generator,
  instantiateFromConfig,
  LatentDiffusion,
  LdmError,
  loadConfig,
  type TargetNode,
  Tensor,
} from 'node-ldm';
import { writeRow } from './images';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      config: { type: 'string', default: 'models/demo/ldm.yaml' },
      ckpt: { type: 'string' },
      class: { type: 'string', default: '0' },
      steps: { type: 'string', default: '50' },
      'abort-after': { type: 'string' },
      out: { type: 'string', default: 'sample.png' },
    },
  });

  // The abort button: anything that can call abort() may hold it.
  const button = new AbortController();
  process.once('SIGINT', () => button.abort());
  const after = values['abort-after'];

  // The first stage's weights are part of the model's checkpoint.
  const config = loadConfig(values.config, ['model.params.first_stage_config.params.ckpt_path=null']);
  const model = await instantiateFromConfig(config.get('model') as unknown as TargetNode);
  if (!(model instanceof LatentDiffusion)) throw new Error(`${values.config} does not describe a LatentDiffusion`);
  if (values.ckpt) await model.initFromCkpt(values.ckpt);
  else console.error('No --ckpt: the weights are random, expect noise.');
  await model.eval();

  const conditioning = await model.getLearnedConditioning({
    class_label: Tensor.from(BigInt64Array.from([BigInt(values.class)])),
  });

  let latent: Tensor | undefined;
  await model.emaScope(async () => {
    const run = new DDIMSampler(model).sample({
      steps: Number(values.steps),
      conditioning,
      random: new Generator(42),
      signal: button.signal,
    });
    if (after) setTimeout(() => button.abort(), Number(after)).unref();
    try {
      for await (const { step, total, predX0 } of run) {
        latent = predX0;
        console.log(`step ${step}/${total}`);
      }
      latent = (await run).samples;
    } catch (error) {
      if (!LdmError.is(error) || error.code !== 'ERR_ABORTED') throw error;
      console.log('stopped');
    }
  });

  if (!latent) return console.log('nothing was reached yet');
  await writeRow(await model.decodeFirstStage(latent), values.out);
  console.log(
    `${values.out}: ${button.signal.aborted ? 'the clean image as it was predicted when it stopped' : 'the sample'}`,
  );
}

main();
