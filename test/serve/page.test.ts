/** The page in a headless browser, against a server with small models of random weights. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import sharp from 'sharp';
import { readText } from '../../lib/pictures/read-png-text';
import { ROOT } from '../helpers/child';
import { TestServer } from './client';
import { writeFamilies, writeTinyModels } from './tiny-models';

let folder: string;
let picture: string;
let server: TestServer;
let browser: Browser;
let context: BrowserContext;
/** What pages complain about: errors of scripts, refused resources. */
const complaints: string[] = [];

const models = () => path.join(folder, 'models');

beforeAll(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'node-ldm-page-'));
  picture = path.join(folder, 'picture.png');
  await sharp({ create: { width: 64, height: 64, channels: 3, background: '#2277cc' } }).toFile(picture);
  await writeTinyModels(models(), ['text', 'class', 'vae']);
  await writeFamilies(models(), ['inpaint', 'sr', 'seg', 'layout']);
  // Fails with what to do where there is no browser.
  const executablePath = execFileSync(process.execPath, ['scripts/chromium.mjs'], {
    cwd: ROOT,
    encoding: 'utf8',
  }).trim();
  browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });
  server = await TestServer.start({ folder: models() });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  complaints.length = 0;
  context = await browser.newContext({ acceptDownloads: true });
});
afterEach(async () => {
  await context.close();
  expect(complaints).toEqual([]);
});

async function open(view = '', options: { model?: string; quietly?: boolean } = {}): Promise<Page> {
  const page = await context.newPage();
  page.setDefaultTimeout(45_000);
  page.on('pageerror', (error) => complaints.push(error.message));
  if (!options.quietly) page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(server.url + view);
  await page.getByLabel('Model', { exact: true }).selectOption(options.model ?? 'text/model.ckpt');
  return page;
}

/** Fields of the form on the left. */
const field = (page: Page, label: string) => page.locator('form.panel').getByLabel(label, { exact: true });
const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name });

async function fill(page: Page, settings: Record<string, string>): Promise<void> {
  for (const [label, value] of Object.entries(settings)) await field(page, label).fill(value);
}

test('generate: previews, progress, gallery, a PNG that brings its settings back', async () => {
  const page = await open();
  await fill(page, { Prompt: 'a grinning cat ☺', Steps: '20', Seed: '7', Pictures: '2' });
  await button(page, 'Draw 2 pictures').click();
  await page.getByText(/^Step \d+ of 20/).waitFor();
  await page.locator('.stage img.preview').first().waitFor();
  await page.locator('.stage .finished img').nth(1).waitFor();
  // The gallery stores a picture before it shows it.
  await page.locator('.gallery .thumb').nth(1).waitFor();
  expect(await page.locator('.gallery .thumb').count()).toBe(2);

  await page.locator('.gallery .thumb').nth(1).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('8', { exact: true }).waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), dialog.getByText('Download PNG').click()]);
  expect(download.suggestedFilename()).toBe('a-grinning-cat-8.png');
  const file = path.join(folder, 'downloaded.png');
  await download.saveAs(file);
  expect(JSON.parse(readText(fs.readFileSync(file)).settings)).toMatchObject({
    prompt: 'a grinning cat ☺',
    steps: 20,
    seed: 8,
  });
  await page.keyboard.press('Escape');

  await fill(page, { Prompt: 'something else', Steps: '3', Seed: '' });
  const data = fs.readFileSync(file).toString('base64');
  const transfer = await page.evaluateHandle(`(() => {
    const bytes = Uint8Array.from(atob('${data}'), (c) => c.charCodeAt(0));
    const moved = new DataTransfer();
    moved.items.add(new File([bytes], 'downloaded.png', { type: 'image/png' }));
    return moved;
  })()`);
  await page.dispatchEvent('form.panel', 'drop', { dataTransfer: transfer });
  await page.getByText('Settings taken from the picture.').waitFor();
  expect(await field(page, 'Prompt').inputValue()).toBe('a grinning cat ☺');
  expect(await field(page, 'Steps').inputValue()).toBe('20');
  expect(await field(page, 'Seed').inputValue()).toBe('8');
});

