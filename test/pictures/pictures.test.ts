import sharp from 'sharp';
import { labelledGrid } from '../../lib/pictures/labelled-grid';
import { lineChart } from '../../lib/pictures/line-chart';
import { encodePng, makeGrid, toBytes } from '../../lib/pictures/picture';
import { readText } from '../../lib/pictures/read-png-text';

const plane = (value: number) => ({
  data: new Float32Array(4).fill(value),
  batch: 1,
  channels: 1,
  height: 2,
  width: 2,
});

describe('makeGrid', () => {
  it('pads, fills rows and repeats a grey plane', () => {
    const three = { data: Float32Array.from([1, 2, 3]), batch: 3, channels: 1, height: 1, width: 1 };
    const grid = makeGrid(three, { nrow: 2, padding: 1, padValue: 9 });
    expect([grid.channels, grid.height, grid.width]).toEqual([3, 5, 5]);
    expect([...grid.data.subarray(0, 25)]).toEqual([
      9, 9, 9, 9, 9, 9, 1, 9, 2, 9, 9, 9, 9, 9, 9, 9, 3, 9, 9, 9, 9, 9, 9, 9, 9,
    ]);
    expect(grid.data.subarray(25, 50)).toEqual(grid.data.subarray(0, 25));
  });
});

describe('toBytes', () => {
  it('maps the range, clamps, and rounds or truncates', () => {
    expect(toBytes(plane(1.5))[0]).toBe(255);
    expect(toBytes(plane(-7))[0]).toBe(0);
    expect(toBytes(plane(0))[0]).toBe(128);
    expect(toBytes(plane(0), { rounding: 'truncate' })[0]).toBe(127);
    expect(toBytes(plane(0.5), { range: [0, 1] })[0]).toBe(128);
  });
});

describe('PNG text', () => {
  it('is read back, also beyond ASCII, and leaves the picture valid', async () => {
    const text = { settings: '{"seed":23}', caption: 'schön 🙂' };
    const png = await encodePng(toBytes(plane(1)), { width: 2, height: 2, channels: 1 }, text);
    expect(readText(png)).toEqual(text);
    const { comments } = await sharp(png).metadata();
    expect(comments).toEqual(expect.arrayContaining([{ keyword: 'settings', text: '{"seed":23}' }]));
  });
});

describe('drawings', () => {
  it('puts each picture at its place beside its label', async () => {
    const red = { data: Float32Array.from([1, -1, -1]), batch: 1, channels: 3, height: 1, width: 1 };
    const png = await labelledGrid([{ label: 'heart & <soul>', pictures: red }], { title: 'T', cell: 50 });
    const { data, info } = await sharp(png).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const count = (test: (r: number, g: number, b: number) => boolean) => {
      let n = 0;
      for (let i = 0; i < info.width * info.height; i++) if (test(data[i * 3], data[i * 3 + 1], data[i * 3 + 2])) n++;
      return n;
    };
    expect(count((r, g, b) => r > 250 && g < 5 && b < 5)).toBeGreaterThan(2300);
    expect(count((r, g, b) => r < 60 && g < 60 && b < 60)).toBeGreaterThan(150); // letters: the fonts were found
  });

  it('draws a chart of hostile numbers', async () => {
    const png = lineChart([
      {
        title: 'loss',
        xLabel: 'step',
        yLabel: 'nll',
        logarithmic: true,
        series: [
          {
            name: 'a',
            points: [
              [0, 1],
              [1, Number.NaN],
              [2, -1],
              [3, 0.1],
            ],
          },
          { name: 'empty', points: [] },
        ],
      },
    ]);
    expect((await sharp(png).metadata()).width).toBe(900);
  });
});
