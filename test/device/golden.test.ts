/**
 * Golden cases on the pretend GPU (pretend_device.cpp): whether every tensor lies on the model's device, no kernel of the CPU takes
 * device memory for its own, and the results are the reference's. They tell nothing about CUDA's own kernels.
 */
import path from 'node:path';
import { buildPretendDevice, hasPretendDevice, runOnDevice } from './pretend';

beforeAll(buildPretendDevice);

(hasPretendDevice() ? test : test.skip)('the golden cases pass', async () => {
  const { cases, failed } = await runOnDevice('golden', path.join(__dirname, '../golden/cases'));
  expect(failed).toEqual([]);
  expect(cases).toBeGreaterThan(70);
});