test('cancel frees the machine', async () => {
  const page = await open();
  await fill(page, { Prompt: 'x', Steps: '250', Pictures: '2' });
  await button(page, 'Draw 2 pictures').click();
  await page.getByText(/^Step \d+ of 250/).waitFor();
  await button(page, 'Cancel').click();
  await page.getByText('Cancelled.').waitFor();
  expect(server.running.load()).toEqual({ waiting: 0, running: false });
  expect(await page.locator('.gallery').count()).toBe(0);
});

test('fill in: with the mouse, and with the keyboard', async () => {
  const page = await open('#/edit');
  await page.getByText('Fill in', { exact: true }).first().click();
  await page.locator('input[type=file]').setInputFiles(picture);
  const canvas = page.locator('canvas');
  const start = button(page, 'Fill in');
  await start.click();
  await page.getByText('Paint over what is to be drawn anew first.').waitFor();
  const box = (await canvas.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.3);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5, { steps: 4 });
  await page.mouse.up();
  await page.locator('summary').click();
  await fill(page, { Prompt: 'a nose', Steps: '2' });
  await start.click();
  const result = page.locator('.stage .finished img');
  await result.waitFor();
  const drawn = await sharp(await server.bytes((await result.getAttribute('src'))!))
    .raw()
    .toBuffer({ resolveWithObject: true });
  const at = (x: number, y: number) => [...drawn.data.subarray((y * drawn.info.width + x) * 3).subarray(0, 3)];
  expect([drawn.info.width, drawn.info.height]).toEqual([32, 32]);
  expect(at(28, 4)).toEqual([0x22, 0x77, 0xcc]);
  expect(at(12, 12)).not.toEqual([0x22, 0x77, 0xcc]);

  await button(page, 'Clear mask').click();
  await canvas.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Space');
  await page.keyboard.press('Tab');
  const before = await result.getAttribute('src');
  await start.click();
  await page.locator(`.stage .finished img:not([src="${before}"])`).waitFor();
});

test('reconstruct: figures, difference, latent channels', async () => {
  const page = await open('#/reconstruct', { model: 'vae/model.ckpt' });
  await page.locator('input[type=file]').setInputFiles(picture);
  await page.getByText(/^\d+\.\d\d dB$/).waitFor();
  expect(await page.locator('.channels img').count()).toBe(4);
  for (const name of ['Original', 'Reconstruction', 'Difference map'])
    expect(await page.getByRole('img', { name, exact: true }).count()).toBeGreaterThan(0);
  // The form of an autoencoder says what it cannot do.
  await page.goto(`${server.url}#/generate`);
  await page.getByText('Not with this model').waitFor();
});

test('models for inpainting and super-resolution have their form; others say which command draws with them', async () => {
  const page = await open('', { model: 'sr/model.ckpt' });
  await page.getByText('cannot draw pictures without one to begin with').waitFor();
  await page.getByRole('link', { name: 'Enlarge a picture with it' }).click();
  await page.locator('input[type=file]').setInputFiles(picture);
  await page.getByText('This model enlarges small pictures four times.').waitFor();
  await page.locator('summary').click();
  await fill(page, { Steps: '2' });
  await button(page, 'Enlarge').click();
  const enlarged = page.locator('.stage .finished img');
  await enlarged.waitFor();
  const bytes = await server.bytes((await enlarged.getAttribute('src'))!);
  expect(await sharp(bytes).metadata()).toMatchObject({ width: 256, height: 256 });

  await page.getByLabel('Model', { exact: true }).selectOption('inpaint/model.ckpt');
  await page.getByText('This model fills in what fits to the rest of the picture.').waitFor();
  for (const [model, command] of [
    ['seg', 'ldm semantic'],
    ['layout', 'ldm layout2img'],
  ]) {
    await page.getByLabel('Model', { exact: true }).selectOption(`${model}/model.ckpt`);
    await page.locator('code', { hasText: command }).waitFor();
  }
});

