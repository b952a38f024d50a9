/**
 * Draws pictures of a text with the bundled model, tells each step, and stops when it is asked to.
 *
 *     npx tsx examples/text-to-image.ts [TEXT] [--steps N] [--abort-after STEPS] [--out FILE]
 */
import { parseArgs } from 'node:util';
import { Generator, LatentDiffusion, LdmError, loadModel, textToImage } from 'node-ldm';
import { writeRow } from './images';

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      steps: { type: 'string', default: '25' },
      'abort-after': { type: 'string' },
      out: { type: 'string', default: 'text-to-image.png' },
    },
  });
  const text = positionals[0] ?? 'avatar, blue curly hair, tan skin, big smile, round glasses';

  const { model } = await loadModel('models/demo/txt2img');
  if (!(model instanceof LatentDiffusion)) throw new Error('not a latent diffusion model');
  // Whatever holds this can stop the drawing: a button, a timer, a closed connection.
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());

  try {
    const pictures = await textToImage(model, {
      prompts: [text, text, text],
      steps: Number(values.steps),
      scale: 3,
      eta: 1,
      random: new Generator(42),
      signal: stop.signal,
      onStep: ({ step, total }) => {
        console.log(`step ${step}/${total}`);
        if (step === Number(values['abort-after'])) stop.abort();
      },
    });
    await writeRow(pictures.mul(2).sub(1), values.out);
    console.log(`${values.out}: three pictures of "${text}"`);
  } catch (error) {
    if (!LdmError.is(error) || error.code !== 'ERR_ABORTED') throw error;
    console.log('stopped');
  } finally {
    model.dispose();
  }
}

main();
