/** Writing: what is written is read back bit for bit, has torch's layout, and appears whole or not at all. */
import fs from 'node:fs';
import path from 'node:path';
import { readCheckpoint, writeCheckpoint, writeSafetensors, writeTorchFile } from '../../lib/checkpoint';
import { pickle } from '../../lib/checkpoint/pickle-writer';
import { type DType, Tensor } from '../../lib/tensor';
import { useTempFolder } from '../helpers/temp-folder';

const folder = useTempFolder();
const at = (name: string) => path.join(folder(), name);
const DTYPES: DType[] = [
  'float64',
  'float32',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
  'bool',
];

function everyKind(): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const dtype of DTYPES) tensors.set(`a.${dtype}`, Tensor.from([1, 0, 1, 0, 0], [5]).to({ dtype }));
  tensors.set('permuted', Tensor.arange(24).reshape(2, 3, 4).permute(2, 0, 1));
  tensors.set('sliced', Tensor.randn([6, 4], { seed: 3 }).slice(1, 1, 3));
  tensors.set('expanded', Tensor.ones([1, 3]).expand(2, 3));
  tensors.set('scalar', Tensor.full([], 0.18215));
  tensors.set('empty', Tensor.zeros([0, 4]));
  return tensors;
}

async function expectSame(found: ReadonlyMap<string, Tensor>, wanted: ReadonlyMap<string, Tensor>): Promise<void> {
  expect([...found.keys()].sort()).toEqual([...wanted.keys()].sort());
  for (const [name, tensor] of wanted) {
    const other = found.get(name)!;
    expect([name, other.dtype, other.shape]).toEqual([name, tensor.dtype, tensor.shape]);
    expect([name, Buffer.from((await other.data()).buffer).toString('hex')]).toEqual([
      name,
      Buffer.from((await tensor.data()).buffer).toString('hex'),
    ]);
  }
}

test('torch zip: every dtype and layout comes back', async () => {
  const tensors = everyKind();
  await writeCheckpoint(at('a.ckpt'), { state_dict: tensors, epoch: 3, global_step: 2 ** 40 });
  using checkpoint = await readCheckpoint(at('a.ckpt'));
  expect(checkpoint).toMatchObject({ format: 'torch-zip', where: 'state_dict', epoch: 3, globalStep: 2 ** 40 });
  expect(checkpoint.lightningVersion).toBe('1.4.2');
  expect([...checkpoint.tensors.keys()]).toEqual([...tensors.keys()]);
  await expectSame(checkpoint.stateDict, tensors);
});

test('safetensors: every dtype and layout comes back, with metadata', async () => {
  const tensors = everyKind();
  await writeSafetensors(at('a.safetensors'), tensors, { metadata: { format: 'pt', note: 'ü' } });
  using checkpoint = await readCheckpoint(at('a.safetensors'));
  expect(Object.fromEntries(checkpoint.metadata)).toEqual({ format: 'pt', note: 'ü' });
  await expectSame(checkpoint.stateDict, tensors);
});

test('the data of each record begins at a multiple of 64 bytes', async () => {
  const wanted = Tensor.randn([7], { seed: 1 });
  await writeTorchFile(at('a.pt'), { w: wanted, x: Tensor.randn([3], { seed: 2 }) });
  const place = fs.readFileSync(at('a.pt')).indexOf(Buffer.from((await wanted.data()).buffer));
  expect(place).toBeGreaterThan(0);
  expect(place % 64).toBe(0);
});

test('optimizer states come back in the layout of torch.optim', async () => {
  const state = {
    state: { 0: { step: Tensor.full([], 3), exp_avg: Tensor.ones([2]), exp_avg_sq: Tensor.zeros([2]) } },
    param_groups: [{ lr: 1, betas: [0.5, 0.9], eps: 1e-8, weight_decay: 0, amsgrad: false, params: [0] }],
  };
  const content = { state_dict: new Map([['w', Tensor.ones([2])]]), optimizer_states: [state] };
  await writeCheckpoint(at('a.ckpt'), content);
  using checkpoint = await readCheckpoint(at('a.ckpt'));
  const [read] = checkpoint.optimizerStates;
  expect(read.param_groups).toEqual(state.param_groups);
  expect(await (read.state[0].step as Tensor).item()).toBe(3);
  expect(await (read.state[0].exp_avg as Tensor).toArray()).toEqual([1, 1]);
});

test('numbers get the Python types that torch expects', () => {
  const floats = pickle({ lr: 1, plain: 1, big: 2n ** 80n, small: -(2 ** 31), x: 0.5 }).data.toString('latin1');
  expect(floats).toContain('\x8a\x0b'); // LONG1 of 11 bytes
  expect(floats.endsWith('u.')).toBe(true);
});

describe('a file appears whole or not at all', () => {
  const big = () => new Map([['w', Tensor.zeros([1 << 16])]]);

  test('an aborted write leaves what was there, and nothing else', async () => {
    fs.writeFileSync(at('a.ckpt'), 'old');
    const signal = AbortSignal.abort();
    await expect(writeCheckpoint(at('a.ckpt'), { state_dict: big() }, { signal })).rejects.toMatchObject({
      code: 'ERR_ABORTED',
    });
    expect(fs.readFileSync(at('a.ckpt'), 'utf8')).toBe('old');
    expect(fs.readdirSync(folder())).toEqual(['a.ckpt']);
  });
  test('a tensor that cannot be written does so, too', async () => {
    const tensors = big();
    tensors.get('w')!.dispose();
    await expect(writeCheckpoint(at('a.ckpt'), { state_dict: tensors })).rejects.toMatchObject({
      code: 'ERR_DISPOSED',
    });
    expect(fs.readdirSync(folder())).toEqual([]);
  });
  test('a value that torch would not load is refused before anything is written', async () => {
    const content = { state_dict: big(), callbacks: { hook: () => 1 } };
    await expect(writeCheckpoint(at('a.ckpt'), content)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
    expect(fs.readdirSync(folder())).toEqual([]);
  });
  test('an existing file is replaced', async () => {
    fs.writeFileSync(at('a.ckpt'), 'old');
    await writeCheckpoint(at('a.ckpt'), { state_dict: big() });
    using checkpoint = await readCheckpoint(at('a.ckpt'));
    expect(checkpoint.tensors.get('w')!.shape).toEqual([1 << 16]);
    expect(fs.readdirSync(folder())).toEqual(['a.ckpt']);
  });
  test('a missing folder is an error that says so', () =>
    expect(writeCheckpoint(at('no/a.ckpt'), { state_dict: big() })).rejects.toMatchObject({
      code: 'ERR_FILE',
      message: expect.stringContaining('its folder does not exist'),
    }));
});
