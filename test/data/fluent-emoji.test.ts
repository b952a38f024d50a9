import { FluentEmoji } from '../../lib/data/fluent-emoji';
import { DataRandom } from '../../lib/data/random';

describe('FluentEmoji', () => {
  it('gathers subgroups and groups into classes in the order given', async () => {
    const set = FluentEmoji.open({ size: 16, classes: { heart: ['heart'], food: ['food-drink'] } });
    expect(set.classNames).toEqual(['heart', 'food']);
    const labels = await Promise.all(
      Array.from({ length: set.length }, async (_, i) => (await set.get(i, new DataRandom(i))).class_label),
    );
    expect(labels.filter((l) => l === 0).length).toBeGreaterThan(15);
    expect(labels.filter((l) => l === 1).length).toBeGreaterThan(100);
    const sample = await set.get(0, new DataRandom(0));
    expect(sample.caption).toMatch(/love|heart/);
    expect(sample.image?.data[0]).toBeCloseTo(1, 1); // a white corner
  });

  it('names a class without images', () => {
    expect(() => FluentEmoji.open({ classes: { nothing: ['no-such-group'] } })).toThrow(/'nothing'.*face-smiling/s);
  });
});
