// The documentation site; `npm run docs` builds it into docs/.vitepress/dist. It loads nothing from other sites.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { sidebarOf } from './sidebar';

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
    sidebar: sidebarOf(fileURLToPath(new URL('..', import.meta.url))),
    outline: [2, 3],
    search: { provider: 'local' },
  },
});
