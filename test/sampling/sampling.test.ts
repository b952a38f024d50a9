import type { DDPM } from '../../lib/models';
import { Generator } from '../../lib/random';
import { DDIMSampler, DDPMSampler, PLMSSampler, type SamplingStep, samplerNames } from '../../lib/sampling';
import { Tensor } from '../../lib/tensor';
import { tinyDdpm, tinyLatentDiffusion } from '../helpers/tiny-diffusion';

let model: DDPM;
beforeAll(async () => {
  model = await tinyDdpm();
});
afterAll(() => model.close());

const values = async (t: Tensor) => Float32Array.from((await t.data()) as Float32Array);
const xT = () => Tensor.randn([2, 3, 8, 8], { seed: 11 });

describe('a run', () => {
  const options = () => ({ steps: 3, eta: 1, batchSize: 2, random: new Generator(5) });

  test('gives the same samples awaited, iterated over, and with a callback', async () => {
    const sampler = new DDIMSampler(model);
    const awaited = await sampler.sample(options());
    const called: number[] = [];
    const watched = await sampler.sample({ ...options(), onStep: ({ step }) => void called.push(step) });
    const steps: SamplingStep[] = [];
    const run = sampler.sample(options());
    for await (const step of run) steps.push(step);
    const iterated = await run;

    expect(called).toEqual([1, 2, 3]);
    expect(steps.map(({ step, total, t }) => [step, total, t])).toEqual([
      [1, 3, 5],
      [2, 3, 3],
      [3, 3, 1],
    ]);
    const expected = await values(awaited.samples);
    expect(await values(watched.samples)).toEqual(expected);
    expect(await values(iterated.samples)).toEqual(expected);
    expect(await values(steps[2].x)).toEqual(expected);
    expect(steps[0].predX0.shape).toEqual([2, 3, 8, 8]);
  });

  test('reports progress without handing out tensors', async () => {
    const seen: unknown[] = [];
    await new DDPMSampler(model).sample({ onProgress: (p) => seen.push(p) });
    expect(seen).toHaveLength(6);
    expect(seen[0]).toEqual({ step: 1, total: 6, t: 5 });
  });

  test('ends when its loop is left, and says so to whoever awaits it', async () => {
    const run = new DDPMSampler(model).sample();
    for await (const { step } of run) if (step === 2) break;
    await expect(run).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  });

  test('is iterated over only once', async () => {
    const run = new DDPMSampler(model).sample();
    await run;
    expect(() => run[Symbol.asyncIterator]()).toThrow(/once/);
  });

  test('stops at an AbortSignal, awaited or driven by a callback', async () => {
    const before = AbortSignal.abort();
    await expect(new DDPMSampler(model).sample({ signal: before })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    const controller = new AbortController();
    const steps: number[] = [];
    const onStep = ({ step }: SamplingStep) => {
      steps.push(step);
      if (step === 2) controller.abort();
    };
    const run = new DDPMSampler(model).sample({ signal: controller.signal, onStep });
    await expect(run).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(steps).toEqual([1, 2]);
  });

  test('an error of a callback is the run’s error', async () => {
    const run = new DDPMSampler(model).sample({
      onStep: () => {
        throw new Error('from the callback');
      },
    });
    await expect(run).rejects.toThrow('from the callback');
  });
});

describe('DDIMSampler', () => {
  test('with eta 0 the result depends on the start alone', async () => {
    const run = (seed: number) =>
      new DDIMSampler(model).sample({ steps: 3, batchSize: 2, xT: xT(), random: new Generator(seed) });
    expect(await values((await run(1)).samples)).toEqual(await values((await run(2)).samples));
  });

  test('one score corrector that changes nothing changes nothing', async () => {
    const sampler = new DDIMSampler(model);
    const plain = await sampler.sample({ steps: 3, xT: xT() });
    const indices: number[] = [];
    const scoreCorrector = {
      modifyScore: (eps: Tensor, { index }: { index: number }) => {
        indices.push(index);
        return eps;
      },
    };
    const corrected = await sampler.sample({ steps: 3, xT: xT(), scoreCorrector });
    expect(indices).toEqual([2, 1, 0]);
    expect(await values(corrected.samples)).toEqual(await values(plain.samples));
  });

  test('as many steps as the model has work, too', async () => {
    const { samples } = await new DDIMSampler(model).sample({ steps: 6, xT: xT() });
    expect((await values(samples)).every(Number.isFinite)).toBe(true);
    const original = await new DDIMSampler(model).sample({ steps: 6, xT: xT(), useOriginalSteps: true });
    expect((await values(original.samples)).every(Number.isFinite)).toBe(true);
  });

  test('holds the sample where the mask is 1', async () => {
    const x0 = Tensor.full([2, 3, 8, 8], 0.25);
    const mask = Tensor.cat([Tensor.ones([1, 1, 8, 4]), Tensor.zeros([1, 1, 8, 4])], 3);
    // The mask of ancestral sampling is applied last: at t = 0 the held part is x0 with the first beta's noise.
    const { samples } = await new DDPMSampler(model).sample({ batchSize: 2, mask, x0, random: new Generator(2) });
    const held = samples.slice(3, 0, 4).sub(0.25);
    const free = samples.slice(3, 4, 8).sub(0.25);
    const spread = async (t: Tensor) => (await t.std().item()) as number;
    expect(await spread(held)).toBeLessThan(0.3);
    expect(await spread(free)).toBeGreaterThan(0.5);
  });

  test.each([
    ['more steps than timesteps', { steps: 7 }, /between 1 and the model's 6/],
    ['no steps', { steps: 0 }, /between 1/],
    ['a mask without x0', { steps: 2, mask: Tensor.ones([1, 1, 8, 8]) }, /belong together/],
    ['a start of another shape', { steps: 2, batchSize: 3, xT: Tensor.zeros([2, 3, 8, 8]) }, /x_T/],
    ['quantization without codes', { steps: 2, quantizeX0: true }, /first stage/],
    ['too few of the steps', { steps: 3, timesteps: 1 }, /at least 2/],
  ])('refuses %s', async (_, options, message) => {
    await expect(new DDIMSampler(model).sample(options)).rejects.toThrow(message);
  });

  test('refuses guidance without an unconditional conditioning, and a corrector of x0 models', async () => {
    expect(() => new DDIMSampler(model).sample({ steps: 2, unconditionalGuidanceScale: 3 })).toThrow(/unconditional/);
    const x0 = await tinyDdpm({ parameterization: 'x0' });
    const scoreCorrector = { modifyScore: (eps: Tensor) => eps };
    expect(() => new DDIMSampler(x0).sample({ steps: 2, scoreCorrector })).toThrow(/predicts x0/);
  });

  test('a model that predicts x0 is sampled as such unless the reference’s way is asked for', async () => {
    const x0 = await tinyDdpm({ parameterization: 'x0' });
    const steps: SamplingStep[] = [];
    for await (const step of new DDIMSampler(x0).sample({ steps: 2, xT: xT(), batchSize: 2 })) steps.push(step);
    const predicted = await x0.applyModel(xT(), Tensor.full([2], 4, { dtype: 'int64' }));
    expect(await steps[0].predX0.sub(predicted).abs().max().item()).toBeLessThan(1e-4);
    const other = await new DDIMSampler(x0).sample({ steps: 2, xT: xT(), batchSize: 2, outputIsEps: true });
    expect(await values(other.samples)).not.toEqual(await values(steps[1].x));
  });
});

describe('guidance', () => {
  test('moves from the unconditional to the conditional prediction and beyond', async () => {
    const ldm = await tinyLatentDiffusion();
    const label = (n: number) => ldm.getLearnedConditioning(Tensor.from([n, n], [2], { dtype: 'int64' }));
    const [cond, uncond] = [await label(1), await label(4)];
    const sample = async (conditioning: Tensor, scale: number) => {
      const run = new DDIMSampler(ldm).sample({
        steps: 1,
        xT: xT(),
        conditioning,
        unconditionalConditioning: uncond,
        unconditionalGuidanceScale: scale,
      });
      return values((await run).samples);
    };
    const [none, full, half] = [await sample(uncond, 1), await sample(cond, 1), await sample(cond, 0.5)];
    for (const i of half.keys()) expect(half[i]).toBeCloseTo((none[i] + full[i]) / 2, 4);
    expect(full).not.toEqual(none);
    expect(
      await values(
        (
          await new DDIMSampler(ldm).sample({
            steps: 1,
            xT: xT(),
            conditioning: { c_crossattn: [cond] },
            unconditionalConditioning: { c_crossattn: [uncond] },
            unconditionalGuidanceScale: 0.5,
          })
        ).samples,
      ),
    ).toEqual(half);
    await ldm.close();
  });
});

describe('PLMSSampler', () => {
  test('asks a corrector twice in the first step, at the timestep of the next one the second time', async () => {
    const asked: number[][] = [];
    const scoreCorrector = {
      modifyScore: async (eps: Tensor, { t, index }: { t: Tensor; index: number }) => {
        asked.push([await t.select(0, 0).item(), index]);
        return eps;
      },
    };
    const sampler = new PLMSSampler(model);
    const corrected = await sampler.sample({ steps: 3, xT: xT(), scoreCorrector });
    expect(asked).toEqual([
      [5, 2],
      [3, 2],
      [3, 1],
      [1, 0],
    ]);
    const plain = await sampler.sample({ steps: 3, xT: xT() });
    expect(await values(corrected.samples)).toEqual(await values(plain.samples));
    const ddim = await new DDIMSampler(model).sample({ steps: 3, xT: xT() });
    expect(await values(plain.samples)).not.toEqual(await values(ddim.samples));
  });

  test('reports each step once, and refuses noise', async () => {
    const seen: number[] = [];
    const onStep = ({ step }: SamplingStep) => void seen.push(step);
    await new PLMSSampler(model).sample({ steps: 3, xT: xT(), onStep });
    expect(seen).toEqual([1, 2, 3]);
    await expect(new PLMSSampler(model).sample({ steps: 3, xT: xT(), eta: 0.5 as 0 })).rejects.toThrow(/must be 0/);
    expect(samplerNames).toEqual(expect.arrayContaining(['ddim', 'plms', 'ddpm']));
  });

  test('samples a model that predicts x0 as such', async () => {
    const x0 = await tinyDdpm({ parameterization: 'x0' });
    const { samples } = await new PLMSSampler(x0).sample({ steps: 1, xT: xT() });
    // One step by Heun's method: the mean of the noises of both evaluations, which DDIM does not take.
    const eps = await new PLMSSampler(x0).sample({ steps: 1, xT: xT(), outputIsEps: true });
    expect(await values(samples)).not.toEqual(await values(eps.samples));
    expect((await values(samples)).every(Number.isFinite)).toBe(true);
    await x0.close();
  });
});
