import { noGrad } from '../../lib/job';
import type { UNetModel } from '../../lib/models/unet-model';
import { native } from '../../lib/native';
import { bigInput, bigUNet, smallInput, timesteps, tinyUNet } from './networks';

let big: UNetModel;
let tiny: UNetModel;
beforeAll(async () => {
  [big, tiny] = await Promise.all([bigUNet(), tinyUNet()]);
});
afterAll(() => {
  big.dispose();
  tiny.dispose();
});

const aborted = expect.objectContaining({ code: 'ERR_ABORTED', name: 'AbortError' });
const evaluate = (unet: UNetModel, input: typeof bigInput, signal?: AbortSignal) => {
  const x = input();
  return noGrad(() => unet.forward(x, timesteps(x.shape[0]), {}, { signal }));
};
const untilRunning = async () => {
  while (native().memoryUsage().jobs === 0) await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setTimeout(resolve, 30));
};

test('a signal ends a network evaluation in its middle', async () => {
  const whole = performance.now();
  await (await evaluate(big, bigInput)).ready();
  const duration = performance.now() - whole;

  const controller = new AbortController();
  const running = evaluate(big, bigInput, controller.signal);
  running.catch(() => {});
  await untilRunning();
  const start = performance.now();
  controller.abort();
  await expect(running).rejects.toThrow(aborted);
  expect(performance.now() - start).toBeLessThan(duration / 2);
});

test('the reason of the signal is the cause of the error', async () => {
  const controller = new AbortController();
  const running = evaluate(big, bigInput, controller.signal);
  const reason = new Error('the user changed her mind');
  controller.abort(reason);
  await expect(running).rejects.toThrow(expect.objectContaining({ code: 'ERR_ABORTED', cause: reason }));
});

test('a signal that is aborted before the call lets nothing start', async () => {
  const before = native().memoryUsage().jobs;
  const call = evaluate(tiny, smallInput, AbortSignal.abort());
  expect(native().memoryUsage().jobs).toBeLessThanOrEqual(before + 2); // the two input tensors, no evaluation
  await expect(call).rejects.toThrow(aborted);
});

test('a queued job leaves the queue at once; others stay', async () => {
  const controller = new AbortController();
  const first = evaluate(big, bigInput);
  const second = evaluate(big, bigInput, controller.signal);
  const third = evaluate(tiny, smallInput);
  let firstDone = false;
  first.then(() => {
    firstDone = true;
  });
  controller.abort();
  await expect(second).rejects.toThrow(aborted);
  expect(firstDone).toBe(false);
  expect((await third).shape).toEqual([1, 4, 8, 8]);
  expect(firstDone).toBe(true); // jobs run in the order in which they were queued
});

test('a signal may serve many calls and leaves no listeners behind', async () => {
  const controller = new AbortController();
  const add = jest.spyOn(controller.signal, 'addEventListener');
  const remove = jest.spyOn(controller.signal, 'removeEventListener');
  for (let i = 0; i < 20; i++) await evaluate(tiny, smallInput, controller.signal);
  expect(add).toHaveBeenCalledTimes(20);
  expect(remove).toHaveBeenCalledTimes(20);
  controller.abort();
  expect((await evaluate(tiny, smallInput)).shape).toEqual([1, 4, 8, 8]);
});

test('close cancels what runs and waits on a model, and only on that one', async () => {
  const model = await bigUNet();
  const running = evaluate(model, bigInput);
  const queued = evaluate(model, bigInput);
  const other = evaluate(tiny, smallInput);
  await untilRunning();
  const outcomes = Promise.allSettled([running, queued]);
  await model.close();
  expect((await outcomes).map((o) => o.status === 'rejected' && o.reason.code)).toEqual(['ERR_ABORTED', 'ERR_ABORTED']);
  expect(model.disposed).toBe(true);
  expect((await other).shape).toEqual([1, 4, 8, 8]);
  await expect(evaluate(model, smallInput)).rejects.toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }));
});
