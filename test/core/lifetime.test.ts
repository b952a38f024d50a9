import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { noGrad } from '../../lib/job';
import { native } from '../../lib/native';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { runWithLib } from '../helpers/child';
import { bigInput, bigUNet, smallInput, timesteps, tinyUNet } from './networks';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const usage = () => {
  const { tensors, tensorBytes, objects, objectBytes } = native().memoryUsage();
  return { tensors, tensorBytes, objects, objectBytes };
};

/** What is alive when the garbage of earlier tests is gone (finalizers run after the collection). */
async function baseline() {
  for (;;) {
    const before = usage();
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
    if (before.tensors === usage().tensors && before.objects === usage().objects) return before;
  }
}

test('disposing of everything brings memoryUsage back to where it was', async () => {
  const before = await baseline();
  {
    using a = Tensor.ones([16, 16]);
    using b = a.add(1);
    using view = b.reshape(256);
    using gradient = Tensor.randn([2], { seed: 1, requiresGrad: true });
    using random = new Generator(3);
    using drawn = Tensor.rand([3], { random });
    expect(usage()).toEqual({
      tensors: before.tensors + 5,
      tensorBytes: before.tensorBytes + 2 * 1024 + 2 * 4 + 3 * 4, // the view holds no bytes of its own
      objects: before.objects + 1,
      objectBytes: before.objectBytes,
    });
    await Promise.all([view.ready(), gradient.ready(), drawn.ready()]);
  }
  expect(usage()).toEqual(before);
});

test('a model counts the bytes of its weights', async () => {
  const before = await baseline();
  const unet = await tinyUNet();
  const bytes = usage().objectBytes - before.objectBytes;
  const state = await unet.stateDict();
  let sum = 0;
  for (const tensor of state.values()) {
    sum += tensor.numel * 4;
    tensor.dispose();
  }
  expect(bytes).toBe(sum);
  unet.dispose();
  expect(usage()).toEqual(before);
});

test('a model that is disposed of while it runs ends on its own reference', async () => {
  const unet = await bigUNet();
  const running = noGrad(() => unet.forward(bigInput(), timesteps(2)));
  unet.dispose();
  expect(unet.disposed).toBe(true);
  expect((await running).shape).toEqual([2, 4, 64, 64]);
  await expect(unet.forward(smallInput(), timesteps(1))).rejects.toThrow(
    expect.objectContaining({ code: 'ERR_DISPOSED' }),
  );
});

test('a checkpointed graph outlives the handle of its model', async () => {
  const unet = await tinyUNet({ use_checkpoint: true });
  await unet.loadStateDict(new Map([...(await unet.stateDict())].map(([name, t]) => [name, t.add(0.01)])));
  const x = smallInput().requiresGrad_(true);
  const out = await unet.forward(x, timesteps(1));
  unet.dispose();
  await out.sum().backward();
  expect(await (await x.grad())!.abs().sum().item()).toBeGreaterThan(0);
});

test('an input may be disposed of as soon as the call is made', async () => {
  const a = Tensor.from([1, 2]);
  const sum = a.add(1);
  a.dispose();
  expect(await sum.toArray()).toEqual([2, 3]);
});

test('the engine learns of tensors outside of its heap and collects them', async () => {
  const child = await runWithLib(`
    const { Tensor } = lib('tensor');
    const { native } = lib('native');
    (async () => {
      for (let i = 0; i < 150; i++) await Tensor.ones([4 * 1024 * 1024]).ready(); // 16 MB each, never disposed of
      console.log(native().memoryUsage().peakRss / 1e6);
    })();`);
  expect(child.stderr).toBe('');
  expect(Number(child.stdout)).toBeGreaterThan(100);
  expect(Number(child.stdout)).toBeLessThan(1500); // 2,500 if all of them lived
});
