import { anisotropicGaussian, gaussian, shiftToUpperLeft } from '../../../lib/data/degradation/blur-kernels';
import { convolve } from '../../../lib/data/degradation/convolve';
import { toFloats } from '../../../lib/data/degradation/float-image';
import { distance, expected, picture, unpacked } from './expected';

function kernelOf(kind: string, [size, ...rest]: number[]) {
  if (kind === 'anisotropic') return anisotropicGaussian(size, rest[0], rest[1], rest[2]);
  return kind === 'gaussian' ? gaussian(size, rest[0]) : shiftToUpperLeft(gaussian(size, rest[0]), rest[1]);
}

function weightsOf(kernel: ReturnType<typeof kernelOf>): number[] {
  const { size } = kernel;
  const all = Array.from({ length: size * size }, (_, i) => i);
  return 'line' in kernel
    ? all.map((i) => kernel.line[Math.floor(i / size)] * kernel.line[i % size])
    : [...kernel.weights];
}

describe('blur kernels', () => {
  it.each(expected.kernels)("equal the reference's: $kind $args", ({ kind, args, weights }) => {
    expect(distance(weightsOf(kernelOf(kind, args)), unpacked(weights))).toBeLessThan(3e-8);
  });

  it('are never empty: the pixels nearest to the middle share what vanishes between them', () => {
    const center = weightsOf(gaussian(6, 1e-3)).filter((w) => w > 0);
    expect(center).toEqual([0.25, 0.25, 0.25, 0.25]);
    const sum = weightsOf(anisotropicGaussian(6, 0.3, 1e-6, 1e-6)).reduce((a, b) => a + b);
    expect(sum).toBeCloseTo(1, 12);
  });
});

describe('convolve', () => {
  it.each(expected.convolved)("equals scipy's: $kind $args on $size", ({ kind, args, size, image }) => {
    const blurred = convolve(toFloats(picture(...size)), kernelOf(kind, args));
    expect(distance(blurred.data, unpacked(image))).toBeLessThan(1.2e-7);
  });
});
