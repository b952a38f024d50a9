import path from 'node:path';
import { writeSafetensors } from '../../lib/checkpoint';
import { noGrad } from '../../lib/job';
import { AutoencoderKL } from '../../lib/models';
import { Generator } from '../../lib/random';
import { Tensor } from '../../lib/tensor';
import { useTempFolder } from '../helpers/temp-folder';
import { ddconfig, difference, IDENTITY, images, numbers, tinyKl } from '../helpers/tiny-autoencoder';

const folder = useTempFolder();

test('encoding halves the image for each level but the first, odd sizes rounded down', async () => {
  using model = await tinyKl({ ddconfig: ddconfig({ ch_mult: [1, 1, 2] }) });
  const shapeOf = async (h: number, w: number) => {
    const posterior = await noGrad(() => model.encode(images([2, 3, h, w])));
    return (await posterior.mode()).shape;
  };
  expect(await shapeOf(16, 24)).toEqual([2, 3, 4, 6]);
  expect(await shapeOf(17, 23)).toEqual([2, 3, 4, 5]);
});

test('forward decodes a sample, or the mode', async () => {
  using model = await tinyKl();
  await model.eval();
  const x = images([2, 3, 16, 16]);
  const { reconstructions, posterior } = await noGrad(() => model.forward(x, { random: new Generator(3) }));
  const z = await posterior.sample({ random: new Generator(3) });
  expect(reconstructions.shape).toEqual([2, 3, 16, 16]);
  expect(await difference(reconstructions, await noGrad(() => model.decode(z)))).toBe(0);

  const byMode = await noGrad(() => model.forward(x, { samplePosterior: false }));
  const mode = await byMode.posterior.mode();
  expect(await difference(byMode.reconstructions, await noGrad(() => model.decode(mode)))).toBe(0);
});

test.each([
  ['vanilla', ['norm.weight', 'q.weight', 'proj_out.bias']],
  ['linear', ['to_qkv.weight', 'to_out.bias']],
  ['none', []],
])('attn_type %s has its keys', async (attn_type, wanted) => {
  using model = await tinyKl({ ddconfig: ddconfig({ attn_type }) });
  const names = [...(await model.stateDict()).keys()].filter((name) => name.startsWith('encoder.mid.attn_1.'));
  expect(names.map((name) => name.slice('encoder.mid.attn_1.'.length))).toEqual(expect.arrayContaining(wanted));
  expect(names.length === 0).toBe(attn_type === 'none');
});

test('attention stands where the config has its resolution, not where the input does', async () => {
  using model = await tinyKl({ ddconfig: ddconfig({ attn_resolutions: [8] }) });
  const names = [...(await model.stateDict()).keys()];
  expect(names.some((name) => name.startsWith('encoder.down.0.attn.'))).toBe(false);
  expect(names).toContain('encoder.down.1.attn.0.q.weight');
  expect(names).toContain('decoder.up.1.attn.1.q.weight');
});

test('tanh_out keeps images within (-1, 1); give_pre_end returns features', async () => {
  const z = Tensor.randn([1, 3, 8, 8], { seed: 1 }).mul(50);
  using squashed = await tinyKl({ ddconfig: ddconfig({ tanh_out: true }) });
  const image = await noGrad(() => squashed.decode(z));
  expect(await image.abs().max().item()).toBeLessThanOrEqual(1);
  using features = await tinyKl({ ddconfig: ddconfig({ give_pre_end: true }) });
  expect((await noGrad(() => features.decode(z))).shape).toEqual([1, 32, 16, 16]);
});

test('the same seed gives the same weights', async () => {
  using a = await tinyKl({}, 4);
  using b = await tinyKl({}, 4);
  using c = await tinyKl({}, 5);
  const weight = async (model: AutoencoderKL) => (await model.stateDict()).get('decoder.conv_out.weight')!;
  expect(await difference(await weight(a), await weight(b))).toBe(0);
  expect(await difference(await weight(a), await weight(c))).toBeGreaterThan(0);
});

