/** The order of the pages. A page that is not here stands under "More". */
import fs from 'node:fs';
import path from 'node:path';

interface Group {
  text: string;
  items: { text: string; link: string; target?: string }[];
}

const GROUPS: readonly Group[] = [
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
      { text: 'Your own images: ldm init', link: '/own-images' },
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
      { text: 'The web demo', link: '/serve' },
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
      { text: 'Exactness and speed', link: '/exactness-and-speed' },
      { text: 'Differences from the reference', link: '/differences' },
      { text: 'First stages', link: '/first-stages' },
      { text: 'Diffusion models', link: '/diffusion' },
      { text: 'Golden cases', link: '/golden-deviations' },
      { text: 'Security', link: '/security' },
    ],
  },
];

/** The groups with the pages that are in the folder `docs`. */
export function sidebarOf(docs: string): Group[] {
  const exists = (link: string) => link.startsWith('/api/') || fs.existsSync(path.join(docs, `${link}.md`));
  const groups = GROUPS.map(({ text, items }) => ({ text, items: items.filter(({ link }) => exists(link)) }));
  const known = new Set(['/index', ...groups.flatMap(({ items }) => items.map(({ link }) => link))]);
  const rest = fs
    .readdirSync(docs)
    .filter((name) => name.endsWith('.md') && !known.has(`/${name.slice(0, -3)}`))
    .map((name) => {
      const title = /^# (.+)$/m.exec(fs.readFileSync(path.join(docs, name), 'utf8'))?.[1];
      return { text: title ?? name, link: `/${name.slice(0, -3)}` };
    });
  return rest.length > 0 ? [...groups, { text: 'More', items: rest }] : groups;
}
