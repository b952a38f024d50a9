// The documentation site; `npm run docs` builds it into docs/.vitepress/dist. It loads nothing from other sites.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { sidebarOf } from './sidebar';

const icon = readFileSync(new URL('../../web/icon.svg', import.meta.url), 'base64');

export default defineConfig({
  title: 'node-ldm',
  description: 'Latent diffusion for Node.js and TypeScript, without Python',
  head: [['link', { rel: 'icon', type: 'image/svg+xml', href: `data:image/svg+xml;base64,${icon}` }]],
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
    sidebar: sidebarOf(fileURLToPath(new URL('..', import.meta.url))),
    outline: [2, 3],
    search: { provider: 'local' },
  },
});
