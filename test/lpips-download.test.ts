import fs from 'node:fs';
import path from 'node:path';
import { downloadLpips } from '../lib/lpips-download';
import { vgg16File } from '../lib/lpips-files';
import { runNode } from './helpers/child';
import { type FileServer, startFileServer } from './helpers/file-server';
import { useTempFolder, writeFiles } from './helpers/temp-folder';

const folder = useTempFolder();
const cacheBefore = process.env.LDM_CACHE;
let server: FileServer;

beforeEach(async () => {
  process.env.LDM_CACHE = folder();
  server = await startFileServer({});
});
afterEach(async () => {
  if (cacheBefore === undefined) delete process.env.LDM_CACHE;
  else process.env.LDM_CACHE = cacheBefore;
  await server.close();
});

test('VGG16 goes into the cache folder, and its name carries its checksum', () => {
  const { path: file, name, digest } = vgg16File();
  expect(file).toBe(path.join(folder(), 'lpips/vgg16-397923af.pth'));
  expect(name).toContain(`-${digest.hex}.`);
});

test('a file that is not the official one is never kept', async () => {
  server.files.set('/vgg16-397923af.pth', { body: Buffer.from('a login page') });
  await expect(downloadLpips({ mirror: `${server.url}/` })).rejects.toMatchObject({
    code: 'ERR_DOWNLOAD',
    message: expect.stringMatching(/not the expected file[\s\S]*397923af/),
  });
  expect(fs.readdirSync(path.join(folder(), 'lpips'))).toEqual([]);
  // The heads came with the package and were found good: nothing was asked for.
  expect(server.requests).toEqual(['/vgg16-397923af.pth']);
});

test('a damaged file in the cache is named, with what to do', async () => {
  writeFiles(folder(), { 'lpips/vgg16-397923af.pth': 'damaged' });
  await expect(downloadLpips({ mirror: server.url })).rejects.toMatchObject({
    code: 'ERR_DOWNLOAD',
    message: expect.stringMatching(/vgg16-397923af\.pth is not the official file.*Remove it/),
  });
});

test('without a network the error names the URL, the path and the ways out', async () => {
  const { url } = server;
  await server.close();
  await expect(downloadLpips({ mirror: url })).rejects.toMatchObject({
    code: 'ERR_DOWNLOAD',
    message: expect.stringMatching(/127\.0\.0\.1.*ECONNREFUSED[\s\S]*--mirror[\s\S]*lpips\/vgg16-397923af\.pth/),
  });
});

describe('ldm download', () => {
  const ldm = (...args: string[]) =>
    runNode(['--import', 'tsx', '-e', "require('./lib/cli/main').main(process.argv.slice(1))", 'download', ...args]);

  test('one clear error and exit code 1', async () => {
    const { code, stdout, stderr } = await ldm('lpips', '--mirror', server.url);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/error: .*404/);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test('something unknown is a usage error', async () => {
    const { code, stderr } = await ldm('vgg19');
    expect(code).toBe(2);
    expect(stderr).toContain('lpips');
  });
});
