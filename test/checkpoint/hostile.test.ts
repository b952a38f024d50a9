/** Files made to harm their reader: each is refused with one clear error, quickly, and nothing of it is executed. */
import fs from 'node:fs';
import path from 'node:path';
import { readCheckpoint } from '../../lib/checkpoint';
import { writeZip, type ZipModel, zipModel } from '../fuzz/mutate/zip';
import { useTempFolder } from '../helpers/temp-folder';
import { zipOf } from '../helpers/zip';
import { bytes, call, DATA, global, int, type Piece, statePickle, tensor, text, torchZip, tuple } from './torch-file';

const folder = useTempFolder();

async function refuse(content: Buffer, message: RegExp, name = 'file.ckpt'): Promise<void> {
  const file = path.join(folder(), name);
  fs.writeFileSync(file, content);
  const started = performance.now();
  const error = await readCheckpoint(file).then(
    () => undefined,
    (e) => e,
  );
  expect(error).toMatchObject({ name: 'LdmError', code: 'ERR_CHECKPOINT' });
  expect(error.message).toMatch(message);
  expect(error.message).toContain(file);
  expect(performance.now() - started).toBeLessThan(1000);
}
const raw = (...pieces: Piece[]) => torchZip(bytes(...pieces));

test('the hand-made file itself is good', async () => {
  const file = path.join(folder(), 'good.ckpt');
  fs.writeFileSync(file, torchZip(statePickle(tensor())));
  using checkpoint = await readCheckpoint(file);
  expect(Array.from((await checkpoint.stateDict.get('w')!.data()) as Float32Array)).toEqual([1, 2, 3, 4]);
});

describe('names that run code', () => {
  const marker = () => path.join(folder(), 'pwned');
  const touch = () => text(`touch ${marker()}`);
  afterEach(() => expect(fs.existsSync(marker())).toBe(false));

  test.each([
    ['os', 'system'],
    ['posix', 'system'],
    ['builtins', 'eval'],
    ['builtins', 'getattr'],
    ['__builtin__', 'exec'],
    ['subprocess', 'Popen'],
    ['importlib', 'import_module'],
    ['torch.hub', 'load'],
    ['operator', 'attrgetter'],
    ['runpy', '_run_code'],
  ])('%s.%s called', (module, name) =>
    refuse(torchZip(statePickle(tensor(), { x: call(module, name, touch()) })), /asks for .* refused/),
  );
  test('mentioned without a call', () => refuse(raw('\x80\x02', global('os', 'system'), '.'), /os\.system/));
  test('INST of protocol 0', () => refuse(raw(`(S'touch ${marker()}'\nios\nsystem\n.`), /os\.system/));
  test('STACK_GLOBAL', () => refuse(raw('\x80\x04\x8c\x05posix\x8c\x06system\x93.'), /posix\.system/));
  test('a legacy stream', () =>
    refuse(
      bytes(
        '\x80\x02',
        '\x8a\x0a',
        Buffer.from('6cfc9c46f9206aa85019', 'hex'),
        '.',
        '\x80\x02',
        call('os', 'system', touch()),
        '.',
      ),
      /os\.system/,
    ));
});

describe('tensors outside of their storage', () => {
  test.each<[string, Parameters<typeof tensor>[0], RegExp]>([
    ['offset', { offset: 3 }, /outside of its storage/],
    ['huge storage', { numel: 2 ** 40 }, /has 16 bytes/],
    ['storage a little short', { numel: 5, size: [5], stride: [1] }, /has 16 bytes but its tensors say 20/],
    ['negative offset', { offset: -1 }, /malformed/],
    ['negative size', { size: [-2, 2] }, /non-negative/],
    ['negative stride', { offset: 2, stride: [-2, 1] }, /non-negative/],
    ['ranks', { stride: [2] }, /differ in length/],
    ['product beyond 2^53', { size: [2 ** 40, 2 ** 40], stride: [0, 0] }, /too many elements/],
    ['a terabyte out of one element', { size: [2 ** 38], stride: [0] }, /over a storage of 4/],
    ['70 dimensions', { size: Array(70).fill(1), stride: Array(70).fill(1) }, /70 dimensions/],
    ['missing record', { key: '9' }, /no record/],
    ['a path as key', { key: '../../../../etc/passwd' }, /invalid storage key/],
    ['unknown class', { type: 'NoSuchStorage' }, /unknown storage class "torch.NoSuchStorage"/],
  ])('%s', (_name, view, message) => refuse(torchZip(statePickle(tensor(view))), message));
});

