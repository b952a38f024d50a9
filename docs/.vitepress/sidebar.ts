/** The order of the pages. test/docs/site.test.ts checks that every page is here. */
export const sidebar = [
  {
    text: 'Begin',
    items: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'How the method works', link: '/method' },
      { text: 'Set-up', link: '/setup' },
      { text: 'Troubleshooting', link: '/troubleshooting' },
    ],
  },
  {
    text: 'Train',
    items: [
      { text: 'An autoencoder on your images', link: '/train-autoencoder' },
      { text: 'A diffusion model on it', link: '/train-diffusion' },
      { text: 'ldm train', link: '/training' },
      { text: 'Data sets', link: '/data' },
      { text: 'Degradations', link: '/degradation' },
      { text: 'The scale of latents', link: '/latents' },
      { text: 'Measuring', link: '/evaluate' },
    ],
  },
  {
    text: 'Use models',
    items: [
      { text: 'Official checkpoints', link: '/official-checkpoints' },
      { text: 'Drawing pictures', link: '/sampling' },
      { text: 'Stable Diffusion', link: '/stable-diffusion' },
      { text: 'Retrieval', link: '/rdm' },
      { text: 'Conversion', link: '/convert' },
      { text: 'Checkpoint files', link: '/checkpoints' },
    ],
  },
  {
    text: 'Reference',
    items: [
      { text: 'Commands', link: '/reference/cli' },
      { text: 'Configs', link: '/configs' },
      { text: 'Options of the configs', link: '/reference/options' },
      { text: 'API', link: '/api/index.html', target: '_self' },
    ],
  },
  {
    text: 'Background',
    items: [
      { text: 'Architecture', link: '/architecture' },
      { text: 'Performance', link: '/performance' },
      { text: 'Differences from the reference', link: '/differences' },
      { text: 'First stages', link: '/first-stages' },
      { text: 'Diffusion models', link: '/diffusion' },
      { text: 'Golden cases', link: '/golden-deviations' },
      { text: 'Security', link: '/security' },
    ],
  },
];
