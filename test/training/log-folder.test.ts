import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { LogFolder, timeStamp } from '../../lib/training/log-folder';

describe('LogFolder', () => {
  let logdir: string;
  beforeEach(() => {
    logdir = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-logs-'));
  });
  afterEach(() => fs.rmSync(logdir, { recursive: true }));

  it('is named and filled as the reference does', () => {
    const now = new Date(2021, 11, 31, 23, 5, 9);
    expect(timeStamp(now)).toBe('2021-12-31T23-05-09');
    const folder = LogFolder.forRun({ logdir, name: 'kl-f8', postfix: '-x', now });
    expect(path.basename(folder.root)).toBe('2021-12-31T23-05-09_kl-f8-x');
    folder.create('model: {}\n', 'lightning: {}\n');
    expect(fs.readdirSync(folder.configs)).toEqual([
      '2021-12-31T23-05-09-lightning.yaml',
      '2021-12-31T23-05-09-project.yaml',
    ]);
    expect(fs.statSync(folder.checkpoints).isDirectory()).toBe(true);
  });

  it('is found again by its path or by a checkpoint in it, with its configs in order', () => {
    const folder = LogFolder.forRun({ logdir, name: 'run' });
    folder.create('', '');
    expect(() => LogFolder.forResume(folder.root)).toThrow(expect.objectContaining({ code: 'ERR_FILE' }));
    const last = path.join(folder.checkpoints, 'last.ckpt');
    const other = path.join(folder.checkpoints, 'epoch=000001.ckpt');
    for (const file of [last, other]) fs.writeFileSync(file, '');
    const byFolder = LogFolder.forResume(`${folder.root}/`);
    expect(byFolder.checkpoint).toBe(last);
    expect(byFolder.configs.map((f) => path.basename(f).slice(20))).toEqual(['lightning.yaml', 'project.yaml']);
    const byFile = LogFolder.forResume(other);
    expect(byFile.checkpoint).toBe(other);
    expect(byFile.folder!.root).toBe(folder.root);
    expect(() => LogFolder.forResume(path.join(logdir, 'none'))).toThrow(expect.objectContaining({ code: 'ERR_FILE' }));
  });
});
