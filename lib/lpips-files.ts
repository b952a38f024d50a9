/** The two official files of the perceptual loss: where they come from, where they lie, how they are checked. */
import path from 'node:path';
import { cacheFolder } from './cache';
import type { ExpectedDigest } from './download';

/** A file that can be downloaded. */
export interface WeightFile {
  readonly name: string;
  readonly url: string;
  readonly digest: ExpectedDigest;
  /** Where it is looked for. */
  readonly path: string;
}

/** torchvision's VGG16 for ImageNet (528 MB); its name carries the beginning of its SHA-256. */
export function vgg16File(): WeightFile {
  const name = 'vgg16-397923af.pth';
  return {
    name,
    url: `https://download.pytorch.org/models/${name}`,
    digest: { algorithm: 'sha256', hex: '397923af' },
    path: path.join(cacheFolder(), 'lpips', name),
  };
}

/** The linear heads of LPIPS 0.1 (7 KB). They come with this package; the address is where the reference gets them. */
export function lpipsHeadsFile(): WeightFile {
  return {
    name: 'vgg_lpips_v0.1.pth',
    url: 'https://heibox.uni-heidelberg.de/f/607503859c864bc1b30b/?dl=1',
    digest: { algorithm: 'md5', hex: 'd507d7349b931f0638a25a48a722f98a' },
    path: path.join(__dirname, '../models/lpips/vgg_lpips_v0.1.pth'),
  };
}
