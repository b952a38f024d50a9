import { LdmError } from '../../lib/errors';
import { SpatialRescaler } from '../../lib/models';
import { Tensor } from '../../lib/tensor';
import { difference } from '../helpers/tiny-autoencoder';

test('each stage halves, rounding down, by default', async () => {
  using rescaler = await SpatialRescaler.create({ n_stages: 2 });
  expect((await rescaler.stateDict()).size).toBe(0);
  expect((await rescaler.encode(Tensor.zeros([1, 5, 18, 13]))).shape).toEqual([1, 5, 4, 3]);
});

test('area takes means, nearest the first pixel', async () => {
  const image = Tensor.from([1, 3, 5, 7], [1, 1, 2, 2]);
  using area = await SpatialRescaler.create({ method: 'area' });
  using nearest = await SpatialRescaler.create({ method: 'nearest' });
  expect(await (await area.encode(image)).item()).toBe(4);
  expect(await (await nearest.encode(image)).item()).toBe(1);
});

test('sequences and volumes have methods of their own', async () => {
  using linear = await SpatialRescaler.create({ method: 'linear' });
  expect((await linear.encode(Tensor.zeros([1, 2, 8]))).shape).toEqual([1, 2, 4]);
  using trilinear = await SpatialRescaler.create({ method: 'trilinear' });
  expect((await trilinear.encode(Tensor.zeros([1, 2, 8, 4, 6]))).shape).toEqual([1, 2, 4, 2, 3]);
  await expect(linear.encode(Tensor.zeros([1, 2, 8, 8]))).rejects.toThrow(LdmError);
});

test('the channel mapper is a 1x1 convolution, without bias by default', async () => {
  using rescaler = await SpatialRescaler.create({ n_stages: 0, in_channels: 2, out_channels: 1 });
  const state = await rescaler.stateDict();
  expect([...state.keys()]).toEqual(['channel_mapper.weight']);
  await rescaler.loadStateDict(new Map([['channel_mapper.weight', Tensor.from([2, -1], [1, 2, 1, 1])]]));
  const image = Tensor.rand([1, 2, 3, 3], { seed: 1 });
  const expected = image
    .slice(1, 0, 1)
    .mul(2)
    .sub(image.slice(1, 1, 2));
  expect(await difference(await rescaler.encode(image), expected)).toBeLessThan(1e-6);
});
