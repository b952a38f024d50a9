import type { EarlyStoppingParams } from '../../lib/config/targets/callbacks';
import type { TrainerView } from '../../lib/training/callbacks/callback';
import { EarlyStopping } from '../../lib/training/callbacks/early-stopping';

const defaults: EarlyStoppingParams = {
  monitor: 'val/loss',
  min_delta: 0,
  patience: 3,
  verbose: false,
  mode: 'min',
  strict: true,
  check_finite: true,
  stopping_threshold: null,
  divergence_threshold: null,
  check_on_train_epoch_end: true,
};

/** Index of the value at which the callback stops training, or -1. */
async function stopsAt(options: Partial<EarlyStoppingParams>, values: number[], callback?: EarlyStopping) {
  const early = callback ?? new EarlyStopping({ ...defaults, ...options });
  let reason: string | undefined;
  for (const [i, value] of values.entries()) {
    const view = { metrics: { 'val/loss': value }, currentEpoch: i, info: () => {}, stop: (r: string) => (reason = r) };
    await early.onTrainEpochEnd(view as unknown as TrainerView);
    if (reason !== undefined) return i;
  }
  return -1;
}

it.each<[string, Partial<EarlyStoppingParams>, number[], number]>([
  ['waits for patience records without a better value', {}, [5, 4, 4, 4.5, 4], 4],
  ['counts anew after a better value', {}, [5, 6, 6, 4, 5, 5, 5], 6],
  ['wants an improvement of min_delta', { min_delta: 0.5, patience: 2 }, [5, 4.8, 4.4, 4.3, 4.2], 4],
  ['takes larger values for better in mode max', { mode: 'max', patience: 2 }, [1, 2, 1, 1], 3],
  ['stops at a value that is not finite', {}, [1, Number.NaN], 1],
  ['does not, without check_finite', { check_finite: false }, [1, Number.NaN, 0.5], -1],
  ['stops at the stopping threshold', { stopping_threshold: 0.5 }, [1, 0.6, 0.4], 2],
  ['stops beyond the divergence threshold', { divergence_threshold: 10 }, [1, 9, 11], 2],
])('%s', async (_, options, values, expected) => {
  expect(await stopsAt(options, values)).toBe(expected);
});

it('goes on counting after a resume', async () => {
  const first = new EarlyStopping(defaults);
  expect(await stopsAt({}, [5, 6, 6], first)).toBe(-1);
  const second = new EarlyStopping(defaults);
  await second.loadState(new Map(Object.entries(first.state())));
  expect(await stopsAt({}, [6], second)).toBe(0);
});

it('needs a metric that somebody logs', async () => {
  expect(() => new EarlyStopping({ ...defaults, monitor: null })).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG' }),
  );
  const view = { metrics: { 'val/rec_loss': 1 } } as unknown as TrainerView;
  await expect(new EarlyStopping(defaults).onTrainEpochEnd(view)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringContaining('val/rec_loss'),
  });
});