describe('pickles that break a careless machine', () => {
  test.each<[string, Piece[], RegExp]>([
    ['empty', [], /unexpectedly/],
    ['protocol', ['\x80\xff.'], /protocol 255/],
    ['unset memo', ['\x80\x02h\x07.'], /memo slot 7/],
    ['string of 2 GB', ['\x80\x02X\xff\xff\xff\x7fabc.'], /unexpectedly/],
    ['string of 2^63', ['\x80\x04\x8d', Buffer.from('0000000000000080', 'hex'), 'abc.'], /unexpectedly/],
    ['short integer', ['\x80\x02\x8a\xff', '\x01'.repeat(10), '.'], /unexpectedly/],
    ['integer of 2 GB', ['\x80\x02\x8b\xff\xff\xff\x7f.'], /integer/],
    ['a million digits', ['L', '9'.repeat(1_000_000), 'L\n.'], /integer/],
    ['stop on an empty stack', ['\x80\x02.'], /empty stack/],
    ['pop below a mark', ['\x80\x02K\x01(0.'], /empty stack|no |dictionary/],
    ['set an item of a tuple', ['\x80\x02', tuple(int(1)), int(1), int(2), 's.'], /no dictionary/],
    ['append to a tuple', ['\x80\x02)K\x01a.'], /no list/],
    ['extend a tuple', ['\x80\x02)(K\x01e.'], /no list/],
    ['odd items', ['\x80\x02}(K\x01u.'], /without a value/],
    ['call a number', ['\x80\x02K\x01)R.'], /no class/],
    ['call with a number', ['\x80\x02', global('collections', 'OrderedDict'), 'K\x01R.'], /no tuple/],
    ['no mark', ['\x80\x02t.'], /mark/],
    ['marks without end', ['\x80\x02', '('.repeat(200_000), '.'], /empty stack/],
    ['lists 100,000 deep', ['\x80\x02', ']'.repeat(100_000), 'a'.repeat(99_999), '.'], /dictionary of tensors/],
    ['extension code', ['\x80\x02\x82\x01.'], /extension/],
    ['unknown instruction', ['\x80\x02\xff.'], /0xff/],
    ['persistent id', ['\x80\x02K\x01Q.'], /persistent id/],
    ['no tensors', ['\x80\x02}', text('epoch'), 'K\x01s.'], /no tensors/],
    ['a whole model', ['\x80\x02', call('mymodule', 'Net'), '.'], /class mymodule.Net/],
  ])('%s', (_name, pieces, message) => refuse(raw(...pieces), message));

  test('a list that contains itself does no harm', async () => {
    const file = path.join(folder(), 'cyclic.ckpt');
    fs.writeFileSync(file, torchZip(statePickle(tensor(), { cyc: ']q\x01h\x01a' })));
    using checkpoint = await readCheckpoint(file);
    expect(checkpoint.tensors.size).toBe(1);
  });
});

