import { betasForAlphaBar, makeBetaSchedule, makeDdimSamplingParameters, makeDdimTimesteps } from '../../lib/sampling';
import { tinyDdpm } from '../helpers/tiny-diffusion';

test('the ends of the schedules', async () => {
  const ends = async (schedule: Parameters<typeof makeBetaSchedule>[0]) => {
    const betas = [...(await (await makeBetaSchedule(schedule, 50, { linearStart: 0.01, linearEnd: 0.04 })).data())];
    return [Number(betas[0]), Number(betas[49])];
  };
  for (const schedule of ['linear', 'sqrt_linear'] as const) {
    const [first, last] = await ends(schedule);
    expect(first).toBeCloseTo(0.01, 12);
    expect(last).toBeCloseTo(0.04, 12);
  }
  expect((await ends('sqrt'))[1]).toBeCloseTo(0.2, 12);
  expect((await ends('cosine'))[1]).toBe(0.999);
});

test('a schedule in float64', async () => {
  expect((await makeBetaSchedule('linear', 4)).dtype).toBe('float64');
});

describe('DDIM timesteps', () => {
  test('uniform steps are multiples of T // S, plus 1', async () => {
    expect(await makeDdimTimesteps('uniform', 7, 1000)).toEqual([1, 143, 285, 427, 569, 711, 853, 995]);
  });
  test('a step beyond the last timestep becomes the last timestep', async () => {
    expect(await makeDdimTimesteps('uniform', 3, 1000)).toEqual([1, 334, 667, 999]);
  });
  test('every number of steps gives ascending timesteps of the model', async () => {
    for (const steps of [1, 2, 9, 27, 36, 37, 101, 111, 251, 333, 501, 999, 1000]) {
      const timesteps = await makeDdimTimesteps('uniform', steps, 1000);
      expect(timesteps[0]).toBe(1);
      expect(timesteps[timesteps.length - 1]).toBeLessThan(1000);
      expect(timesteps.every((t, i) => i === 0 || t > timesteps[i - 1])).toBe(true);
    }
  });
  test('quadratic steps are denser at the beginning', async () => {
    const timesteps = await makeDdimTimesteps('quad', 10, 1000);
    expect(timesteps).toEqual([1, 10, 40, 89, 159, 247, 356, 484, 633, 801]);
  });
  test('other numbers of steps and methods are refused', async () => {
    await expect(makeDdimTimesteps('uniform', 0, 10)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
    await expect(makeDdimTimesteps('uniform', 11, 10)).rejects.toThrow(/between 1 and the model's 10/);
    await expect(makeDdimTimesteps('cubic' as 'quad', 5, 10)).rejects.toThrow(/uniform or quad/);
  });
});

test('DDIM coefficients: precisions, the first predecessor, sigmas in proportion to eta', async () => {
  const model = await tinyDdpm({ timesteps: 100, linear_start: 1e-4, linear_end: 0.02 });
  const { alphas_cumprod: bar } = await model.schedule();
  const p = await makeDdimSamplingParameters(bar, [1, 11, 21], 1);
  expect([p.alphas.dtype, p.alphasPrev.dtype, p.sigmas.dtype]).toEqual(['float32', 'float64', 'float64']);
  const all = await bar.data();
  expect((await p.alphasPrev.data())[0]).toBe(all[0]);
  expect((await p.alphasPrev.data())[2]).toBe(all[11]);
  const half = await makeDdimSamplingParameters(bar, [1, 11, 21], 0.5);
  expect((await half.sigmas.data())[1]).toBeCloseTo(Number((await p.sigmas.data())[1]) / 2, 12);
});

test('betasForAlphaBar inverts the product', () => {
  const betas = betasForAlphaBar(10, (time) => 1 - 0.9 * time);
  const product = betas.reduce((bar, beta) => bar * (1 - beta), 1);
  expect(product).toBeCloseTo(0.1, 12);
  expect(betasForAlphaBar(4, (time) => 1 - time)[3]).toBe(0.999);
  expect(() => betasForAlphaBar(0, () => 1)).toThrow(/at least 1/);
});
