// The documentation site; `npm run docs` builds it into docs/.vitepress/dist. It loads nothing from other sites.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { sidebar } from './sidebar';

// Pages of parts that may not be there in a given state of the project take their place by themselves.
const pages = ['serve', 'exactness-and-speed'].filter((name) =>
  existsSync(fileURLToPath(new URL(`../${name}.md`, import.meta.url))),
);
const titles: Record<string, string> = { serve: 'The web demo', 'exactness-and-speed': 'Exactness and speed' };
for (const name of pages) {
  const group = sidebar.find(({ text }) => text === (name === 'serve' ? 'Use models' : 'Background'));
  group?.items.splice(2, 0, { text: titles[name]!, link: `/${name}` });
}

export default defineConfig({
  title: 'node-ldm',
  description: 'Latent diffusion for Node.js and TypeScript, without Python',
  cleanUrls: false,
  // The API reference is TypeDoc's; scripts/docs/check-links.ts checks the links between both.
  ignoreDeadLinks: [/^\/api\//, /bench\/peers/],
  vite: { publicDir: false },
  themeConfig: {
    nav: [
      { text: 'Getting started', link: '/getting-started' },
      { text: 'The method', link: '/method' },
      { text: 'Commands', link: '/reference/cli' },
      { text: 'API', link: '/api/index.html', target: '_self' },
    ],
    sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
  },
});
