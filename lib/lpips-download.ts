/** Gets the two files of the perceptual loss. The linear heads come with this package; torchvision's VGG16 does not. */
import { lpipsHeadsFile, vgg16File } from './lpips-files';
import { type DownloadedWeights, obtainWeights, type WeightDownloadOptions } from './weight-download';

/**
 * Gets what is missing and checks everything. Rejects with `ERR_DOWNLOAD`, or with `ERR_ABORTED` when the signal says so;
 * an interrupted download is continued the next time.
 */
export async function downloadLpips(options: WeightDownloadOptions = {}): Promise<DownloadedWeights[]> {
  return [await obtainWeights(lpipsHeadsFile(), options), await obtainWeights(vgg16File(), options)];
}
