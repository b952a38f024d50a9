/** What the curves of trainings mean, and what is healthy. By the name behind the split. */

export interface Explanation {
  title: string;
  text: string;
}

const EXPLANATIONS: readonly [RegExp, Explanation][] = [
  [
    /^rec_loss$/,
    {
      title: 'Reconstruction',
      text: 'How far pictures are from the originals after encoding and decoding: the mean absolute difference, with the perceptual distance (LPIPS) where it is on. It falls quickly at first, then slowly for very long.',
    },
  ],
  [
    /^nll_loss$/,
    {
      title: 'Likelihood of the pictures',
      text: 'The reconstruction loss, summed over all pixels and scaled by the learned variance (logvar). Its size grows with the size of the pictures; only its fall means anything.',
    },
  ],
  [
    /^kl_loss$/,
    {
      title: 'KL divergence',
      text: 'How far latents are from a standard normal distribution. Its weight is tiny (1e-6 in the official models), so it stays large and may even rise while reconstructions improve: that is meant so.',
    },
  ],
  [
    /^logvar$/,
    {
      title: 'Log variance',
      text: 'The scale of the likelihood. In the reference no optimizer changes it, so it stays at its initial value.',
    },
  ],
  [
    /^d_weight$/,
    {
      title: 'Adaptive weight',
      text: 'How much the discriminator counts, chosen so that its gradient at the last layer is as large as that of the reconstruction. Values of many thousands early on are normal; it is bounded.',
    },
  ],
  [
    /^disc_factor$/,
    {
      title: 'Discriminator switched on',
      text: '0 before the step disc_start, then the configured factor. The jump in other curves at that step is expected.',
    },
  ],
  [
    /^g_loss$/,
    {
      title: 'Generator against discriminator',
      text: 'Minus the score that the discriminator gives to reconstructions. It moves around 0 in both directions; a steady rise means that the discriminator is winning.',
    },
  ],
  [
    /^(disc_loss|discloss)$/,
    {
      title: 'Discriminator',
      text: 'The hinge loss: near 1 the discriminator can hardly tell reconstructions from originals, which is healthy and not a sign that nothing is learned. Near 0 for long it wins, and reconstructions get artefacts: begin later (disc_start) or weigh it less (disc_weight).',
    },
  ],
  [
    /^logits_(real|fake)$/,
    {
      title: 'Scores of the discriminator',
      text: 'For originals and for reconstructions. Close together is healthy; far apart, the discriminator tells them with ease.',
    },
  ],
  [
    /^(total_loss|aeloss)$/,
    {
      title: 'Sum of the autoencoder',
      text: 'All terms together. It jumps when the discriminator begins; compare the single terms instead.',
    },
  ],
  [
    /^quant_loss$/,
    {
      title: 'Codebook',
      text: 'How far latents are from their codes. It often rises at first, while the encoder spreads out, and then settles.',
    },
  ],
  [
    /^p_loss$/,
    { title: 'Perceptual distance', text: 'LPIPS of reconstructions: how different people would find them.' },
  ],
  [
    /^codebook_(usage|use)$/,
    { title: 'Codes in use', text: 'The share of the codebook that the last pictures needed.' },
  ],
  [
    /^loss_simple(_ema)?$/,
    {
      title: 'Denoising',
      text: 'The mean squared error of the predicted noise over random timesteps. It falls fast to a plateau and then hardly moves while pictures go on improving for a long time: judge by the samples. "ema" is measured with the averaged weights.',
    },
  ],
  [
    /^loss_vlb(_ema)?$/,
    {
      title: 'Variational bound',
      text: 'The same error with the weights of the variational bound, in which early timesteps count enormously: it is noisy and not what is optimized unless original_elbo_weight is set.',
    },
  ],
  [
    /^loss(_ema)?$/,
    { title: 'Loss', text: 'What is optimized: the denoising loss, with the parts that the config adds.' },
  ],
  [
    /^loss_gamma$/,
    {
      title: 'Weighted denoising',
      text: 'The denoising loss under the learned variance of each timestep (learn_logvar).',
    },
  ],
  [
    /^perplexity$/,
    {
      title: 'Codes in use',
      text: 'How many codes of the codebook are used, in effect. A fall towards a few means that the codebook collapses.',
    },
  ],
  [/^memory$/, { title: 'Memory', text: 'Bytes of the training process. A steady rise over hours would be a leak.' }],
  [
    /^lr(-.*|_abs)?$/,
    {
      title: 'Learning rate',
      text: 'The size of the steps. A warm-up rises in a line; the official configs keep it constant afterwards.',
    },
  ],
];

/** Parts of one chart have one name. */
const GROUPS: readonly [RegExp, string][] = [
  [/^logits_(real|fake)$/, 'logits'],
  [/^(disc_loss|discloss)$/, 'disc_loss'],
  [/^(total_loss|aeloss)$/, 'total_loss'],
  [/^(loss(?:_\w+?)?)_ema$/, '$1'],
  [/^lr(-.*|_abs)?$/, 'lr'],
];

/** `train/rec_loss_epoch` is `rec_loss` of `train`. */
export function partsOf(name: string): { split: string; base: string } {
  const [split, rest] = name.includes('/')
    ? [name.slice(0, name.indexOf('/')), name.slice(name.indexOf('/') + 1)]
    : ['', name];
  return { split, base: rest.replace(/_(step|epoch)$/, '') };
}

export function groupOf(name: string): string {
  const { base } = partsOf(name);
  for (const [pattern, group] of GROUPS) if (pattern.test(base)) return base.replace(pattern, group);
  return base;
}

export function explain(name: string): Explanation {
  const { base } = partsOf(name);
  return EXPLANATIONS.find(([pattern]) => pattern.test(base))?.[1] ?? { title: base.replaceAll('_', ' '), text: '' };
}

/** The order of charts: what tells most comes first. */
const ORDER = [
  'loss_simple',
  'loss',
  'rec_loss',
  'kl_loss',
  'quant_loss',
  'perplexity',
  'disc_loss',
  'logits',
  'd_weight',
  'lr',
];

export function rankOf(group: string): number {
  const index = ORDER.indexOf(group);
  return index < 0 ? ORDER.length : index;
}
