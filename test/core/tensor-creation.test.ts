import { noGrad } from '../../lib/job';
import { Tensor } from '../../lib/tensor';

const refused = (code: string, text: RegExp) => expect.objectContaining({ code, message: expect.stringMatching(text) });

test('a typed array determines the dtype and is copied', async () => {
  const source = Float32Array.of(1.5, -2, 3);
  const t = Tensor.from(source);
  source[0] = 99;
  expect(t.shape).toEqual([3]);
  expect(t.dtype).toBe('float32');
  expect(t.device).toBe('cpu');
  expect(await t.data()).toEqual(Float32Array.of(1.5, -2, 3));
});

test.each([
  ['float64', Float64Array.of(0.1, -1e300)],
  ['int64', BigInt64Array.of(2n ** 60n, -1n)],
  ['int32', Int32Array.of(-(2 ** 31), 7)],
  ['int16', Int16Array.of(-32768, 7)],
  ['int8', Int8Array.of(-128, 7)],
  ['uint8', Uint8Array.of(255, 0)],
])('%s comes back bit for bit in the same kind of array', async (dtype, data) => {
  const t = Tensor.from(data);
  expect(t.dtype).toBe(dtype);
  expect(await t.data()).toEqual(data);
});

test('a view of a larger buffer gives its own part only', async () => {
  const whole = Float32Array.of(1, 2, 3, 4);
  expect(await Tensor.from(whole.subarray(1, 3)).data()).toEqual(Float32Array.of(2, 3));
});

test('float16 and bfloat16 cross as raw bits', async () => {
  const half = Tensor.from(Uint16Array.of(0x3c00, 0xc000, 0x7bff), [3], { dtype: 'float16' });
  expect(await half.toArray()).toEqual([1, -2, 65504]);
  expect(await half.data()).toEqual(Uint16Array.of(0x3c00, 0xc000, 0x7bff));
  const brain = Tensor.from(Uint16Array.of(0x3f80, 0xc040), [2], { dtype: 'bfloat16' });
  expect(await brain.toArray()).toEqual([1, -3]);
  const cast = Tensor.from([1, 0.1]).to({ dtype: 'bfloat16' });
  expect(await cast.data()).toEqual(Uint16Array.of(0x3f80, 0x3dcd));
  expect((await Tensor.from([1, 2], undefined, { dtype: 'float16' }).data()).constructor.name).toBe('Uint16Array');
});

test('a Uint16Array needs a dtype, for it holds bits', () => {
  expect(() => Tensor.from(Uint16Array.of(1))).toThrow(refused('ERR_INVALID_ARGUMENT', /dtype/));
});

test('nested arrays give shape and values; bool holds 0 and 1', async () => {
  const t = Tensor.from([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(t.shape).toEqual([2, 3]);
  expect(await t.toArray()).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(Tensor.from(7).shape).toEqual([]);
  expect(await Tensor.from(7).item()).toBe(7);
  const flags = Tensor.from([1, 0, 1], undefined, { dtype: 'bool' });
  expect(flags.dtype).toBe('bool');
  expect(await flags.data()).toEqual(Uint8Array.of(1, 0, 1));
  expect(await Tensor.from([3, -4], undefined, { dtype: 'int64' }).data()).toEqual(BigInt64Array.of(3n, -4n));
});

test('arrays of unequal depth or length are refused', () => {
  expect(() => Tensor.from([[1, 2], [3]])).toThrow(refused('ERR_INVALID_ARGUMENT', /equal length/));
  expect(() => Tensor.from([1, [2]])).toThrow(refused('ERR_INVALID_ARGUMENT', /equal depth/));
  expect(() => Tensor.from([[1], 2])).toThrow(refused('ERR_INVALID_ARGUMENT', /equal depth/));
});

test('a shape that does not fit the data is refused at once', () => {
  const data = new Float32Array(6);
  expect(() => Tensor.from(data, [4, 2])).toThrow(refused('ERR_INVALID_ARGUMENT', /32 bytes.*has 24/));
  expect(() => Tensor.from(data, [-1, 6])).toThrow(refused('ERR_INVALID_ARGUMENT', /at least 0/));
  expect(() => Tensor.from(data, [2 ** 40, 2 ** 40])).toThrow(refused('ERR_INVALID_ARGUMENT', /more elements/));
});

test('unknown dtypes and devices are refused at once', () => {
  expect(() => Tensor.zeros([1], { dtype: 'float8' as never })).toThrow(refused('ERR_INVALID_ARGUMENT', /float8/));
  expect(() => Tensor.zeros([1], { device: 'tpu' })).toThrow(refused('ERR_DEVICE', /tpu/));
  expect(() => Tensor.zeros([1], { device: 'cuda:x' })).toThrow(refused('ERR_DEVICE', /cuda:x/));
});

test('empty tensors work', async () => {
  const t = Tensor.from(new Float32Array(0), [0, 3]);
  expect(t.numel).toBe(0);
  expect(await t.data()).toEqual(new Float32Array(0));
  expect(await t.toArray()).toEqual([]);
  expect(await t.sum().item()).toBe(0);
});

test('zeros, ones, full and arange', async () => {
  expect(await Tensor.zeros([2]).toArray()).toEqual([0, 0]);
  expect(await Tensor.ones([1, 2], { dtype: 'int32' }).data()).toEqual(Int32Array.of(1, 1));
  expect(await Tensor.full([2], -0.5).toArray()).toEqual([-0.5, -0.5]);
  expect(await Tensor.arange(4).data()).toEqual(BigInt64Array.of(0n, 1n, 2n, 3n));
  expect(await Tensor.arange(1, 2, 0.25, { dtype: 'float32' }).toArray()).toEqual([1, 1.25, 1.5, 1.75]);
});

test('properties tell what a tensor is', () => {
  const t = noGrad(() => Tensor.zeros([2, 3], { requiresGrad: true }));
  expect([t.numel, t.dim, t.requiresGrad, t.disposed]).toEqual([6, 2, true, false]);
  expect(String(t)).toBe('Tensor(shape=[2, 3], dtype=float32, device=cpu)');
});

test('item refuses tensors of more than one element', async () => {
  await expect(Tensor.zeros([2]).item()).rejects.toThrow(refused('ERR_INVALID_ARGUMENT', /one element/));
});

test('the array of data() is the caller’s own', async () => {
  const t = Tensor.ones([2]);
  const first = await t.data();
  first[0] = 5;
  expect(await t.data()).toEqual(Float32Array.of(1, 1));
});