describe('archives', () => {
  const good = () => torchZip(statePickle(tensor()));
  test('flipped byte', () => {
    const file = good();
    file[file.indexOf(DATA) + 2] ^= 1;
    return refuse(file, /checksum of the entry 'archive\/data\/0' is wrong/);
  });
  test.each([0.3, 0.6, 0.9, 0.99])('cut off at %s', (part) => {
    const file = good();
    return refuse(file.subarray(0, Math.floor(file.length * part)), /cut off/);
  });
  test('every cut gives an error, never a crash', async () => {
    const file = good();
    for (let n = 0; n < file.length; n += 7) await refuse(file.subarray(0, n), /./);
  });
  test('every flipped byte is refused or harmless', async () => {
    const whole = good();
    for (let i = 0; i < whole.length; i++) {
      const file = path.join(folder(), 'flipped.ckpt');
      const changed = Buffer.from(whole);
      changed[i] ^= 0xff;
      fs.writeFileSync(file, changed);
      const outcome = await readCheckpoint(file).then(
        (checkpoint) => {
          checkpoint.dispose();
          return 'read';
        },
        (error) => error.code,
      );
      expect(['read', 'ERR_CHECKPOINT']).toContain(outcome);
    }
  });
  test('the same record twice', () => refuse(torchZip(statePickle(tensor()), [['archive/data/0', DATA]]), /twice/));
  test('two checkpoints', () =>
    refuse(torchZip(statePickle(tensor()), [['other/data.pkl', 'x']]), /several checkpoints/));
  test('unknown byte order', () =>
    refuse(torchZip(statePickle(tensor()), [['archive/byteorder', 'pdp']]), /byte order/));
  test('a record that inflates to far more than its tensor has', () => {
    const bomb = zipOf({ 'a/data.pkl': statePickle(tensor()), 'a/data/0': { deflate: Buffer.alloc(64 << 20) } });
    return refuse(bomb, /has 67108864 bytes but its tensors say 16/);
  });
  test('names that lead out of the archive are only names', async () => {
    const file = path.join(folder(), 'slip.ckpt');
    fs.writeFileSync(
      file,
      torchZip(statePickle(tensor()), [
        ['../../evil.txt', 'x'],
        ['/abs/evil.txt', 'x'],
      ]),
    );
    using checkpoint = await readCheckpoint(file);
    expect(checkpoint.tensors.size).toBe(1);
    expect(fs.readdirSync(folder())).toEqual(['slip.ckpt']);
  });
});

