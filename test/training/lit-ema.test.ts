import { Tensor } from '../../lib/tensor';
import { LitEma } from '../../lib/training/lit-ema';

const parameter = (value: number) => Tensor.full([2], value).requiresGrad_(true);
const net = (value: number) =>
  new Map([
    ['block.0.weight', parameter(value)],
    ['frozen', Tensor.ones([1])],
  ]);
const shadow = async (ema: LitEma) => (await (await ema.stateDict()).get('block0weight')!.data())[0];

test('warms up with (1 + n) / (10 + n), then keeps to its decay', async () => {
  const ema = await LitEma.create(net(0), { decay: 0.2 });
  let expected = 0;
  for (let n = 1; n <= 4; n++) {
    const decay = Math.min(0.2, (1 + n) / (10 + n));
    expected = decay * expected + (1 - decay) * n;
    await ema.update(net(n));
    expect(await shadow(ema)).toBeCloseTo(expected, 6);
  }
  expect(await (await ema.stateDict()).get('num_updates')!.item()).toBe(4);
});

test('without warm-up num_updates stays -1', async () => {
  const ema = await LitEma.create(net(0), { decay: 0.9, useNumUpdates: false });
  await ema.update(net(1));
  expect(await shadow(ema)).toBeCloseTo(0.1, 6);
  expect(await (await ema.stateDict()).get('num_updates')!.item()).toBe(-1);
});

test('names lose their dots, frozen parameters have no shadow', async () => {
  const ema = await LitEma.create(net(0));
  expect([...(await ema.stateDict()).keys()]).toEqual(['decay', 'num_updates', 'block0weight']);
});

test('copyTo writes the average, restore brings the weights back', async () => {
  const model = net(3);
  const ema = await LitEma.create(net(1));
  await ema.store(model);
  await ema.copyTo(model);
  expect([...(await model.get('block.0.weight')!.data())]).toEqual([1, 1]);
  await ema.restore(model);
  expect([...(await model.get('block.0.weight')!.data())]).toEqual([3, 3]);
  await expect(ema.restore(model)).rejects.toThrow(/store\(\)/);
});

test('refuses another model, a wrong decay, and names that collide', async () => {
  const ema = await LitEma.create(net(0));
  await expect(ema.update(new Map([['other', parameter(0)]]))).rejects.toThrow(/other/);
  await expect(ema.update(new Map())).rejects.toThrow(/block\.0\.weight/);
  await expect(LitEma.create(net(0), { decay: 1.5 })).rejects.toThrow(/between 0 and 1/);
  const twins = new Map([
    ['a.b', parameter(0)],
    ['ab', parameter(0)],
  ]);
  await expect(LitEma.create(twins)).rejects.toThrow(/'ab'/);
});
