/** First stages by strips of rows (`tile`): the whole image's result, whatever the strips. */
import { AutoencoderKL, Generator, noGrad, setKernelPolicy, Tensor } from '../../lib';
import { runWithLib } from '../helpers/child';

const DDCONFIG = {
  double_z: true,
  z_channels: 4,
  resolution: 64,
  in_channels: 3,
  out_ch: 3,
  ch: 32,
  ch_mult: [1, 2, 2],
  num_res_blocks: 1,
  attn_resolutions: [32],
  dropout: 0,
};
const LOSS = { target: 'torch.nn.Identity' };
const KINDS = {
  'convolutions between levels': DDCONFIG,
  'pooling, tanh, linear attention': { ...DDCONFIG, resamp_with_conv: false, tanh_out: true, attn_type: 'linear' },
};

afterEach(() => setKernelPolicy('fast'));

async function values(tensor: Tensor): Promise<Float32Array> {
  const data = (await tensor.data()) as Float32Array;
  tensor.dispose();
  return data;
}

function deviation(a: Float32Array, b: Float32Array): number {
  const largest = b.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  return b.reduce((m, v, i) => Math.max(m, Math.abs(v - a[i])), 0) / largest;
}

describe.each(Object.entries(KINDS))('%s', (_, ddconfig) => {
  let model: AutoencoderKL;
  beforeAll(async () => {
    model = await AutoencoderKL.create({ ddconfig, embed_dim: 4, lossconfig: LOSS }, { random: new Generator(4) });
    await model.eval();
  });
  afterAll(() => model.dispose());

  // Height and width that the strips do not divide; with a brighter half, so that a strip's own statistics are others.
  test.each(['exact', 'fast'] as const)('strips give the whole image, %s kernels', async (policy) => {
    setKernelPolicy(policy);
    using noise = Tensor.randn([2, 3, 60, 44], { random: new Generator(8) }).mul(0.3);
    using x = Tensor.cat([noise.slice(2, 0, 30).add(0.6), noise.slice(2, 30, 60)], 2);
    const encode = async (tile?: number) => {
      using posterior = await noGrad(() => model.encode(x, { tile }));
      return posterior.mode();
    };
    using latent = await encode();
    const decode = async (tile?: number) => values(await noGrad(() => model.decode(latent, { tile })));
    const moments = await values((await encode()).clone());
    const image = await decode();
    // With the smaller one the larger images do not fit into what may be held, and are computed again and again.
    for (const tile of [24, 7]) {
      expect(deviation(await values(await encode(tile)), moments)).toBeLessThan(2e-5);
      const byStrips = await decode(tile);
      expect(deviation(byStrips, image)).toBeLessThan(2e-5);
      expect(byStrips).not.toEqual(image); // another order of sums: the strips were really taken
    }
  });
});

test('a tile that is no number of pixels is refused', async () => {
  const model = await AutoencoderKL.create({ ddconfig: DDCONFIG, embed_dim: 4, lossconfig: LOSS });
  await expect(model.decode(Tensor.zeros([1, 4, 4, 4]), { tile: 1.5 })).rejects.toThrow(
    "Expected a whole number of pixels from 1 to 65536, or 0 for none, for 'tile' but received 1.5",
  );
  model.dispose();
});

/** Prints how many megabytes decoding to a square takes at most beside what the process has before. */
const PEAK = `
  const fs = require('node:fs');
  const { AutoencoderKL, Generator, noGrad, Tensor } = lib('index');
  const megabytes = (name) => Number.parseInt(fs.readFileSync('/proc/self/status', 'utf8').split(name + ':')[1]) / 1024;
  (async () => {
    const { side, tile, params } = JSON.parse(process.env.DECODED);
    const model = await AutoencoderKL.create(params, { random: new Generator(1) });
    await model.eval();
    const decode = (side, tile) => noGrad(() => model.decode(Tensor.ones([1, 4, side / 4, side / 4]), { tile }));
    await (await decode(64)).ready();
    fs.writeFileSync('/proc/self/clear_refs', '5');
    const before = megabytes('VmRSS');
    await (await decode(side, tile)).ready();
    console.log(megabytes('VmHWM') - before);
  })();`;

test('memory follows the tile, not the image', async () => {
  const params = {
    ddconfig: { ...DDCONFIG, ch_mult: [1, 1, 1], attn_resolutions: [], attn_type: 'none' },
    embed_dim: 4,
    lossconfig: LOSS,
  };
  const peak = async (side: number, tile: number) => {
    const { stdout, stderr } = await runWithLib(PEAK, { DECODED: JSON.stringify({ side, tile, params }) });
    expect(stderr).toBe('');
    return Number(stdout);
  };
  // An image of 32 channels takes 8 and 32 MB, of which 16 may be held.
  const [small, large, whole] = [await peak(256, 32), await peak(512, 32), await peak(512, 0)];
  expect(large).toBeLessThan(1.5 * small);
  expect(large).toBeLessThan(0.5 * whole);
}, 60_000);
