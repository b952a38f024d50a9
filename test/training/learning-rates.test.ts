import { LambdaLinearScheduler } from '../../lib/models/lr-schedulers';
import { LearningRates } from '../../lib/training/learning-rates';

const scheduler = new LambdaLinearScheduler({
  warm_up_steps: [10],
  cycle_lengths: [1000],
  f_start: [0],
  f_max: [1],
  f_min: [1],
});
const file = (rate: number, lastEpoch: number) => ({
  optimizerStates: [{ state: {}, param_groups: [{ params: [0], lr: rate * 0.5, initial_lr: rate }] }],
  lrSchedulers: [
    new Map<string, number | number[]>([
      ['base_lrs', [rate]],
      ['last_epoch', lastEpoch],
    ]),
  ],
});

it('multiplies base rates, schedule and factor', () => {
  const rates = new LearningRates([2, 4], { scheduler, factor: (step, fraction) => 1 + step + fraction });
  expect(rates.at(5, 0.5)).toEqual([2 * 0.5 * 6.5, 4 * 0.5 * 6.5]);
  expect(new LearningRates([3]).at(1000, 1)).toEqual([3]);
});

it('writes the state of a LambdaLR for each optimizer, none without a schedule', () => {
  expect(new LearningRates([2, 4]).lambdaStates(7)).toEqual([]);
  expect(new LearningRates([2, 4], { scheduler }).lambdaStates(5)[1]).toEqual({
    base_lrs: [4],
    last_epoch: 5,
    verbose: false,
    _step_count: 6,
    _get_lr_called_within_step: false,
    _last_lr: [2],
    lr_lambdas: [{}],
  });
});

it("goes on with a checkpoint's rates and its place in the schedule", () => {
  const scheduled = new LearningRates([1], { scheduler });
  scheduled.restore(100, file(8, 3));
  expect(scheduled.at(100, 0)[0]).toBeCloseTo(8 * 0.3, 12);
  expect(scheduled.at(104, 0)[0]).toBeCloseTo(8 * 0.7, 12);
  expect(scheduled.lambdaStates(104)[0]).toMatchObject({ last_epoch: 7, base_lrs: [8] });
  const constant = new LearningRates([1]);
  constant.restore(100, file(8, 3));
  expect(constant.at(100, 0)).toEqual([4]);
});
