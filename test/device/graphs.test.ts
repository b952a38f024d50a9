/** Sampling by graphs, on the pretend GPU (pretend_device.cpp), which records operators and replays them on the same memory. */
import { configureBackend } from '../../lib/kernels';
import { DDPMSampler } from '../../lib/sampling';
import { tinyDdpm } from '../helpers/tiny-diffusion';
import { buildPretendDevice, hasPretendDevice, runOnDevice } from './pretend';

beforeAll(buildPretendDevice);

(hasPretendDevice() ? test : test.skip)(
  'samplers draw the same, in one replay for each step but the first',
  async () => {
    const all = await runOnDevice('graphs');
    for (const run of Object.values<any>(all)) {
      expect(run.difference).toBeLessThan(1e-5 * run.largest);
      expect(run.waits[1]).toEqual(run.waits[0]);
    }
    // 20 timesteps in strides of 3 make 7 steps; PLMS evaluates the network twice in its first.
    const replays = Object.fromEntries(Object.entries<any>(all).map(([name, run]) => [name, run.replays]));
    expect(replays).toEqual({ ddim: 6, guided: 6, plms: 7, ddpm: 5, bf16: 6 });
  },
);

test('on the CPU there are none', async () => {
  const model = await tinyDdpm();
  configureBackend({ graphs: true });
  try {
    await expect(new DDPMSampler(model).sample()).rejects.toMatchObject({
      code: 'ERR_DEVICE',
      message: expect.stringContaining('on the CPU'),
    });
  } finally {
    configureBackend({ graphs: false });
    await model.close();
  }
});

test('what backends know', () => {
  expect(() => configureBackend({ tf32: 'on' as 'off' })).toThrow(/'off', 'convolutions' or 'all'/);
});