test('getInput brings images to [b, c, h, w] and gives flat ones a channel', async () => {
  using model = await tinyKl();
  const nhwc = Tensor.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3);
  const x = await model.getInput({ image: nhwc });
  expect(x.dtype).toBe('float32');
  expect(await difference(x, nhwc.permute(0, 3, 1, 2).to({ dtype: 'float32' }))).toBe(0);
  expect((await model.getInput({ depth: Tensor.zeros([2, 4, 6]) }, 'depth')).shape).toEqual([2, 1, 4, 6]);
  await expect(model.getInput({ other: nhwc })).rejects.toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    message: expect.stringContaining("'image'"),
  });
  await expect(model.getInput({ image: Tensor.zeros([2, 4]) })).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' });
});

test('segmentation maps get colours that stay, from -1 to 1', async () => {
  const segmentation = { image_key: 'segmentation', ddconfig: ddconfig({ in_channels: 5, out_ch: 5 }) };
  using model = await tinyKl({ ...segmentation, colorize_nlabels: 5 });
  expect([...(await model.stateDict()).keys()][0]).toBe('colorize');
  const map = images([1, 5, 4, 4]);
  const rgb = await model.toRgb(map);
  expect(rgb.shape).toEqual([1, 3, 4, 4]);
  expect([await rgb.min().item(), await rgb.max().item()]).toEqual([-1, 1]);
  expect(await difference(rgb, await model.toRgb(map))).toBe(0);

  using drawnLater = await tinyKl(segmentation);
  expect((await drawnLater.stateDict()).has('colorize')).toBe(false);
  expect((await drawnLater.toRgb(map)).shape).toEqual([1, 3, 4, 4]);

  using plain = await tinyKl();
  await expect(plain.toRgb(map)).rejects.toMatchObject({ message: expect.stringContaining('segmentation') });
});

test('logImages shows inputs, reconstructions and samples', async () => {
  using model = await tinyKl();
  await model.eval();
  const batch = { image: images([2, 16, 16, 3]) };
  const pictures = await model.logImages(batch, { random: new Generator(1) });
  expect(Object.keys(pictures)).toEqual(['samples', 'reconstructions', 'inputs']);
  for (const picture of Object.values(pictures)) {
    expect(picture.shape).toEqual([2, 3, 16, 16]);
    expect(picture.requiresGrad).toBe(false);
  }
  expect(await difference(pictures.inputs, await model.getInput(batch))).toBe(0);
  expect(Object.keys(await model.logImages(batch, { only_inputs: true }))).toEqual(['inputs']);
});

test('weights come back from a file, except for ignored prefixes', async () => {
  const file = path.join(folder(), 'model.safetensors');
  using source = await tinyKl({}, 2);
  await writeSafetensors(file, await source.stateDict());
  const params = { embed_dim: 3, ddconfig: ddconfig(), lossconfig: IDENTITY, ckpt_path: file };
  using copy = await AutoencoderKL.create({ ...params, ignore_keys: ['decoder.'] }, { random: new Generator(9) });
  const [a, b] = [await source.stateDict(), await copy.stateDict()];
  expect(await difference(a.get('encoder.conv_in.weight')!, b.get('encoder.conv_in.weight')!)).toBe(0);
  expect(await difference(a.get('decoder.conv_in.weight')!, b.get('decoder.conv_in.weight')!)).toBeGreaterThan(0);
});

test('a file of which no key fits is refused', async () => {
  const file = path.join(folder(), 'other.safetensors');
  await writeSafetensors(file, new Map([['model.weight', Tensor.zeros([1])]]));
  using model = await tinyKl();
  await expect(model.initFromCkpt(file)).rejects.toMatchObject({
    code: 'ERR_CHECKPOINT',
    message: expect.stringContaining('model.weight'),
  });
});

test('without a loss it does not train and says why', async () => {
  using model = await tinyKl();
  await expect(model.configureOptimizers({ learningRate: 1e-4 })).rejects.toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    message: expect.stringContaining('torch.nn.Identity'),
  });
});

test('an encoder without double_z is refused with the key', async () => {
  const params = { embed_dim: 3, ddconfig: ddconfig({ double_z: false }), lossconfig: IDENTITY };
  await expect(AutoencoderKL.create(params)).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message: expect.stringContaining('double_z'),
  });
});

test('getLastLayer is the live weight of the last convolution', async () => {
  using model = await tinyKl();
  const weight = await model.getLastLayer();
  const zeros = new Map([['decoder.conv_out.weight', Tensor.zeros(weight.shape)]]);
  await model.loadStateDict(zeros, { strict: false });
  expect(new Set(await numbers(weight))).toEqual(new Set([0]));
});
