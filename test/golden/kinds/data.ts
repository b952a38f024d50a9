/** Data sets of the reference on image files that lie beside the case: LSUNBase. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { resolveNode } from '../../../lib/config';
import { DataLoader, disposeBatch, openDataset } from '../../../lib/data';
import type { GoldenCase } from '../runner/case';

export default async function data(c: GoldenCase): Promise<void> {
  const files: string[] = c.meta.files;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'lsun-'));
  try {
    const list = path.join(folder, 'list.txt');
    fs.writeFileSync(list, files.join('\n'));
    /** Reports the images of a data set: `name` for all in one, or `name` of an index. */
    const report = async (
      params: Record<string, unknown>,
      batchSize: number,
      name: (index: number) => string | null,
    ) => {
      const node = resolveNode({
        target: 'ldm.data.lsun.LSUNBase',
        params: { txt_file: list, data_root: c.dir, ...params },
      });
      let index = 0;
      for await (const { batch } of new DataLoader(openDataset(node), { batchSize }).batches(0)) {
        const output = name(index++);
        const image = batchSize === 1 ? batch.image.squeeze(0) : batch.image;
        if (output !== null) await c.out(output, image);
        disposeBatch(batch);
      }
    };
    for (const interpolation of ['bicubic', 'bilinear', 'lanczos'])
      for (const size of [16, 24])
        await report({ size, interpolation, flip_p: 0 }, files.length, () => `${interpolation}.${size}`);
    await report({ size: null, flip_p: 0 }, 1, (i) => `nosize.${i}`);
    await report({ size: 16, flip_p: 1 }, 1, (i) => (i === 0 ? 'flipped.0' : null));
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
