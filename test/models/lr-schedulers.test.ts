import {
  createLrScheduler,
  LambdaLinearScheduler,
  LambdaWarmUpCosineScheduler,
  LambdaWarmUpCosineScheduler2,
} from '../../lib/models/lr-schedulers';

const cycles = {
  warm_up_steps: [4, 2],
  cycle_lengths: [10, 20],
  f_start: [0.1, 0],
  f_max: [1, 0.5],
  f_min: [0.2, 0.05],
};

describe('LambdaWarmUpCosineScheduler', () => {
  const scheduler = new LambdaWarmUpCosineScheduler({
    warm_up_steps: 10,
    max_decay_steps: 110,
    lr_start: 0,
    lr_max: 1,
    lr_min: 0.1,
  });

  test('rises linearly, then falls along a cosine', () => {
    expect(scheduler.schedule(0)).toBe(0);
    expect(scheduler.schedule(5)).toBeCloseTo(0.5, 12);
    expect(scheduler.schedule(10)).toBe(1);
    expect(scheduler.schedule(60)).toBeCloseTo(0.55, 12);
  });
  test('stays at the minimum', () => {
    expect(scheduler.schedule(110)).toBeCloseTo(0.1, 12);
    expect(scheduler.schedule(100_000)).toBeCloseTo(0.1, 12);
  });
});

describe('cyclic schedulers', () => {
  const linear = new LambdaLinearScheduler(cycles);
  const cosine = new LambdaWarmUpCosineScheduler2(cycles);

  test('a boundary belongs to the earlier cycle', () => {
    expect(linear.schedule(10)).toBe(0.2);
    expect(linear.schedule(11)).toBeCloseTo(0.25, 12); // step 1 of the second warm-up
  });
  test('the linear decay counts from the beginning of the cycle', () => {
    expect(linear.schedule(4)).toBeCloseTo(0.2 + 0.8 * 0.6, 12);
  });
  test('the cosine decay counts from the end of the warm-up', () => {
    expect(cosine.schedule(4)).toBe(1);
    expect(cosine.schedule(7)).toBeCloseTo(0.6, 12);
  });
  test('after the last cycle its last factor stays', () => {
    expect(linear.schedule(30)).toBeCloseTo(0.05, 12);
    expect(linear.schedule(31)).toBe(linear.schedule(30));
    expect(cosine.schedule(1e9)).toBe(cosine.schedule(30));
  });
  test('lists of different lengths are refused', () => {
    expect(() => new LambdaLinearScheduler({ ...cycles, f_min: [0.2] })).toThrow(/one length/);
  });
});

describe('createLrScheduler', () => {
  test('creates what the node names', () => {
    const scheduler = createLrScheduler({ target: 'ldm.lr_scheduler.LambdaLinearScheduler', params: cycles });
    expect(scheduler).toBeInstanceOf(LambdaLinearScheduler);
  });
  test('refuses a node that is not a schedule', () => {
    expect(() => createLrScheduler({ target: 'ldm.models.autoencoder.AutoencoderKL' })).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG' }),
    );
  });
});
