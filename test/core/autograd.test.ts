import { noGrad } from '../../lib/job';
import { Tensor } from '../../lib/tensor';

test('gradients accumulate in leaves', async () => {
  const x = Tensor.from([1, 2, 3], undefined, { requiresGrad: true });
  expect(await x.grad()).toBeNull();
  await x.mul(x).sum().backward();
  expect(await (await x.grad())!.toArray()).toEqual([2, 4, 6]);
  await x.sum().backward();
  expect(await (await x.grad())!.toArray()).toEqual([3, 5, 7]);
});

test('a tensor of several elements needs a gradient', async () => {
  const x = Tensor.from([1, 2], undefined, { requiresGrad: true });
  const y = x.mul(3);
  await expect(y.backward()).rejects.toThrow(/scalar/);
  await y.backward(Tensor.from([1, 10]));
  expect(await (await x.grad())!.toArray()).toEqual([3, 30]);
});

test('a graph is used once, unless it is retained', async () => {
  const x = Tensor.from([2], undefined, { requiresGrad: true });
  const y = x.mul(x);
  await y.backward(null, { retainGraph: true });
  await y.backward();
  expect(await (await x.grad())!.item()).toBe(8);
  await expect(y.backward()).rejects.toThrow(expect.objectContaining({ code: 'ERR_TORCH' }));
});

test('requiresGrad follows through functions, but not through detach, comparison and noGrad', () => {
  const x = Tensor.from([1], undefined, { requiresGrad: true });
  expect(x.add(1).requiresGrad).toBe(true);
  expect(x.detach().requiresGrad).toBe(false);
  expect(x.eq(1).requiresGrad).toBe(false);
  expect(noGrad(() => x.add(1)).requiresGrad).toBe(false);
  expect(x.requiresGrad_(false).add(1).requiresGrad).toBe(false);
});

test('noGrad counts when a call is queued, not when it runs', async () => {
  const x = Tensor.from([3], undefined, { requiresGrad: true });
  const inside = noGrad(() => x.mul(2)); // runs after noGrad has ended
  const outside = x.mul(2);
  await outside.backward();
  await expect(inside.backward()).rejects.toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT' }));
  expect(await (await x.grad())!.item()).toBe(2);
});

test('noGrad nests and ends with its function, also when that throws', () => {
  const x = Tensor.from([1], undefined, { requiresGrad: true });
  noGrad(() => {
    noGrad(() => 0);
    expect(x.add(1).requiresGrad).toBe(false);
  });
  expect(() =>
    noGrad(() => {
      throw new Error('from inside');
    }),
  ).toThrow('from inside');
  expect(x.add(1).requiresGrad).toBe(true);
});

test('views and broadcasts pass gradients back', async () => {
  const x = Tensor.from([[1, 2, 3]], undefined, { requiresGrad: true });
  await x.expand(2, 3).slice(1, 1, 3).sum().backward();
  expect(await (await x.grad())!.toArray()).toEqual([[0, 2, 2]]);
});

test('backward without a graph is refused', async () => {
  await expect(Tensor.ones([1]).backward()).rejects.toThrow(/requiresGrad/);
});
