/** Weights of TorchScript archives, taken only when asked for. */
import fs from 'node:fs';
import path from 'node:path';
import { readCheckpoint } from '../../lib/checkpoint';
import { useTempFolder } from '../helpers/temp-folder';
import { bytes, global, type Piece, tensor, text, torchZip } from './torch-file';

const folder = useTempFolder();
/** A module of one convolution, which is there under two names, a buffer, a float16 parameter, numbers and lists. */
const SAMPLE = path.join(__dirname, 'samples/torch_script.pt');

/** An object with attributes, as TorchScript pickles it. */
const object = (attributes: Record<string, Piece>, className = 'M'): Buffer =>
  bytes(
    global('__torch__', className),
    ')\x81}(',
    ...Object.entries(attributes).flatMap(([name, value]) => [text(name), value]),
    'ub',
  );
const archive = (root: Piece): string => {
  const file = path.join(folder(), 'script.pt');
  fs.writeFileSync(file, torchZip(bytes('\x80\x02', root, '.'), [['archive/constants.pkl', '\x80\x02).']]));
  return file;
};

test("an archive of torch.jit: the tensors' names and values", async () => {
  using checkpoint = await readCheckpoint(SAMPLE, { torchScript: true });
  const values: Record<string, unknown> = {};
  for (const [name, t] of checkpoint.stateDict)
    values[name] = [t.dtype, [...t.shape], Array.from((await t.to({ dtype: 'float32' }).data()) as Float32Array)];
  expect(values).toEqual({
    scale: ['float16', [2], [1.5, -2]],
    'inner.size': ['int64', [], [7]],
    'inner.conv.weight': ['float32', [2, 1, 1, 1], [0.25, 4]],
    'tied.weight': ['float32', [2, 1, 1, 1], [0.25, 4]],
  });
});

test('without being asked for it is refused', async () => {
  await expect(readCheckpoint(SAMPLE)).rejects.toThrow(/is a TorchScript program/);
});

test.each<[string, () => Piece, RegExp]>([
  [
    'names that run code',
    () => object({ w: tensor(), x: bytes(global('os', 'system'), text('id'), '\x85R') }),
    /os\.system/,
  ],
  [
    'functions of torch.jit',
    () => object({ w: tensor(), x: bytes(global('torch.jit', 'load'), text('id'), '\x85R') }),
    /torch\.jit\.load/,
  ],
  ['no module', () => tensor(), /without a module/],
  ['no tensor', () => object({ x: 'N' }), /tensor/],
  [
    'a module within itself',
    () => bytes(global('__torch__', 'M'), ')\x81q\x00}(', text('w'), tensor(), text('m'), 'h\x00ub'),
    /nests more than 100/,
  ],
  [
    // Each level mentions the next one eight times.
    'a module that is there more often than any',
    () => {
      let root: Buffer = object({ w: tensor() });
      for (let i = 0; i < 9; i++)
        root = bytes(
          root,
          `q${String.fromCharCode(i)}0`,
          object(Object.fromEntries([...'abcdefgh'].map((n) => [n, `h${String.fromCharCode(i)}`]))),
        );
      return root;
    },
    /more than 200000 attributes/,
  ],
  ['a name without end', () => object({ ['x'.repeat(2000)]: tensor() }), /a name of 2000 characters/],
])('refused: %s', async (_name, root, message) => {
  const started = performance.now();
  await expect(readCheckpoint(archive(root()), { torchScript: true })).rejects.toMatchObject({
    code: 'ERR_CHECKPOINT',
    message: expect.stringMatching(message),
  });
  expect(performance.now() - started).toBeLessThan(1000);
});
