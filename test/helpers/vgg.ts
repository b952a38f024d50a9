/** A state dict like torchvision's VGG16, with random weights. */
import { Tensor } from '../../lib/tensor';

/** Layer number and channels of the convolutions. */
const LAYERS: [number, number, number][] = [
  [0, 3, 64],
  [2, 64, 64],
  [5, 64, 128],
  [7, 128, 128],
  [10, 128, 256],
  [12, 256, 256],
  [14, 256, 256],
  [17, 256, 512],
  [19, 512, 512],
  [21, 512, 512],
  [24, 512, 512],
  [26, 512, 512],
  [28, 512, 512],
];

/** `features.N.weight` and `.bias`, and one key of the classifier, which is not used. */
export function randomVgg(): Record<string, Tensor> {
  const state: Record<string, Tensor> = { 'classifier.6.bias': Tensor.zeros([1000]) };
  for (const [layer, cin, cout] of LAYERS) {
    const scale = Math.sqrt(2 / (9 * cin));
    state[`features.${layer}.weight`] = Tensor.randn([cout, cin, 3, 3], { seed: layer }).mul(scale);
    state[`features.${layer}.bias`] = Tensor.randn([cout], { seed: 100 + layer }).mul(0.1);
  }
  return state;
}