test('settings and pictures survive a reload; a link brings the settings to somebody else', async () => {
  const page = await open();
  await fill(page, { Prompt: 'a blue heart', Steps: '2', Seed: '5', Pictures: '1' });
  await button(page, 'Draw a picture').click();
  await page.locator('.gallery .thumb').waitFor();
  await page.reload();
  await page.locator('.gallery .thumb').waitFor();
  expect(await field(page, 'Prompt').inputValue()).toBe('a blue heart');
  expect(await field(page, 'Steps').inputValue()).toBe('2');

  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.locator('.gallery .thumb').click();
  await button(page, 'Copy link').click();
  await button(page, 'Copied').waitFor();
  const link = await page.evaluate<string>('navigator.clipboard.readText()');
  const other = await browser.newContext();
  const fresh = await other.newPage();
  await fresh.goto(link);
  await fresh.locator('form.panel').waitFor();
  expect(await fresh.getByLabel('Model', { exact: true }).inputValue()).toBe('text/model.ckpt');
  await fresh.waitForFunction(`document.querySelector('textarea')?.value === 'a blue heart'`);
  expect(await field(fresh, 'Seed').inputValue()).toBe('5');
  await other.close();
});

test('two tabs at once: both are served', async () => {
  const [first, second] = [await open(), await open()];
  await fill(first, { Prompt: 'first', Steps: '150', Pictures: '2' });
  await fill(second, { Prompt: 'second', Steps: '2', Pictures: '1' });
  await button(first, /^Draw/).click();
  await first.getByText(/^Step \d/).waitFor();
  await button(second, /^Draw/).click();
  await second.getByText('Waiting: you are next').waitFor();
  await Promise.all([
    first.locator('.stage .finished').nth(1).waitFor(),
    second.locator('.stage .finished').first().waitFor(),
  ]);
});

test('a server that is started anew: the page says so and goes on', async () => {
  const page = await open('', { quietly: true });
  await fill(page, { Prompt: 'x', Steps: '250', Pictures: '8' });
  await button(page, /^Draw/).click();
  await page.getByText(/^Step \d/).waitFor();
  const { port } = server.running;
  await server.close();
  await page.getByRole('alert').or(page.getByText('Cancelled.')).first().waitFor();
  server = await TestServer.start({ folder: models(), port });
  await page.waitForFunction(`!document.querySelector('form.panel button.primary[disabled]')`);
  await fill(page, { Steps: '2', Pictures: '1' });
  await button(page, 'Draw a picture').click();
  await page.locator('.stage .finished').waitFor();
});

/** What a screen reader could not name, in the page. */
const NAMELESS = `[...document.querySelectorAll('button, a, input, select, textarea, img')]
  .filter((element) => {
    const name = element.getAttribute('aria-label') ?? element.getAttribute('alt') ?? element.title;
    return !(name || element.labels?.length || element.textContent.trim() || element.getAttribute('alt') === '');
  })
  .map((element) => element.outerHTML)`;

test('every view fits a phone, and everything in it has a name', async () => {
  const page = await open();
  await page.setViewportSize({ width: 390, height: 844 });
  for (const view of ['generate', 'edit', 'reconstruct', 'models', 'training']) {
    await page.goto(`${server.url}#/${view}`);
    await page.locator('main > *').nth(1).waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    const nameless = await page.evaluate(NAMELESS);
    expect(nameless).toEqual([]);
  }
});

test('a token is asked for once', async () => {
  const guarded = await TestServer.start({ folder: models(), token: 'sesame' });
  try {
    const page = await context.newPage();
    await page.goto(guarded.url);
    await page.getByLabel('Token').fill('sesame');
    await button(page, 'Enter').click();
    await page.getByLabel('Model', { exact: true }).selectOption('text/model.ckpt');
    await page.locator('form.panel textarea').first().waitFor();
    await page.reload();
    await page.locator('form.panel').waitFor();
    expect(await page.getByLabel('Token').count()).toBe(0);
  } finally {
    await guarded.close();
  }
});
