import { disposeBatch } from '../../lib/data/collate';
import { DataLoader } from '../../lib/data/data-loader';
import type { Dataset, Sample } from '../../lib/data/dataset';
import { ImageFolder } from '../../lib/data/image-folder';
import type { DataRandom } from '../../lib/data/random';
import { LdmError } from '../../lib/errors';
import { TestFolder } from './folders';

/** Numbers as images; reading takes a random time, so that decoding order varies between runs. */
class Numbers implements Dataset {
  readonly classNames = ['even', 'odd'];
  constructor(
    readonly length: number,
    private readonly bad: readonly number[] = [],
  ) {}
  nameOf(index: number): string {
    return `number ${index}`;
  }
  async get(index: number, random: DataRandom): Promise<Sample> {
    await new Promise((done) => setTimeout(done, Math.random() * 4));
    if (this.bad.includes(index)) throw new LdmError('ERR_DATA', `number ${index} is bad`);
    const image = Float32Array.from([index, random.uniform(), 0]);
    return { image: { data: image, shape: [1, 1, 3] }, class_label: index % 2, file_path_: this.nameOf(index) };
  }
}

async function collect(loader: DataLoader, epoch: number, position = 0) {
  const batches: { names: string[]; pixels: number[]; position: number; last: boolean }[] = [];
  for await (const { batch, position: at, last, size } of loader.batches(epoch, position)) {
    expect(batch.image.shape).toEqual([size, 1, 1, 3]);
    const pixels = [...((await batch.image.data()) as Float32Array)];
    batches.push({ names: batch.file_path_ ?? [], pixels, position: at, last });
    disposeBatch(batch);
  }
  return batches;
}

describe('DataLoader', () => {
  it('gives every item once, the same in each run whatever is read first, another order in each epoch', async () => {
    const options = { batchSize: 4, shuffle: true, seed: 5 };
    const one = await collect(new DataLoader(new Numbers(10), options), 0);
    const again = await collect(new DataLoader(new Numbers(10), { ...options, prefetch: 7 }), 0);
    const next = await collect(new DataLoader(new Numbers(10), options), 1);
    expect(one.map((b) => b.names.length)).toEqual([4, 4, 2]);
    expect(one.map((b) => b.last)).toEqual([false, false, true]);
    expect(new Set(one.flatMap((b) => b.names)).size).toBe(10);
    expect(again).toEqual(one);
    expect(next.flatMap((b) => b.names)).not.toEqual(one.flatMap((b) => b.names));
  });

  it('goes on from a position with the same batches', async () => {
    const loader = new DataLoader(new Numbers(11, [3, 7]), { batchSize: 3, shuffle: true, seed: 1 });
    const whole = await collect(loader, 2);
    const rest = await collect(
      new DataLoader(new Numbers(11, [3, 7]), { batchSize: 3, shuffle: true, seed: 1 }),
      2,
      whole[0].position,
    );
    expect(rest).toEqual(whole.slice(1));
  });

  it('leaves out unreadable items, reports each once by name with a count', async () => {
    const reports: string[] = [];
    const counts: number[] = [];
    const loader = new DataLoader(new Numbers(7, [2, 5]), {
      batchSize: 2,
      onSkip: (name, error, skipped) => {
        reports.push(`${name}: ${error.message}`);
        counts.push(skipped);
      },
    });
    const names = (await collect(loader, 0)).flatMap((b) => b.names);
    await collect(loader, 1);
    expect(names).toEqual([0, 1, 3, 4, 6].map((i) => `number ${i}`));
    expect(reports.sort()).toEqual(['number 2: number 2 is bad', 'number 5: number 5 is bad']);
    expect(counts).toEqual([1, 2]);
    expect(loader.length).toBe(3);
  });

  it('marks the last batch also when only unreadable items follow', async () => {
    const batches = await collect(new DataLoader(new Numbers(5, [4]), { batchSize: 2 }), 0);
    expect(batches.map((b) => [b.last, b.position])).toEqual([
      [false, 2],
      [true, 5],
    ]);
  });

  it('drops a last batch that is not full when told to', async () => {
    const batches = await collect(new DataLoader(new Numbers(5), { batchSize: 2, dropLast: true }), 0);
    expect(batches.map((b) => b.names.length)).toEqual([2, 2]);
  });

  it('finds a corrupt image among good ones, and a folder of nothing else is an error', async () => {
    const folder = new TestFolder();
    try {
      folder.file('bad.png', 'this is no picture');
      const onSkip = jest.fn();
      const only = new DataLoader(ImageFolder.open({ root: folder.root, size: 4 }), { batchSize: 2, onSkip });
      await expect(only.check()).rejects.toMatchObject({ code: 'ERR_DATA' });
      await folder.image('good.png', { width: 8, height: 8 });
      const both = new DataLoader(ImageFolder.open({ root: folder.root, size: 4 }), { batchSize: 2, onSkip });
      await both.check();
      const names: string[] = [];
      for await (const { batch } of both.batches(0)) names.push(...(batch.file_path_ ?? []));
      expect(names).toEqual(['good.png']);
      expect(both.skipped).toEqual(['bad.png']);
      expect(onSkip).toHaveBeenLastCalledWith('bad.png', expect.objectContaining({ code: 'ERR_DATA' }), 1);
    } finally {
      folder.remove();
    }
  });
});