describe('archives that lie', () => {
  const PICKLE = statePickle(tensor());
  const archive = (change: (model: ZipModel) => void): Buffer => {
    const model = zipModel([
      ['archive/data.pkl', PICKLE],
      ['archive/data/0', DATA],
      ['archive/version', Buffer.from('3\n')],
    ]);
    change(model);
    return writeZip(model);
  };
  const wide = (...values: bigint[]): Buffer => {
    const field = Buffer.alloc(4 + 8 * values.length);
    field.writeUInt16LE(1, 0);
    field.writeUInt16LE(8 * values.length, 2);
    values.forEach((value, i) => void field.writeBigUInt64LE(value, 4 + 8 * i));
    return field;
  };
  const WIDE = { size: 0xffffffff, compressed: 0xffffffff };

  test('the archive itself is good, also with 64-bit records', async () => {
    for (const change of [
      () => {},
      (m: ZipModel) => {
        m.end64 = {};
        m.end = { count: 0xffff, bytes: 0xffffffff, offset: 0xffffffff };
        m.items[1].central = { ...WIDE, extra: wide(16n, 16n) };
        m.items[1].local = { ...WIDE, extra: wide(16n, 16n) };
      },
    ]) {
      const file = path.join(folder(), 'good.ckpt');
      fs.writeFileSync(file, archive(change));
      using checkpoint = await readCheckpoint(file);
      expect(checkpoint.tensors.size).toBe(1);
    }
  });
  test.each<[string, (model: ZipModel) => void, RegExp]>([
    ['name in the own header', (m) => (m.items[1].local.name = 'archive/data/1'), /called otherwise/],
    ['size in the own header', (m) => (m.items[1].local.size = 8), /described otherwise/],
    ['compressed size in the own header', (m) => (m.items[1].local.compressed = 8), /described otherwise/],
    ['checksum in the own header', (m) => (m.items[1].local.crc = 8), /described otherwise/],
    ['method in the own header', (m) => (m.items[1].local.method = 8), /described otherwise/],
    ['64-bit size in the own header', (m) => (m.items[1].local = { ...WIDE, extra: wide(99n, 16n) }), /described/],
    ['both checksums', (m) => (m.items[1].local.crc = m.items[1].central.crc = 8), /checksum/],
    ['two entries in one place', (m) => (m.items[1].central.offset = 0), /overlap/],
    [
      'entries that overlap',
      (m) =>
        (m.items[0].central.size =
          m.items[0].central.compressed =
          m.items[0].local.size =
          m.items[0].local.compressed =
            PICKLE.length + 8),
      /overlap/,
    ],
    ['an entry listed twice', (m) => (m.listed = [0, 1, 1]), /twice/],
    [
      'an entry that is not listed',
      (m) => {
        m.listed = [0, 2];
        m.end.count = 2;
      },
      /no record 'archive\/data\/0'/,
    ],
    ['an offset beyond the file', (m) => (m.items[1].central.offset = 1 << 30), /outside of the file|no header/],
    [
      'a size beyond the file',
      (m) => (m.items[1].central = { size: 1 << 30, compressed: 1 << 30 }),
      /outside of the file/,
    ],
    ['encryption', (m) => (m.items[1].central.flags = 1), /encrypted/],
    ['method 12', (m) => (m.items[1].central.method = 12), /compression method 12/],
    ['64-bit sizes without their field', (m) => (m.items[1].central = WIDE), /directory is damaged/],
    [
      '64-bit sizes with one of two',
      (m) => (m.items[1].central = { ...WIDE, extra: wide(16n) }),
      /directory is damaged/,
    ],
    ['a 64-bit size of 2^63', (m) => (m.items[1].central = { ...WIDE, extra: wide(2n ** 63n, 2n ** 63n) }), /damaged/],
    ['more entries than there are', (m) => (m.end.count = 4), /directory is damaged/],
    ['fewer entries than there are', (m) => (m.end.count = 2), /directory is damaged/],
    ['a directory that begins elsewhere', (m) => (m.end.offset = 0), /not where its end says/],
    ['a directory of other length', (m) => (m.end.bytes = 50), /not where its end says/],
    ['end records that disagree', (m) => (m.end64 = { count: 2n }), /disagree/],
    ['a 64-bit record far away', (m) => (m.end64 = { at: 2n ** 60n }), /damaged/],
    ['a 64-bit record elsewhere', (m) => (m.end64 = { at: 0n }), /damaged/],
    [
      'a billion entries',
      (m) => {
        m.end64 = { count: 2n ** 30n };
        m.end.count = 0xffff;
      },
      /damaged|entries/,
    ],
  ])('%s', (_name, change, message) => refuse(archive(change), message));
  test('a name in another encoding than UTF-8 is a name', async () => {
    const file = path.join(folder(), 'latin.ckpt');
    const model = zipModel([
      ['\xfc/data.pkl', PICKLE],
      ['\xfc/data/0', DATA],
    ]);
    fs.writeFileSync(file, writeZip(model));
    using checkpoint = await readCheckpoint(file);
    expect(checkpoint.tensors.size).toBe(1);
  });
});

