import { IdentityFirstStage } from '../../lib/models';
import { difference, images } from '../helpers/tiny-autoencoder';

test('every method returns its argument, and there are no weights', async () => {
  using stage = await IdentityFirstStage.create();
  const x = images([1, 3, 4, 4]);
  for (const y of [await stage.encode(x), await stage.decode(x), await stage.quantize(x), await stage.forward(x)])
    expect(await difference(x, y)).toBe(0);
  expect((await stage.stateDict()).size).toBe(0);
});
