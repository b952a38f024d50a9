import { parseDotlist } from '../../lib/config';
import { checkLightning } from '../../lib/config/lightning';
import { trainerSetup } from '../../lib/training/trainer-arguments';

/** The set-up of `lightning.trainer` given as YAML. */
function setup(...overrides: string[]) {
  const config = parseDotlist(overrides.map((override) => `lightning.trainer.${override}`));
  const { value, problems } = checkLightning(config.get('lightning'), null);
  expect(problems).toEqual([]);
  return trainerSetup(value!.trainer, (name) => config.isFloat(`lightning.trainer.${name}`));
}

it('reads numbers and parts of batches as Lightning: 1 is one batch, 1.0 is all', () => {
  const { options } = setup('limit_train_batches=1', 'limit_val_batches=1.0', 'limit_test_batches=0.25');
  expect(options).toMatchObject({ limitTrainBatches: 1, limitValBatches: null, limitTestBatches: { fraction: 0.25 } });
  expect(setup('val_check_interval=100').options.valCheckInterval).toBe(100);
  expect(() => setup('limit_val_batches=1.5')).toThrow(/1\.5/);
});

it.each<[string, string | null]>([
  ['gpus=0,', 'cuda:0'],
  ['gpus="1,"', 'cuda:1'],
  ['gpus=1', 'cuda:0'],
  ['gpus=[2]', 'cuda:2'],
  ['gpus=-1', 'cuda:0'],
  ['gpus=0', null],
])('takes %s for the device %s', (override, device) => {
  expect(setup(override).device).toBe(device);
});

it('refuses what would change the result, and says what has no effect', () => {
  expect(() => setup('gpus=0,1')).toThrow(/2 GPUs.*accumulate_grad_batches=2/);
  for (const given of ['num_nodes=2', 'stochastic_weight_avg=true', 'auto_lr_find=true', 'tpu_cores=8', 'precision=64'])
    expect(() => setup(given)).toThrow(expect.objectContaining({ code: 'ERR_CONFIG' }));
  expect(setup('profiler=simple', 'accelerator=ddp', 'progress_bar_refresh_rate=20').notes).toEqual([
    'lightning.trainer.profiler has no effect: use a profiler of the system.',
  ]);
});

it('knows times, clipping, precision, overfitting and fast_dev_run', () => {
  expect(setup('max_time=00:12:00:30').options.maxTime).toBe(12 * 3600 + 30);
  expect(setup('gradient_clip_val=0.5').options.gradientClipping).toEqual({ value: 0.5, algorithm: 'norm' });
  expect(setup('gradient_clip_val=0').options.gradientClipping).toBeNull();
  expect([setup('precision=16'), setup('precision=bf16'), setup()].map((s) => s.options.precision)).toEqual([
    'fp16',
    'bf16',
    'fp32',
  ]);
  expect(setup('overfit_batches=2')).toMatchObject({
    shuffle: false,
    options: { limitTrainBatches: 2, limitValBatches: 2 },
  });
  expect(setup('fast_dev_run=true')).toMatchObject({ fastDevRun: true, options: { maxSteps: 1, maxEpochs: 1 } });
});
