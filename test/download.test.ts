import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { download } from '../lib/download';
import { type FileServer, type Served, startFileServer } from './helpers/file-server';
import { useTempFolder } from './helpers/temp-folder';

const BODY = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) % 251));
const SHA256 = createHash('sha256').update(BODY).digest('hex');

const folder = useTempFolder();
let server: FileServer;
afterEach(() => server.close());

const serve = async (served: Partial<Served> = {}) => {
  server = await startFileServer({ '/a.bin': { body: BODY, ...served } });
  return { url: `${server.url}/a.bin`, file: path.join(folder(), 'sub/a.bin') };
};

const leftovers = () => fs.readdirSync(path.join(folder(), 'sub'));

test('fetches a file, reports progress and leaves nothing else behind', async () => {
  const target = await serve();
  const seen: [number, number | undefined][] = [];
  await download({
    ...target,
    digest: { algorithm: 'sha256', hex: SHA256.slice(0, 8) },
    onProgress: (...state) => seen.push(state),
  });
  expect(fs.readFileSync(target.file).equals(BODY)).toBe(true);
  expect(seen[0]).toEqual([0, BODY.length]);
  expect(seen.at(-1)).toEqual([BODY.length, BODY.length]);
  expect(leftovers()).toEqual(['a.bin']);
});

test('takes a broken transfer up again where it stopped', async () => {
  const target = await serve({ breakAfter: 100_000 });
  await download({ ...target, digest: { algorithm: 'sha256', hex: SHA256 } });
  expect(fs.readFileSync(target.file).equals(BODY)).toBe(true);
  expect(server.requests).toEqual(['/a.bin', '/a.bin bytes=100000-']);
});

test('continues what an earlier process has left', async () => {
  const target = await serve();
  const controller = new AbortController();
  await expect(
    download({ ...target, signal: controller.signal, onProgress: (n) => n > 0 && controller.abort() }),
  ).rejects.toMatchObject({ code: 'ERR_ABORTED', name: 'AbortError' });
  const kept = fs.statSync(`${target.file}.part`).size;
  expect(kept).toBeGreaterThan(0);
  expect(fs.existsSync(target.file)).toBe(false);
  await download({ ...target, digest: { algorithm: 'sha256', hex: SHA256 } });
  expect(server.requests.at(-1)).toBe(`/a.bin bytes=${kept}-`);
  expect(leftovers()).toEqual(['a.bin']);
});

test('starts again when the file on the server has changed', async () => {
  const target = await serve();
  fs.mkdirSync(path.dirname(target.file));
  fs.writeFileSync(`${target.file}.part`, 'of another version');
  fs.writeFileSync(`${target.file}.part.etag`, '"old"');
  await download({ ...target, digest: { algorithm: 'sha256', hex: SHA256 } });
  expect(fs.readFileSync(target.file).equals(BODY)).toBe(true);
});

test('starts again when the server gives no entity tag to be sure by', async () => {
  const target = await serve({ etag: null, breakAfter: 1000 });
  await download({ ...target, digest: { algorithm: 'sha256', hex: SHA256 } });
  expect(server.requests).toEqual(['/a.bin', '/a.bin']);
});

test('refuses a file with another checksum and keeps nothing of it', async () => {
  const target = await serve();
  const digest = { algorithm: 'sha256', hex: '00000000' } as const;
  await expect(download({ ...target, digest })).rejects.toMatchObject({
    code: 'ERR_DOWNLOAD',
    message: expect.stringContaining(SHA256),
  });
  expect(leftovers()).toEqual([]);
});

test('a complete but unchecked part only needs its checksum', async () => {
  const target = await serve();
  fs.mkdirSync(path.dirname(target.file));
  fs.writeFileSync(`${target.file}.part`, BODY);
  fs.writeFileSync(`${target.file}.part.etag`, `"${SHA256.slice(0, 16)}"`);
  await download({ ...target, digest: { algorithm: 'sha256', hex: SHA256 } });
  expect(server.requests).toEqual([`/a.bin bytes=${BODY.length}-`]);
  expect(fs.readFileSync(target.file).equals(BODY)).toBe(true);
});

test('names the URL and the status when the file is not there', async () => {
  await serve();
  const url = `${server.url}/missing`;
  await expect(download({ url, file: path.join(folder(), 'x') })).rejects.toMatchObject({
    code: 'ERR_DOWNLOAD',
    message: expect.stringMatching(/missing.*404/),
  });
});

test('gives up quickly on a server that does not answer', async () => {
  const target = await serve({ silent: true });
  const started = Date.now();
  await expect(download({ ...target, answerTimeoutMs: 200 })).rejects.toMatchObject({
    code: 'ERR_DOWNLOAD',
    message: expect.stringContaining('no answer within 0.2 s'),
  });
  expect(Date.now() - started).toBeLessThan(5000);
});

test('says why a server cannot be reached', async () => {
  const target = await serve();
  await server.close();
  await expect(download(target)).rejects.toMatchObject({
    code: 'ERR_DOWNLOAD',
    message: expect.stringContaining('ECONNREFUSED'),
  });
});

test('two downloads of the same file fetch it once', async () => {
  const target = await serve();
  await Promise.all([download(target), download(target)]);
  expect(server.requests).toEqual(['/a.bin']);
});
