/** The fast paths of native/kernels beside libtorch's own operators. */
import { AutoencoderKL, Generator, noGrad, setKernelPolicy, Tensor } from '../../lib';
import { runWithLib } from '../helpers/child';
import { kernelAutoencoder } from './autoencoder';

const PARAMS = kernelAutoencoder();

let model: AutoencoderKL;
beforeAll(async () => {
  model = await AutoencoderKL.create(PARAMS, { random: new Generator(3) });
  await model.eval();
});
afterEach(() => setKernelPolicy('fast'));
afterAll(() => model.dispose());

async function reconstruct(x: Tensor): Promise<Float32Array> {
  using posterior = await noGrad(() => model.encode(x));
  using mode = await posterior.mode();
  using y = await noGrad(() => model.decode(mode));
  return (await y.data()) as Float32Array;
}

// The last one's tiles of 4x4 stick out at both edges, at either resolution; its norms see several images.
test.each([
  [1, 64, 64],
  [2, 74, 86],
])('fast and exact agree to 2e-5 of the largest value: %i x %i x %i', async (batch, height, width) => {
  using x = Tensor.rand([batch, 3, height, width], { random: new Generator(7) })
    .mul(2)
    .sub(1);
  setKernelPolicy('exact');
  const exact = await reconstruct(x);
  const again = await reconstruct(x);
  expect(again).toEqual(exact);
  setKernelPolicy('fast');
  const fast = await reconstruct(x);
  const largest = exact.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const error = exact.reduce((m, v, i) => Math.max(m, Math.abs(v - fast[i])), 0);
  expect(error).toBeLessThan(2e-5 * largest);
  expect(error).toBeGreaterThan(0); // another algorithm has another rounding: both were really taken
});

test('not-a-number spreads through the fast paths as through the exact ones', async () => {
  const pixels = new Float32Array(3 * 64 * 64).fill(0.1);
  pixels[5] = Number.NaN;
  using x = Tensor.from(pixels, [1, 3, 64, 64]);
  expect((await reconstruct(x)).every(Number.isNaN)).toBe(true);
});

test('another word than exact or fast is refused', () => {
  expect(() => setKernelPolicy('quick' as never)).toThrow("Expected 'exact' or 'fast' kernels but received 'quick'");
});

test.each([
  ['exact', null],
  ['Exact', "LDM_KERNELS: expected 'exact' or 'fast' but found 'Exact'. Correct it or unset it."],
])('LDM_KERNELS=%j: %j', async (LDM_KERNELS, message) => {
  const code = `const { native } = lib('native');
    for (let i = 0; i < 2; i++) try { native().info(); console.log('ok'); } catch (error) { console.log(error.code, error.message); }`;
  const { stdout } = await runWithLib(code, { LDM_KERNELS });
  const line = message ? `ERR_INVALID_ARGUMENT ${message}` : 'ok';
  expect(stdout).toBe(`${line}\n${line}\n`);
});