describe('legacy streams that lie', () => {
  const MAGIC = bytes('\x80\x02\x8a\x0a', Buffer.from('6cfc9c46f9206aa85019', 'hex'), '.');
  const count = (n: bigint) => {
    const field = Buffer.alloc(8);
    field.writeBigInt64LE(n);
    return field;
  };
  const PROTOCOL = '\x80\x02M\xe9\x03.';
  const SYSTEM = '\x80\x02}.';
  const OBJECT = statePickle(tensor());
  const keys = (...names: string[]) => bytes('\x80\x02](', ...names.map(text), 'e.');
  const stream = (...rest: Piece[]) => bytes(MAGIC, PROTOCOL, SYSTEM, ...rest);
  test('the stream itself is good', async () => {
    const file = path.join(folder(), 'good.ckpt');
    fs.writeFileSync(file, stream(OBJECT, keys('0'), count(4n), DATA));
    using checkpoint = await readCheckpoint(file);
    expect(Array.from((await checkpoint.stateDict.get('w')!.data()) as Float32Array)).toEqual([1, 2, 3, 4]);
  });
  test.each<[string, Buffer, RegExp]>([
    ['another magic number', bytes('\x80\x02K\x01.', PROTOCOL), /no checkpoint of torch.save/],
    ['another version', bytes(MAGIC, '\x80\x02K\x01.'), /version 1; 1001/],
    ['more elements than announced', stream(OBJECT, keys('0'), count(5n), DATA, DATA), /has 5 elements instead of 4/],
    ['fewer elements than announced', stream(OBJECT, keys('0'), count(3n), DATA), /has 3 elements instead of 4/],
    ['a negative count', stream(OBJECT, keys('0'), count(-4n), DATA), /has -4 elements/],
    [
      '2^62 elements',
      stream(statePickle(tensor({ numel: 2 ** 52 })), keys('0'), count(2n ** 52n), DATA),
      /cut off|elements/,
    ],
    ['data that ends early', stream(OBJECT, keys('0'), count(4n), DATA.subarray(0, 12)), /cut off/],
    ['no data', stream(OBJECT, keys('0')), /cut off/],
    ['no list of storages', stream(OBJECT, '\x80\x02N.', count(4n), DATA), /no list of storages/],
    ['a storage that is not listed', stream(OBJECT, keys(), count(4n), DATA), /storage '0' is missing/],
    [
      'a storage that is not used',
      stream(OBJECT, keys('0', '1'), count(4n), DATA, count(4n), DATA),
      /lists the storage "1"/,
    ],
    [
      'a storage listed twice',
      stream(OBJECT, keys('0', '0'), count(4n), DATA, count(4n), DATA),
      /lists the storage "0"/,
    ],
    ['a storage of two sizes', stream(statePickle(tensor(), { a: tensor({ numel: 8 }) }), keys('0')), /in two ways/],
    [
      'a storage of two types',
      stream(statePickle(tensor(), { a: tensor({ type: 'IntStorage' }) }), keys('0')),
      /in two ways/,
    ],
    [
      'a big-endian count',
      stream(OBJECT, keys('0'), Buffer.from('0000000000000004', 'hex'), DATA),
      /elements instead of 4/,
    ],
  ])('%s', (_name, content, message) => refuse(content, message));
});

describe('files of torch that are no checkpoints for us', () => {
  test('TorchScript', () =>
    refuse(torchZip(statePickle(tensor()), [['archive/constants.pkl', '\x80\x02).']]), /TorchScript program/));
  test('a dtype that libtorch has and we do not', () => {
    const storage = bytes(
      tuple(text('storage'), global('torch', 'UntypedStorage'), text('0'), text('cpu'), int(16)),
      'Q',
    );
    const hooks = bytes(global('collections', 'OrderedDict'), ')R');
    const args = [storage, int(0), tuple(int(2)), tuple(int(1)), '\x89', hooks, global('torch', 'float8_e4m3fn')];
    const value = call('torch._utils', '_rebuild_tensor_v3', ...args);
    return refuse(torchZip(statePickle(value)), /dtype "torch\.float8_e4m3fn", which is not supported/);
  });
});

describe('other files', () => {
  test.each<[string, Buffer, RegExp]>([
    ['empty', Buffer.alloc(0), /is empty/],
    ['web page', bytes('<!DOCTYPE html><html>404</html>'), /web page/],
    ['git lfs', bytes('version https://git-lfs.github.com/spec/v1\noid sha256:00\n'), /Git LFS pointer/],
    ['text', bytes('hello, this is no checkpoint'), /neither/],
    ['a pickle of something', bytes('\x80\x02]q\x00.'), /no checkpoint of torch.save/],
  ])('%s', (_name, content, message) => refuse(content, message));
  test('a missing file and a folder', async () => {
    await expect(readCheckpoint(path.join(folder(), 'no.ckpt'))).rejects.toMatchObject({ code: 'ERR_FILE' });
    await expect(readCheckpoint(folder())).rejects.toMatchObject({ code: 'ERR_FILE' });
  });
});

