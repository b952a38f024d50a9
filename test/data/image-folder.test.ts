import { ImageFolder } from '../../lib/data/image-folder';
import { DataRandom } from '../../lib/data/random';
import { TestFolder } from './folders';

const SIZE = { width: 6, height: 6 };
let folder: TestFolder;
beforeEach(() => {
  folder = new TestFolder();
});
afterEach(() => folder.remove());

const open = (options = {}) => ImageFolder.open({ root: folder.root, size: 4, ...options });
const sampleOf = async (set: ImageFolder, name: string) => {
  const index = Array.from({ length: set.length }, (_, i) => i).find((i) => set.nameOf(i) === name)!;
  return set.get(index, new DataRandom(0));
};

describe('ImageFolder', () => {
  it('makes classes of sub-folders, in alphabetical order, and searches deeper ones', async () => {
    await folder.image('dog/a.png', SIZE);
    await folder.image('cat/deep/b.jpg', SIZE, 'blue');
    await folder.image('.hidden/c.png', SIZE);
    folder.file('dog/readme.txt', 'no image');
    const set = open();
    expect(set.classNames).toEqual(['cat', 'dog']);
    expect(set.length).toBe(2);
    const sample = await sampleOf(set, 'cat/deep/b.jpg');
    expect(sample).toMatchObject({
      class_label: 0,
      human_label: 'cat',
      file_path_: 'cat/deep/b.jpg',
    });
    expect(sample.image?.shape).toEqual([4, 4, 3]);
    expect(sample.image?.data).toHaveLength(48);
    expect(sample.image?.data[2]).toBeGreaterThan(0.9);
  });

  it('has no classes without sub-folders', async () => {
    await folder.image('a.png', SIZE);
    const set = open();
    expect(set.classNames).toEqual([]);
    expect(await sampleOf(set, 'a.png')).not.toHaveProperty('class_label');
  });

  it('reads captions and labels files', async () => {
    await folder.image('x/a.png', SIZE);
    await folder.image('x/b.png', SIZE);
    folder.file('captions.txt', 'x/a.png\tone a\nx/b.png\ttwo b\n');
    folder.file(
      'labels.jsonl',
      '{"file_name": "x/a.png", "label": "zebra"}\n{"file_name": "x/b.png", "label": "ant"}\n',
    );
    const set = open();
    expect(set.classNames).toEqual(['ant', 'zebra']);
    expect(await sampleOf(set, 'x/a.png')).toMatchObject({ caption: 'one a', class_label: 1 });
  });

  it.each([
    ['captions.txt', 'x/a.png no tab', /line 1/],
    ['captions.jsonl', '{"file_name": 3}', /line 1/],
    ['labels.txt', 'x/other.png\tcat', /No class is given for x\/a.png/],
  ])('explains what is wrong with %s', async (name, content, message) => {
    await folder.image('x/a.png', SIZE);
    folder.file(name, content);
    expect(() => open()).toThrow(
      expect.objectContaining({ code: 'ERR_DATA', message: expect.stringMatching(message) }),
    );
  });

  it('tells a missing folder from an empty one', () => {
    expect(() => ImageFolder.open({ root: folder.path('none') })).toThrow(
      expect.objectContaining({ code: 'ERR_FILE' }),
    );
    folder.file('notes.txt', 'no image');
    expect(() => open()).toThrow(expect.objectContaining({ code: 'ERR_DATA' }));
  });

  it('drops labels for guidance as often as told', async () => {
    await folder.image('cat/a.png', SIZE);
    await folder.image('dog/b.png', SIZE);
    const set = open({ drop_label_p: 0.25 });
    let dropped = 0;
    for (let i = 0; i < 400; i++) if ((await set.get(i % 2, new DataRandom(i))).class_label === 2) dropped++;
    expect(Math.abs(dropped - 100)).toBeLessThan(35);
  });

  it('drops captions for guidance as often as told, and labels stay', async () => {
    await folder.image('cat/a.png', SIZE);
    folder.file('captions.txt', 'cat/a.png\ta cat\n');
    const set = open({ drop_caption_p: 0.25 });
    const captions: unknown[] = [];
    for (let i = 0; i < 400; i++) {
      const { caption, class_label } = await set.get(0, new DataRandom(i));
      captions.push(caption);
      expect(class_label).toBe(0);
    }
    expect(new Set(captions)).toEqual(new Set(['a cat', '']));
    expect(Math.abs(captions.filter((caption) => caption === '').length - 100)).toBeLessThan(35);
  });

  it('gives the same from the cache as from the file', async () => {
    const noise = Buffer.from(Array.from({ length: 12 * 12 * 3 }, (_, i) => (i * 37) % 256));
    await folder.image('a.png', { width: 12, height: 12 }, noise);
    const cached = open();
    const first = await cached.get(0, new DataRandom(1));
    const second = await cached.get(0, new DataRandom(1));
    const uncached = await open({ cache_mb: 0 }).get(0, new DataRandom(1));
    expect(second.image).toEqual(first.image);
    expect(uncached.image).toEqual(first.image);
  });
});
