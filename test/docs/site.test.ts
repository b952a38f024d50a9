/** The documentation site: generated pages are what the code gives, and every page can be reached. */
import fs from 'node:fs';
import path from 'node:path';
import { sidebar } from '../../docs/.vitepress/sidebar';
import { stalePages } from '../../scripts/docs/generate';
import { ROOT } from '../helpers/child';
import { PAGES, readPage } from './pages';

test('the pages of commands and options are fresh (else: npm run docs:generate)', async () => {
  expect(await stalePages()).toEqual([]);
});

test('every page is in the sidebar, and every entry of it is a page', () => {
  const links = sidebar.flatMap(({ items }) => items.map(({ link }) => link));
  // These take their place by themselves, see docs/.vitepress/config.mts.
  const own = ['docs/index.md', 'docs/serve.md', 'docs/exactness-and-speed.md'];
  const pages = PAGES.filter((page) => page.startsWith('docs/') && !own.includes(page));
  expect(pages.filter((page) => !links.includes(page.slice('docs'.length, -'.md'.length)))).toEqual([]);
  for (const link of links.filter((link) => !link.startsWith('/api/')))
    expect(fs.existsSync(path.join(ROOT, 'docs', `${link}.md`)) ? link : '').toBe(link);
});

test('links between pages and to pictures lead to files', () => {
  const broken: string[] = [];
  for (const page of PAGES) {
    const text = readPage(page).replace(/^```[\s\S]*?^```/gm, '');
    for (const [, link] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:|^#/.test(link!)) continue;
      const file = path.join(ROOT, path.dirname(page), link!.split('#')[0]!);
      if (!fs.existsSync(file)) broken.push(`${page}: ${link}`);
    }
  }
  expect(broken).toEqual([]);
});
