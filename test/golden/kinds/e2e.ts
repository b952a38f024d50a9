/** e2e_*: what the reference's scripts do from a seed to uint8 pictures. */
import type { LatentDiffusion } from '../../../lib/models';
import { makeGrid, picturesOf, toBytes } from '../../../lib/pictures';
import { Generator } from '../../../lib/random';
import { DDIMSampler, PLMSSampler } from '../../../lib/sampling';
import { Tensor } from '../../../lib/tensor';
import type { GoldenCase, KindHandler } from '../runner/case';

/** The seed of scripts/sample_diffusion.py's case. */
const SEED = 1;

/** The seed's own stream on the CPU, where the reference drew; its recording elsewhere. */
function randomOf(c: GoldenCase, tag: string, seed = SEED) {
  return c.device === 'cpu' ? c.keep(new Generator(seed)) : c.tape(tag);
}

/** custom_to_pil: clamped, then truncated. */
const toPil = (x: Tensor) => x.clamp(-1, 1).add(1).div(2).permute(0, 2, 3, 1).mul(255).to({ dtype: 'uint8' });
/** custom_to_np */
const toNp = (x: Tensor) => x.add(1).mul(127.5).clamp(0, 255).to({ dtype: 'uint8' }).permute(0, 2, 3, 1).contiguous();

async function unconditional(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as LatentDiffusion;
  const ddim = await model.emaScope(() =>
    new DDIMSampler(model).sample({ steps: 8, batchSize: 2, eta: 1, random: randomOf(c, 'ddim.') }),
  );
  const x = await model.decodeFirstStage(ddim.samples);
  await c.out('ddim.z', ddim.samples);
  await c.out('ddim.x', x);
  await c.out('ddim.custom_to_pil', toPil(x));
  await c.out('ddim.custom_to_np', toNp(x));

  const vanilla = await model.emaScope(() =>
    model.progressiveDenoising({ batchSize: 2, random: randomOf(c, 'vanilla.') }),
  );
  await c.out('vanilla.z', vanilla.samples);
  await c.out('vanilla.x', await model.decodeFirstStage(vanilla.samples));
  await c.out('vanilla.n_intermediates', vanilla.intermediates.length);
}

/** The runs of scripts/txt2img.py's case. */
const TEXT_RUNS = {
  ddim: { Sampler: DDIMSampler, eta: 0 },
  ddim_eta1: { Sampler: DDIMSampler, eta: 1 },
  plms: { Sampler: PLMSSampler, eta: 0 },
} as const;

async function textToImage(c: GoldenCase): Promise<void> {
  const model = (await c.build()) as LatentDiffusion;
  for (const [name, { Sampler, eta }] of Object.entries(TEXT_RUNS)) {
    const unconditional = await model.getLearnedConditioning(c.input('uncond_tokens'));
    const conditioning = await model.getLearnedConditioning(c.input('tokens'));
    const { samples } = await new Sampler(model).sample({
      steps: 5,
      batchSize: 2,
      eta: eta as 0,
      conditioning,
      unconditionalConditioning: unconditional,
      unconditionalGuidanceScale: 5,
      random: randomOf(c, `${name}.`, c.meta.manual_seed[name]),
    });
    const image = (await model.decodeFirstStage(samples)).add(1).div(2).clamp(0, 1);
    await c.out(`${name}.c`, conditioning);
    await c.out(`${name}.uc`, unconditional);
    await c.out(`${name}.z`, samples);
    await c.out(`${name}.image`, image);
    await c.out(`${name}.uint8`, image.permute(0, 2, 3, 1).mul(255).to({ dtype: 'uint8' }));
    const grid = makeGrid(await picturesOf(image), { nrow: 2 });
    const bytes = toBytes(grid, { range: [0, 1], rounding: 'truncate' });
    await c.out(`${name}.grid_uint8`, Tensor.from(bytes, [grid.height, grid.width, 3]));
  }
}

const CASES: Record<string, (c: GoldenCase) => Promise<void>> = {
  e2e_seeded_uncond: unconditional,
  e2e_seeded_text2img: textToImage,
};

const e2eKind: KindHandler = async (c) => {
  const run = CASES[c.meta.case];
  if (!run) throw new Error(`no script for the case '${c.meta.case}'; known: ${Object.keys(CASES).join(', ')}`);
  await run(c);
};

export default e2eKind;
