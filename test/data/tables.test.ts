/** Large tables read piece by piece: JSON lists, CSV rows. */
import { forEachRow } from '../../lib/data/csv';
import { imageNetClasses } from '../../lib/data/imagenet-classes';
import { forEachElement } from '../../lib/data/json-elements';
import { indicesOf } from '../../lib/data/sets/imagenet';
import { TestFolder } from './folders';

const folder = new TestFolder();
afterAll(() => folder.remove());

test('elements of the lists that are asked for, whatever stands in and around them', () => {
  const content = {
    info: { images: [1], 'a]"b': '[{' },
    images: [],
    annotations: Array.from({ length: 5000 }, (_, id) => ({ id, note: 'x, "}]\\', nested: [[1, [2]], { a: [] }] })),
    numbers: [1, -2.5, 'three', null, [4]],
    other: [7],
  };
  const file = folder.file('big.json', JSON.stringify(content, null, 1));
  const found: Record<string, unknown[]> = { annotations: [], numbers: [] };
  const keys = forEachElement(file, new Set(['images', 'annotations', 'numbers']), (text, key) =>
    found[key].push(JSON.parse(text)),
  );
  expect([...keys]).toEqual(['images', 'annotations', 'numbers']);
  expect(found.annotations).toEqual(content.annotations);
  expect(found.numbers).toEqual(content.numbers);
});

test('rows of a table', () => {
  const rows: string[][] = [];
  forEachRow(folder.file('t.csv', 'a,b\r\n1,\n"x, ""y""",z\n\nlast,"é"'), (fields) => rows.push(fields));
  expect(rows).toEqual([
    ['a', 'b'],
    ['1', ''],
    ['x, "y"', 'z'],
    ['last', 'é'],
  ]);
});

test("ImageNet's classes, and the reference's way with indices", () => {
  const classes = imageNetClasses();
  expect(classes).toHaveLength(1000);
  expect(classes[0]).toEqual({ synset: 'n01440764', label: 'tench, Tinca tinca' });
  expect(classes[607].label).toBe("jack-o'-lantern");
  expect(classes[999]).toEqual({ synset: 'n15075141', label: 'toilet tissue, toilet paper, bathroom tissue' });
  expect(indicesOf('30-32, 7,  40-41')).toEqual([7, 30, 31, 40]);
  expect(() => indicesOf('3-')).toThrow(/sub_indices.*'3-'/);
});
