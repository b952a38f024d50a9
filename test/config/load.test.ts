// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations are what is tested
import { Config, loadConfig, mergeConfigs, parseDotlist, toYaml } from '../../lib/config';
import { temporaryFiles } from './files';

const write = temporaryFiles();
const load = (text: string, ...overrides: string[]) => loadConfig(write('config.yaml', text), overrides);

describe('YAML', () => {
  test('mappings, lists and every kind of text', () => {
    const config = load('a: {b: [1, "1", \'x\'], c: }\nd:\n- - 2\n- e: ~\nf: >-\n  one\n  two\ng: |\n  three\n');
    expect(config.values).toEqual({
      a: { b: [1, '1', 'x'], c: null },
      d: [[2], { e: null }],
      f: 'one two',
      g: 'three\n',
    });
  });

  test('anchors, aliases and merge keys', () => {
    const config = load('base: &b {x: 1, y: 2}\nother:\n  <<: *b\n  y: 3\nagain: *b\n');
    expect(config.values).toEqual({ base: { x: 1, y: 2 }, other: { y: 3, x: 1 }, again: { x: 1, y: 2 } });
  });

  test('explicit tags', () => {
    expect(load('a: !!float 1\nb: !!str 1\n').values).toEqual({ a: 1, b: '1' });
    expect(load('a: !!float 1\n').toYaml()).toBe('a: 1.0\n');
  });

  test('an empty file is an empty config; keys become text', () => {
    expect(load('').values).toEqual({});
    expect(load('1: a\ntrue: b\n').values).toEqual({ '1': 'a', true: 'b' });
  });

  test('a key named __proto__ stays a key', () => {
    const { values } = load('__proto__: {polluted: 1}\n');
    expect(Object.keys(values)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test.each([
    ['a: [1, 2\n', /config\.yaml:\d+:\d+: this is not valid YAML/],
    ['a: 1\na: 2\n', /config\.yaml:2:1: this is not valid YAML: Map keys must be unique/],
    ['a: !thing 1\n', /config\.yaml:1:4: .*Unresolved tag/],
    ['a: *nothing\n', /config\.yaml:1:4: .*nothing/],
    ['- 1\n', /config\.yaml:1:1: a config has to be a mapping/],
    ['? [a, b]\n: 1\n', /config\.yaml:1:3: a key has to be a single word/],
    ['a: &a {b: *a}\n', /config\.yaml:1:\d+: the alias "\*a" contains itself/],
  ])('%j is refused with file and line', (text, message) => {
    expect(() => load(text)).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG', message: expect.stringMatching(message) }),
    );
  });

  test('aliases of aliases end in an error, not in a full memory', () => {
    const levels = Array.from(
      { length: 12 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(10).fill(`*l${i}`).join(', ')}]`,
    );
    expect(() => load(`l0: &l0 [x]\n${levels.join('\n')}\n`)).toThrow(/aliases make more than 100000 values/);
  });

  test.each(['['.repeat(50_000), '- '.repeat(50_000), '{a: '.repeat(50_000)])('endless nesting', (text) => {
    expect(() => load(`a:\n  ${text}\n`)).toThrow(/nested more than 200 levels deep/);
  });

  test('an alias means the anchor before it', () => {
    expect(load('a: &x 1\nb: *x\nc: &x 2\nd: *x\n').values).toEqual({ a: 1, b: 1, c: 2, d: 2 });
  });

  test('a missing file and a folder are told apart', () => {
    expect(() => loadConfig('/nowhere/config.yaml')).toThrow(/\/nowhere\/config\.yaml: there is no such file/);
    expect(() => loadConfig('/tmp')).toThrow(
      expect.objectContaining({ code: 'ERR_FILE', message: expect.stringMatching(/folder/) }),
    );
  });
});

describe('merging', () => {
  test('files from left to right, then overrides; lists are replaced', () => {
    const first = write('first.yaml', 'a: {x: 1, l: [1, 2, 3]}\nb: 1\n');
    const second = write('second.yaml', 'a: {y: 2, l: [9]}\nb: null\n');
    expect(loadConfig([first, second], ['a.x=5', 'c.d=[1]']).values).toEqual({
      a: { x: 5, l: [9], y: 2 },
      b: null,
      c: { d: [1] },
    });
  });

  test('what is merged stays as it was', () => {
    const base = Config.from({ a: { x: 1 } });
    expect(mergeConfigs(base, Config.from({ a: { y: 2 } })).values).toEqual({ a: { x: 1, y: 2 } });
    expect(base.values).toEqual({ a: { x: 1 } });
  });

  test('a mapping replaces a value and a value a mapping, but not a list', () => {
    expect(load('a: 1\n', 'a.b=2').values).toEqual({ a: { b: 2 } });
    expect(load('a: {b: 2}\n', 'a=1').values).toEqual({ a: 1 });
    expect(() => load('a: [1]\n', 'a.b=2')).toThrow(/override "a\.b=2": "a" is a list/);
  });
});

describe('overrides', () => {
  test('types, quotes and empty values', () => {
    const list = ['a=1e-4', "b='1'", 'c=', 'd', 'e=x=y', 'f={k: [1, on]}', 'g[h].i=hello world', 'j="a: b"'];
    expect(parseDotlist(list).values).toEqual({
      a: 1e-4,
      b: '1',
      c: null,
      d: null,
      e: 'x=y',
      f: { k: [1, true] },
      g: { h: { i: 'hello world' } },
      j: 'a: b',
    });
  });

  test('the last one wins, mappings are merged', () => {
    expect(parseDotlist(['a=1', 'a=2', 'b={x: 1}', 'b={y: 2}']).values).toEqual({ a: 2, b: { x: 1, y: 2 } });
  });

  test('a list cannot replace a mapping', () => {
    expect(() => parseDotlist(['a={b: 1}', 'a=[1]'])).toThrow(/override "a=\[1\]": "a" is a mapping/);
  });

  test.each(['=1', 'a..b=1', '.=1', 'a=[1'])('%j is refused by name', (override) => {
    expect(() => parseDotlist([override])).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG', message: expect.stringContaining(`override "${override}"`) }),
    );
  });
});

describe('interpolation', () => {
  test('absolute, relative, nested, within text, of whole mappings', () => {
    const config = load(
      'n: 3\nname: n\nm:\n  a: ${n}\n  b: ${.a}\n  c: {d: "${..a}-${n}"}\n  e: ${${name}}\nl: [5, "${l[0]}"]\ncopy: ${m.c}\n',
    );
    expect(config.values).toEqual({
      n: 3,
      name: 'n',
      m: { a: 3, b: 3, c: { d: '3-3' }, e: 3 },
      l: [5, 5],
      copy: { d: '3-3' },
    });
  });

  test('is resolved after merging and kept in toYaml', () => {
    const config = load('a: 1\nb: ${a}\n', 'a=2');
    expect(config.values).toEqual({ a: 2, b: 2 });
    expect(config.toYaml()).toBe('a: 2\nb: ${a}\n');
    expect(config.toYaml({ resolve: true })).toBe('a: 2\nb: 2\n');
  });

  test('environment variables and escapes', () => {
    process.env.LDM_TEST_VALUE = '7';
    try {
      const config = load(
        'a: ${oc.env:LDM_TEST_VALUE}\nb: ${env:LDM_TEST_VALUE}\nc: ${oc.env:LDM_NONE,x}\nd: \\${a}\n',
      );
      expect(config.values).toEqual({ a: '7', b: 7, c: 'x', d: '${a}' });
    } finally {
      delete process.env.LDM_TEST_VALUE;
    }
  });

  test.each([
    ['a: ${b}\n', /config\.yaml:1:1: \$\{b\}: there is no key "b"/],
    ['a: ${b}\nb: ${a}\n', /refers to itself/],
    ['a: {b: "${a}"}\n', /refers to itself/],
    ['a: ${..b}\n', /above the root/],
    ['a: "${b"\n', /without its closing brace/],
    ['a: x${b}\nb: [1]\n', /only a single value/],
    ['a: ${oc.env:LDM_NOT_SET}\n', /LDM_NOT_SET is not set/],
    ['a: ${now:x}\n', /resolver "now"/],
  ])('%j is refused', (text, message) => {
    expect(() => load(text)).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG', message: expect.stringMatching(message) }),
    );
  });
});

describe('Config', () => {
  test('get and position', () => {
    const config = load('a:\n  b: [1, {c: 2}]\n', 'a.d=3');
    expect(config.get('a.b[1].c')).toBe(2);
    expect(config.get(['a', 'b', 0])).toBe(1);
    expect(config.get('a.x.y')).toBeUndefined();
    expect(config.get('constructor')).toBeUndefined();
    expect(config.position('a.b[1].c')).toMatchObject({ line: 2, column: 11 });
    expect(config.position('a.d')).toEqual({ source: 'a.d=3' });
    expect(config.position('a.x')).toBeUndefined();
  });

  test('pick keeps only the named sections', () => {
    expect(load('model: 1\ndata: 2\nlightning: 3\n').pick('model', 'data').toYaml()).toBe('model: 1\ndata: 2\n');
  });
});

describe('toYaml', () => {
  test('OmegaConf’s style', () => {
    const config = load(
      'a: 1.0\nb: 1e-6\nc: [x, [1, {d: 2, e: []}], {}]\nf: "yes"\ng: "1e5"\nh: ""\ni: "a: b"\nj: "it\'s"\nk: .inf\nl: 1e20\ny: null\n',
    );
    expect(config.toYaml()).toBe(
      [
        'a: 1.0',
        'b: 1.0e-06',
        'c:',
        '- x',
        '- - 1',
        '  - d: 2',
        '    e: []',
        '- {}',
        "f: 'yes'",
        "g: '1e5'",
        "h: ''",
        "i: 'a: b'",
        "j: it's",
        'k: .inf',
        'l: 1.0e+20',
        "'y': null",
        '',
      ].join('\n'),
    );
  });

  test('what it writes is read back as it was', () => {
    const texts = [
      '- x',
      '# no',
      'a #b',
      ' lead',
      'trail ',
      'new\nline',
      'tab\t',
      '010',
      'null',
      '~',
      '@x',
      '*x',
      '&x',
      '!x',
      '%x',
      '{',
      '[1',
      '2021-01-01',
      '1:30',
      '=',
      '<<',
      '...',
      '---',
      'nan',
      'Infinity',
      'é',
      '"q"',
      "'q'",
      ':',
      '?',
      '-',
      'a:',
      '\u2028',
      '???',
    ];
    const values = {
      texts,
      numbers: [0, -1, 0.5, 1e-7, 1e21, 123456.789],
      keys: Object.fromEntries(texts.map((t, i) => [t, i])),
    };
    expect(loadConfig(write('again.yaml', toYaml(values))).values).toEqual(values);
  });
});
