/** What the host waits for on a GPU, counted on the pretend one (pretend_device.cpp). */
import { buildPretendDevice, hasPretendDevice, runOnDevice } from './pretend';

beforeAll(buildPretendDevice);

(hasPretendDevice() ? describe : describe.skip)('on a GPU', () => {
  let result: any;
  beforeAll(async () => {
    result = await runOnDevice('waits');
  });

  test('a training step waits for nothing', () => {
    expect(result.kl).toEqual({});
    expect(result.ldm).toEqual({});
    expect(result.clipped).toEqual({});
    expect(result.fp16).toEqual({});
    // The size of resized batches is drawn on the device, and the host has to know it: in two of these three steps.
    expect(result.vq).toEqual({ 'copy to the host': 2 });
  });

  test('in float16 an overflow halves the scale of the losses, on the device', () => {
    const [well, overflown] = result.scaler;
    expect([well.unfit, well.scaler.scale, well.scaler._growth_tracker]).toEqual([false, 65536, 1]);
    expect([overflown.unfit, overflown.scaler.scale, overflown.scaler._growth_tracker]).toEqual([true, 32768, 0]);
  });

  test('a sampling step waits for nothing', () => {
    expect(result.sampling).toEqual({ ddim: 0, plms: 0 });
  });

  test('the trainer waits when it logs', () => {
    const [short, long] = result.runs;
    expect(long.losses).toHaveLength(3);
    expect(long.losses.every(Number.isFinite)).toBe(true);
    expect(long.losses[0]).toBe(short.losses[0]);
    // Four steps and two lines of the log more. (The rest is the checkpoint at the end.)
    expect(long.waits['copy to the host'] - short.waits['copy to the host']).toBe(2);
    expect({ ...long.waits, 'copy to the host': 0 }).toEqual({ ...short.waits, 'copy to the host': 0 });
  });

  test('a step whose gradients are not finite is left out on the device, and tells so later', () => {
    expect(result.notFinite).toEqual({ unfit: [true, false], kept: true, moved: true });
  });
});
