import { Tensor } from '../../lib/tensor';

const refused = (text: RegExp) =>
  expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringMatching(text) });

const grid = () => Tensor.arange(0, 6, 1, { dtype: 'float32' }).reshape(2, 3);

describe('shape', () => {
  test('reshape, permute, contiguous', async () => {
    expect(await grid().reshape(3, -1).toArray()).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    expect(grid().reshape([6]).shape).toEqual([6]);
    expect(await grid().permute(1, 0).toArray()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ]);
    expect(await grid().permute([1, 0]).contiguous().reshape(6).toArray()).toEqual([0, 3, 1, 4, 2, 5]);
  });
  test('slice, select, indexSelect, flip', async () => {
    expect(await grid().slice(1, 0, 3, 2).toArray()).toEqual([
      [0, 2],
      [3, 5],
    ]);
    expect(await grid().slice(1, -1, 99).toArray()).toEqual([[2], [5]]);
    expect(await grid().select(0, -1).toArray()).toEqual([3, 4, 5]);
    expect(
      await grid()
        .indexSelect(1, Tensor.from(BigInt64Array.of(2n, 2n, 0n)))
        .toArray(),
    ).toEqual([
      [2, 2, 0],
      [5, 5, 3],
    ]);
    expect(await grid().flip(0, 1).toArray()).toEqual([
      [5, 4, 3],
      [2, 1, 0],
    ]);
  });
  test('squeeze, unsqueeze, expand', () => {
    expect(grid().unsqueeze(0).shape).toEqual([1, 2, 3]);
    expect(grid().unsqueeze(-1).shape).toEqual([2, 3, 1]);
    expect(grid().unsqueeze(0).squeeze(0).shape).toEqual([2, 3]);
    expect(grid().unsqueeze(0).expand(4, 2, 3).shape).toEqual([4, 2, 3]);
    expect(grid().unsqueeze(0).expand([5, -1, -1]).shape).toEqual([5, 2, 3]);
  });
  test('cat and stack', async () => {
    const [a, b] = [Tensor.from([1, 2]), Tensor.from([3, 4])];
    expect(await Tensor.cat([a, b]).toArray()).toEqual([1, 2, 3, 4]);
    expect(await Tensor.stack([a, b], 1).toArray()).toEqual([
      [1, 3],
      [2, 4],
    ]);
  });
});

describe('arithmetic', () => {
  test('with numbers', async () => {
    const t = Tensor.from([1, -2, 4]);
    expect(await t.add(1).toArray()).toEqual([2, -1, 5]);
    expect(await t.sub(0.5).toArray()).toEqual([0.5, -2.5, 3.5]);
    expect(await t.mul(-2).toArray()).toEqual([-2, 4, -8]);
    expect(await t.div(4).toArray()).toEqual([0.25, -0.5, 1]);
    expect(await t.pow(2).toArray()).toEqual([1, 4, 16]);
    expect(await t.eq(4).data()).toEqual(Uint8Array.of(0, 0, 1));
  });
  test('with tensors, by broadcasting', async () => {
    const row = Tensor.from([1, 2]);
    const column = Tensor.from([[10], [20]]);
    expect(await column.add(row).toArray()).toEqual([
      [11, 12],
      [21, 22],
    ]);
    expect(await column.sub(row).toArray()).toEqual([
      [9, 8],
      [19, 18],
    ]);
    expect(await column.mul(row).toArray()).toEqual([
      [10, 20],
      [20, 40],
    ]);
    expect(await column.div(row).toArray()).toEqual([
      [10, 5],
      [20, 10],
    ]);
    expect(await row.pow(Tensor.from([3, 3])).toArray()).toEqual([1, 8]);
    expect(await row.eq(Tensor.from([1, 1])).data()).toEqual(Uint8Array.of(1, 0));
    expect(await grid().matmul(grid().permute(1, 0)).toArray()).toEqual([
      [5, 14],
      [14, 50],
    ]);
  });
  test('elementwise functions', async () => {
    const t = Tensor.from([0.25, 4]);
    expect(await t.neg().toArray()).toEqual([-0.25, -4]);
    expect(await Tensor.from([-3, 3]).abs().toArray()).toEqual([3, 3]);
    expect(await t.sqrt().toArray()).toEqual([0.5, 2]);
    expect(await Tensor.from([0, 1]).exp().toArray()).toEqual([1, Math.fround(Math.E)]);
    expect(await Tensor.from([1]).log().toArray()).toEqual([0]);
    expect(await Tensor.from([0.5, 1.5, -2.5]).round().toArray()).toEqual([0, 2, -2]); // halves to even
    expect(await Tensor.from([-2, 0, 2]).clamp(-1, 1).toArray()).toEqual([-1, 0, 1]);
    expect(await Tensor.from([-2, 2]).clamp(null, 1).toArray()).toEqual([-2, 1]);
    expect(await Tensor.from([-2, 2]).clamp(0, null).toArray()).toEqual([0, 2]);
  });
  test('an integer stays an integer, unless it meets a fraction', () => {
    const t = Tensor.from(Int32Array.of(1, 2));
    expect(t.add(1).dtype).toBe('int32');
    expect(t.add(0.5).dtype).toBe('float32');
    expect(t.div(2).dtype).toBe('float32');
  });
});