describe('safetensors', () => {
  const file = (header: string, data = 16) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    return bytes(length, header, Buffer.alloc(data));
  };
  const f32 = (begin: number, end: number, shape = '[4]') =>
    `{"dtype":"F32","shape":${shape},"data_offsets":[${begin},${end}]}`;
  test.each<[string, Buffer, RegExp]>([
    ['header beyond the file', bytes(Buffer.from('0000000000010000', 'hex'), '{"w":1}'), /header/],
    ['overlap', file(`{"a":${f32(0, 16)},"b":${f32(8, 24)}}`, 24), /begins at 8/],
    ['hole', file(`{"a":${f32(0, 16)},"b":${f32(24, 40)}}`, 40), /begins at 24/],
    ['truncated', file(`{"a":${f32(0, 16)}}`, 10), /describes 16 bytes/],
    ['trailing bytes', file(`{"a":${f32(0, 16)}}`, 20), /describes 16 bytes/],
    ['size', file(`{"a":${f32(0, 16, '[5]')}}`), /cannot have 16 bytes/],
    ['negative', file(`{"a":${f32(0, 16, '[-4]')}}`), /invalid shape/],
    ['overflow', file(`{"a":${f32(0, 16, '[4294967296,4294967296]')}}`), /cannot have/],
    ['backwards', file(`{"a":${f32(16, 0)}}`), /data_offsets/],
    ['dtype', file('{"a":{"dtype":"Q9","shape":[4],"data_offsets":[0,16]}}'), /Q9/],
    ['the same name twice', file(`{"a":${f32(0, 16)},"\\u0061":${f32(16, 32)}}`, 32), /twice/],
    ['nested 50,000 deep', file('['.repeat(50_000) + ']'.repeat(50_000)), /nested more than 3 deep/],
    ['no JSON', file('{"a": nonsense}'), /not JSON/],
    ['no tensors', file('{"__metadata__":{"a":"b"}}', 0), /no tensors/],
    ['metadata that is no text', file(`{"__metadata__":{"a":[1]},"a":${f32(0, 16)}}`), /something else than text/],
    ['metadata that is a list', file(`{"__metadata__":["a"],"a":${f32(0, 16)}}`), /not an object/],
    ['bad UTF-8', bytes(file('{"\xff":1}')), /not JSON/],
    ['half of a surrogate pair', file(`{"\\ud800":${f32(0, 16)}}`), /no Unicode text/],
    ['a byte order mark', bytes(Buffer.from('0600000000000000', 'hex'), '\xef\xbb\xbf{}'), /neither/],
    ['an entry that is a list', file('{"a":["F32",[4],[0,16]]}'), /nested|not an object/],
    ['three offsets', file('{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16,16]}}'), /data_offsets/],
    ['a fraction', file('{"a":{"dtype":"F32","shape":[4.5],"data_offsets":[0,18]}}'), /invalid shape/],
    ['offsets beyond 2^53', file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[1e300,1e300]}}'), /data_offsets/],
    ['100 dimensions', file(`{"a":${f32(0, 16, `[4${',1'.repeat(99)}]`)}}`), /invalid shape/],
    [
      'the size of another dtype',
      file('{"a":{"dtype":"F64","shape":[4],"data_offsets":[0,16]}}'),
      /cannot have 16 bytes/,
    ],
    ['an empty tensor within another', file(`{"a":${f32(0, 16)},"b":${f32(8, 8, '[0]')}}`), /begins at 8/],
    ['a header of nothing', file(''), /neither|JSON/],
  ])('%s', (_name, content, message) => refuse(content, message, 'file.safetensors'));
});
