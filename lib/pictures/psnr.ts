/** Peak signal-to-noise ratio. */
import { LdmError } from '../errors';
import { type Pictures, toBytes } from './picture';

/**
 * PSNR in dB of 8-bit pictures, over all pictures of the batches; infinite when they are equal.
 * @throws LdmError ERR_INVALID_ARGUMENT when the sizes differ
 */
export function psnr(a: Pictures, b: Pictures): number {
  const size = (p: Pictures) => [p.batch, p.channels, p.height, p.width].join(' x ');
  if (size(a) !== size(b))
    throw new LdmError('ERR_INVALID_ARGUMENT', `Expected pictures of one size but received ${size(a)} and ${size(b)}`);
  let sum = 0;
  let count = 0;
  for (let i = 0; i < a.batch; i++) {
    const [x, y] = [toBytes(a, { index: i }), toBytes(b, { index: i })];
    for (let k = 0; k < x.length; k++) sum += (x[k] - y[k]) ** 2;
    count += x.length;
  }
  return 10 * Math.log10(255 ** 2 / (sum / count));
}
