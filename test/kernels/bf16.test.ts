/** Inference in bfloat16 on the CPU. */
import { AutoencoderKL, Generator, noGrad, Tensor } from '../../lib';
import { kernelAutoencoder } from './autoencoder';

const PARAMS = kernelAutoencoder();

async function decoded(model: AutoencoderKL, z: Tensor, precision: 'fp32' | 'bf16'): Promise<Float32Array> {
  using y = await noGrad(() => model.decode(z, { precision }));
  expect(y.dtype).toBe('float32');
  return (await y.data()) as Float32Array;
}

// The first ones' tiles reach over the edges; the second is large enough for the enlarged image's phases.
test.each([
  [2, 23, 21],
  [1, 46, 48],
])(
  'bf16 stays within 3 % of fp32, and weights that are stored in bfloat16 change nothing: %i x %i x %i',
  async (...size) => {
    const [batch, height, width] = size;
    const model = await AutoencoderKL.create(PARAMS, { random: new Generator(3) });
    await model.eval();
    using z = Tensor.randn([batch, 4, height, width], { random: new Generator(4) });
    const exact = await decoded(model, z, 'fp32');
    const rounded = await decoded(model, z, 'bf16');
    const rms = (values: Float32Array) => Math.sqrt(values.reduce((s, v) => s + v * v, 0) / values.length);
    const error = rms(rounded.map((v, i) => v - exact[i])) / rms(exact);
    expect(error).toBeGreaterThan(1e-4);
    expect(error).toBeLessThan(0.03);
    await model.compact('bfloat16');
    expect(await decoded(model, z, 'bf16')).toEqual(rounded);
    model.dispose();
  },
);
