import { resolveScalar } from '../../lib/config/scalars';

/** Values as PyYAML with OmegaConf's resolvers reads them. */
const cases: [string, unknown][] = [
  ['', null],
  ['~', null],
  ['NULL', null],
  ['nUll', 'nUll'],
  ['yes', true],
  ['On', true],
  ['off', false],
  ['y', 'y'],
  ['N', 'N'],
  ['tRue', 'tRue'],
  ['0', 0],
  ['-0', 0],
  ['+12', 12],
  ['010', 8],
  ['-017', -15],
  ['08', '08'],
  ['0o17', '0o17'],
  ['0x1F', 31],
  ['-0b101', -5],
  ['0x_', '0x_'],
  ['1_000', 1000],
  ['_1', '_1'],
  ['190:20:30', 685230],
  ['1:60', '1:60'],
  ['9007199254740993', 9007199254740993n],
  ['-9007199254740993', -9007199254740993n],
  ['1e-4', 1e-4],
  ['1e5', 1e5],
  ['12e03', 12000],
  ['1.e-6', 1e-6],
  ['1.', 1],
  ['.5', 0.5],
  ['.5e1', '.5e1'],
  ['.5e+1', 5],
  ['._1', '._1'],
  ['1_E3', '1_E3'],
  ['1_.5', 1.5],
  ['1_0.5', 10.5],
  ['1.5.2', '1.5.2'],
  ['.', '.'],
  ['e5', 'e5'],
  ['190:20:30.15', 685230.15],
  ['.inf', Number.POSITIVE_INFINITY],
  ['-.INF', Number.NEGATIVE_INFINITY],
  ['.nan', Number.NaN],
  ['inf', 'inf'],
  ['2021-01-01', '2021-01-01'],
  ['2001-12-14t21:59:43.10-05:00', '2001-12-14t21:59:43.10-05:00'],
];

test.each(cases)('%j is %p', (text, expected) => {
  const { value } = resolveScalar(text);
  expect(Object.is(value, -0) ? 0 : value).toEqual(expected);
});

test('numbers know whether they were written as floats', () => {
  expect(resolveScalar('1.0')).toEqual({ value: 1, float: true });
  expect(resolveScalar('1')).toEqual({ value: 1, float: false });
});
