/** Folders of small images for tests. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import sharp from 'sharp';

/** A folder that is removed by {@link TestFolder.remove}. */
export class TestFolder {
  readonly root = fs.mkdtempSync(path.join(os.tmpdir(), 'ldm-data-'));

  /** A picture of one colour, or of the pixels given (RGB). */
  async image(name: string, size: { width: number; height: number }, colour: string | Buffer = 'red'): Promise<string> {
    const { width, height } = size;
    const picture = Buffer.isBuffer(colour)
      ? sharp(colour, { raw: { width, height, channels: 3 } })
      : sharp({ create: { width, height, channels: 3, background: colour } });
    const file = this.path(name);
    await picture.toFile(file);
    return file;
  }

  file(name: string, content: string | Buffer): string {
    const file = this.path(name);
    fs.writeFileSync(file, content);
    return file;
  }

  path(name: string): string {
    const file = path.join(this.root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    return file;
  }

  remove(): void {
    fs.rmSync(this.root, { recursive: true, force: true });
  }
}
