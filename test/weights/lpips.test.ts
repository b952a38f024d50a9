import fs from 'node:fs';
import path from 'node:path';
import { downloadLpips, LPIPS_FILES, lpipsPath, missingLpipsParts } from '../../lib/weights/lpips';
import { type FileServer, startFileServer } from '../helpers/file-server';
import { useTempFolder, writeFiles } from '../helpers/temp-folder';

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

test('the files lie in the cache folder', () => {
  expect(lpipsPath('trunk')).toBe(path.join(folder(), 'lpips/vgg16-397923af.pth'));
  expect(missingLpipsParts()).toEqual(['trunk', 'heads']);
});

test('the checksum of the trunk is the one in its name', () => {
  expect(LPIPS_FILES.trunk.name).toContain(`-${LPIPS_FILES.trunk.digest.hex}.`);
});

test('a file that is not the official one is never kept', async () => {
  server.files.set('/vgg.pth', { body: Buffer.from('a login page') });
  await expect(downloadLpips({ mirror: `${server.url}/` })).rejects.toMatchObject({
    code: 'ERR_DOWNLOAD',
    message: expect.stringContaining(LPIPS_FILES.heads.digest.hex),
  });
  expect(fs.readdirSync(path.join(folder(), 'lpips'))).toEqual([]);
});

test('a damaged file in the cache is named, with what to do', async () => {
  writeFiles(folder(), { 'lpips/vgg.pth': 'damaged' });
  await expect(downloadLpips({ mirror: server.url })).rejects.toMatchObject({
    code: 'ERR_DOWNLOAD',
    message: expect.stringMatching(/vgg\.pth is not the official file.*Remove it/),
  });
});

test('without a network the error names the URL, the path and the ways out', async () => {
  const { url } = server;
  await server.close();
  await expect(downloadLpips({ mirror: url })).rejects.toMatchObject({
    code: 'ERR_DOWNLOAD',
    message: expect.stringMatching(/127\.0\.0\.1.*ECONNREFUSED[\s\S]*--mirror[\s\S]*lpips\/vgg\.pth/),
  });
});
