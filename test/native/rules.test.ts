/** The rules of docs/architecture.md that a search over the sources can check. */
import fs from 'node:fs';
import path from 'node:path';

const ROOT = path.join(__dirname, '../..');

function sources(dir: string): { file: string; text: string }[] {
  return fs
    .readdirSync(path.join(ROOT, dir), { recursive: true, encoding: 'utf8' })
    .filter((f) => /\.(cpp|h|ts)$/.test(f))
    .map((f) => ({ file: path.join(dir, f), text: fs.readFileSync(path.join(ROOT, dir, f), 'utf8') }));
}

/** Lines (without comments) of the sources under `dir` that match, as 'file:line'. */
function linesWith(pattern: RegExp, dir: string, except: string[] = []): string[] {
  return sources(dir)
    .filter(({ file }) => !except.includes(file))
    .flatMap(({ file, text }) =>
      text.split('\n').flatMap((line, i) => (pattern.test(line.replace(/\/\/.*$/, '')) ? [`${file}:${i + 1}`] : [])),
    );
}

const LAYERS = [
  'native/core',
  'native/kernels',
  'native/modules',
  'native/diffusion',
  'native/models',
  'native/training',
];

test('random numbers are drawn in one place only', () => {
  const draws =
    /\b(at|torch)::(randn|rand|randint|randperm|dropout|native_dropout|bernoulli|normal|multinomial)(_like)?\s*\(|\.(normal_|uniform_|bernoulli_|random_)\s*\(|torch::nn::/;
  const found = LAYERS.flatMap((dir) => linesWith(draws, dir, ['native/core/random.cpp']));
  // Sources that are given to draw from implement these names themselves.
  expect(found.filter((f) => !f.startsWith('native/core/random.h'))).toEqual([]);
});

test('the C++ library knows no Node-API', () => {
  expect(LAYERS.flatMap((dir) => linesWith(/napi|node_api/i, dir))).toEqual([]);
});

test('only the memory mapping touches files', () => {
  const found = LAYERS.flatMap((dir) =>
    linesWith(/\b(ifstream|ofstream|fopen|::open)\b/, dir, ['native/core/mapped_file.cpp']),
  );
  expect(found).toEqual([]);
});

test('arrows point down: no layer includes one above it', () => {
  const wrong = LAYERS.flatMap((dir, level) =>
    sources(dir).flatMap(({ file, text }) =>
      [...text.matchAll(/#include "\.\.\/(\w+)\//g)]
        .filter(([, name]) => {
          const other = LAYERS.indexOf(`native/${name}`);
          // models and training may use each other: training steps live beside the optimizers
          return other < 0 || (other > level && !(level === 4 && other === 5));
        })
        .map(([line]) => `${file}: ${line}`),
    ),
  );
  expect(wrong).toEqual([]);
});
