/** The documentation site: generated pages are what the code gives, and every page can be reached. */
import fs from 'node:fs';
import path from 'node:path';
import { sidebarOf } from '../../docs/.vitepress/sidebar';
import { stalePages } from '../../scripts/docs/generate';
import { ROOT } from '../helpers/child';
import { PAGES, readPage } from './pages';

test('the pages of commands and options are fresh (else: npm run docs:generate)', async () => {
  expect(await stalePages()).toEqual([]);
});

test('every page is in the sidebar once, and every entry of it is a page', () => {
  const links = sidebarOf(path.join(ROOT, 'docs')).flatMap(({ items }) => items.map(({ link }) => link));
  const pages = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/index.md');
  const expected = pages.map((page) => page.slice('docs'.length, -'.md'.length));
  expect(links.filter((link) => !link.startsWith('/api/')).sort()).toEqual(expected.sort());
});

/** A heading's id, as the site makes it: without backquotes, and with - for whatever is no letter and no digit. */
const idOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '');

test('links to headings lead to headings', () => {
  const broken: string[] = [];
  for (const page of PAGES) {
    for (const [, file, fragment] of readPage(page).matchAll(/\]\(([^)\s:#]*)#([^)\s]+)\)/g)) {
      const target = file ? path.join(path.dirname(page), file) : page;
      const headings = [...readPage(target).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => idOf(heading!));
      if (!headings.includes(fragment!)) broken.push(`${page}: ${file}#${fragment}`);
    }
  }
  expect(broken).toEqual([]);
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