describe('reductions', () => {
  test('over everything', async () => {
    expect(await grid().sum().item()).toBe(15);
    expect(await grid().mean().item()).toBe(2.5);
    expect(await grid().std().item()).toBeCloseTo(Math.sqrt(3.5), 6); // unbiased
    expect(await grid().min().item()).toBe(0);
    expect(await grid().max().item()).toBe(5);
  });
  test('over dimensions', async () => {
    expect(await grid().sum(0).toArray()).toEqual([3, 5, 7]);
    expect(await grid().sum([0, 1]).item()).toBe(15);
    expect(await grid().mean(1, true).toArray()).toEqual([[1], [4]]);
    expect(await grid().std(1).toArray()).toEqual([1, 1]);
    expect(await grid().max(1).toArray()).toEqual([2, 5]);
    expect(await grid().min(0, true).toArray()).toEqual([[0, 1, 2]]);
    expect(await grid().flip(1).argmax(1).data()).toEqual(BigInt64Array.of(0n, 0n));
  });
});

describe('conversion', () => {
  test('to casts as torch does', async () => {
    expect(await Tensor.from([1.9, -1.9]).to({ dtype: 'int64' }).data()).toEqual(BigInt64Array.of(1n, -1n));
    expect(await Tensor.from([0, 0.1]).to({ dtype: 'bool' }).data()).toEqual(Uint8Array.of(0, 1));
    expect(Tensor.zeros([1]).to({}).dtype).toBe('float32');
  });
  test('a clone does not follow', async () => {
    const t = Tensor.from([1, 2]);
    const copy = t.clone();
    t.dispose();
    expect(await copy.toArray()).toEqual([1, 2]);
  });
});

describe('misfits are errors at the call, before anything runs', () => {
  test.each<[string, () => Tensor, RegExp]>([
    ['reshape', () => grid().reshape(4, 2), /shape/],
    ['permute', () => grid().permute(0), /permute|dim/],
    ['select', () => grid().select(0, 5), /index|range/i],
    ['unsqueeze', () => grid().unsqueeze(7), /range/],
    ['expand', () => grid().expand(2, 4), /expand/],
    ['add', () => grid().add(Tensor.zeros([4])), /size|broadcast/i],
    ['matmul', () => grid().matmul(grid()), /mat|shape|size/i],
    ['cat', () => Tensor.cat([grid(), Tensor.zeros([3, 2])], 0), /size/i],
    ['an empty cat', () => Tensor.cat([]), /non-empty|expected/i],
    ['stack', () => Tensor.stack([grid(), Tensor.zeros([3])]), /size/i],
    ['sum', () => grid().sum(2), /range/],
    ['flip', () => grid().flip(2), /range/],
    ['indexSelect', () => grid().indexSelect(0, Tensor.zeros([2])), /indices/],
    ['requiresGrad', () => Tensor.arange(3).requiresGrad_(true), /floating point/],
  ])('%s', (_name, call, text) => {
    expect(call).toThrow(refused(text));
  });

  test('a disposed tensor cannot be used', async () => {
    const t = grid();
    t.dispose();
    t.dispose();
    expect(t.disposed).toBe(true);
    expect(() => t.add(1)).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }));
    expect(() => t.shape).toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }));
    await expect(t.data()).rejects.toThrow(expect.objectContaining({ code: 'ERR_DISPOSED' }));
  });
});

test('an error of the computation itself reaches every reader, and nothing else', async () => {
  const index = Tensor.from(BigInt64Array.of(7n)); // shapes fit, the value does not
  const wrong = grid().indexSelect(1, index);
  const derived = wrong.add(1);
  await expect(derived.data()).rejects.toThrow(expect.objectContaining({ code: 'ERR_TORCH' }));
  await expect(wrong.ready()).rejects.toThrow(/bounds/);
  expect(await grid().sum().item()).toBe(15);
});
