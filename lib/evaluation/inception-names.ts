/**
 * The layouts in which Inception's weights are published, by the names of their tensors. Module names here are torchvision's,
 * as in pytorch-fid's and torch-fidelity's files.
 */

/** Layers in order; pooling stands between some of them. */
const LAYERS = [
  'Conv2d_1a_3x3',
  'Conv2d_2a_3x3',
  'Conv2d_2b_3x3',
  'Conv2d_3b_1x1',
  'Conv2d_4a_3x3',
  'Mixed_5b',
  'Mixed_5c',
  'Mixed_5d',
  'Mixed_6a',
  'Mixed_6b',
  'Mixed_6c',
  'Mixed_6d',
  'Mixed_6e',
  'Mixed_7a',
  'Mixed_7b',
  'Mixed_7c',
] as const;

/** pytorch-fid's class InceptionV3, which groups the layers: `blocks.1.0` is Conv2d_3b_1x1. */
const GROUPS: readonly (readonly string[])[] = [
  LAYERS.slice(0, 3),
  LAYERS.slice(3, 5),
  LAYERS.slice(5, 13),
  LAYERS.slice(13),
];

/** The names of TensorFlow's graph, which NVIDIA's TorchScript translation keeps: convolutions of the blocks. */
const TENSORFLOW_BLOCKS: Record<'A' | 'B' | 'C' | 'D' | 'E', Record<string, string>> = {
  A: {
    conv: 'branch1x1',
    ...numbered('tower', 'branch5x5', 2),
    ...numbered('tower_1', 'branch3x3dbl', 3),
    'tower_2.conv': 'branch_pool',
  },
  B: { conv: 'branch3x3', ...numbered('tower', 'branch3x3dbl', 3) },
  C: {
    conv: 'branch1x1',
    ...numbered('tower', 'branch7x7', 3),
    ...numbered('tower_1', 'branch7x7dbl', 5),
    'tower_2.conv': 'branch_pool',
  },
  D: { ...numbered('tower', 'branch3x3', 2), ...numbered('tower_1', 'branch7x7x3', 4) },
  E: {
    conv: 'branch1x1',
    tower_conv: 'branch3x3_1',
    tower_mixed_conv: 'branch3x3_2a',
    tower_mixed_conv_1: 'branch3x3_2b',
    tower_1_conv: 'branch3x3dbl_1',
    tower_1_conv_1: 'branch3x3dbl_2',
    tower_1_mixed_conv: 'branch3x3dbl_3a',
    tower_1_mixed_conv_1: 'branch3x3dbl_3b',
    tower_2_conv: 'branch_pool',
  },
};
/** Which block each `mixed`, `mixed_1`, ... is. */
const KINDS = 'AAABCCCCDEE';

/** Its tensors: a convolution without bias and a normalization without scale. */
const LEAVES: Record<string, string> = {
  weight: 'conv.weight',
  'conv.weight': 'conv.weight',
  beta: 'bn.bias',
  bias: 'bn.bias',
  'bn.bias': 'bn.bias',
  mean: 'bn.running_mean',
  running_mean: 'bn.running_mean',
  'bn.running_mean': 'bn.running_mean',
  var: 'bn.running_var',
  running_var: 'bn.running_var',
  'bn.running_var': 'bn.running_var',
};

/** `tower.conv`, `tower.conv_1`, ... are `branch_1`, `branch_2`, ... */
function numbered(tower: string, branch: string, n: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: n }, (_, i) => [`${tower}.conv${i === 0 ? '' : `_${i}`}`, `${branch}_${i + 1}`]),
  );
}

/** torchvision's name of a tensor in one of the layouts; undefined for one that the network has not. */
export function inceptionName(name: string): string | undefined {
  if (name.startsWith('blocks.')) return groupedName(name);
  if (name.startsWith('layers.')) return tensorflowName(name.slice('layers.'.length));
  if (name.startsWith('output.')) return name.replace('output.', 'fc.');
  const first = name.slice(0, name.indexOf('.'));
  return first === 'fc' || (LAYERS as readonly string[]).includes(first) ? name : undefined;
}

function groupedName(name: string): string | undefined {
  const [, group, index, ...rest] = name.split('.');
  const layer = GROUPS[Number(group)]?.[Number(index)];
  return layer && [layer, ...rest].join('.');
}

function tensorflowName(name: string): string | undefined {
  const place = /^(conv|mixed)(?:_(\d+))?\.(.*)$/.exec(name);
  if (!place) return undefined;
  const [, kind, number = '0', rest] = place;
  const index = Number(number);
  if (kind === 'conv') return index < 5 && LEAVES[rest] ? `${LAYERS[index]}.${LEAVES[rest]}` : undefined;
  const block = TENSORFLOW_BLOCKS[KINDS[index] as 'A'];
  for (const [conv, branch] of Object.entries(block ?? {})) {
    const leaf = rest.startsWith(`${conv}.`) ? LEAVES[rest.slice(conv.length + 1)] : undefined;
    if (leaf) return `${LAYERS[5 + index]}.${branch}.${leaf}`;
  }
  return undefined;
}
