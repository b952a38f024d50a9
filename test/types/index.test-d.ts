/** The public types, as a user's compiler sees them; run by test/package.test.ts with tsd. */
import {
  AutoencoderKL,
  DDIMSampler,
  type DiagonalGaussianDistribution,
  type LatentDiffusion,
  LdmError,
  type LdmErrorCode,
  makeBetaSchedule,
  noGrad,
  Tensor,
} from 'node-ldm';
import { expectType } from 'tsd';

expectType<Tensor>(Tensor.zeros([1, 2]));
expectType<number[]>(Tensor.zeros([1, 2]).shape);
expectType<Promise<number>>(Tensor.zeros([1]).sum().item());
expectType<LdmErrorCode>(new LdmError('ERR_DATA', 'x').code);
// @ts-expect-error
new LdmError('ERR_NO_SUCH_CODE', 'x');

declare const model: AutoencoderKL;
declare const image: Tensor;
expectType<Promise<DiagonalGaussianDistribution>>(model.encode(image));
expectType<Promise<Tensor>>(noGrad(() => model.decode(image)));
// @ts-expect-error
model.encode('image.png');

expectType<Promise<Tensor>>(makeBetaSchedule('cosine', 1000));
// @ts-expect-error
makeBetaSchedule('quadratic', 1000);

declare const diffusion: LatentDiffusion;
expectType<DDIMSampler>(new DDIMSampler(diffusion));

// @ts-expect-error
AutoencoderKL.create();
