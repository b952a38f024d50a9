import { CommanderError } from 'commander';
import { reportError, UsageError } from '../../lib/cli/errors';
import { formatBytes, formatCount } from '../../lib/cli/format';
import { Output } from '../../lib/cli/output';
import { formatDuration, Progress } from '../../lib/cli/progress';
import { Rate } from '../../lib/cli/rate';
import { mayColor } from '../../lib/cli/style';
import { LdmError } from '../../lib/errors';

/** A stream that keeps what is written. */
class Sink {
  text = '';
  constructor(
    readonly isTTY = false,
    readonly columns?: number,
  ) {}
  write(chunk: string): boolean {
    this.text += chunk;
    return true;
  }
}
const make = (options: { json?: boolean; quiet?: boolean; terminal?: boolean; columns?: number } = {}) => {
  const stdout = new Sink();
  const stderr = new Sink(options.terminal, options.columns);
  const output = new Output({ ...options, stdout: stdout as never, stderr: stderr as never });
  return { output, stdout, stderr };
};

describe('Output', () => {
  test('data goes to stdout, remarks to stderr', () => {
    const { output, stdout, stderr } = make();
    output.result({ a: 1 }, () => 'one');
    output.note('remark');
    expect([stdout.text, stderr.text]).toEqual(['one\n', 'remark\n']);
  });

  test('--json in place of text, also for values that JSON lacks', () => {
    const { output, stdout } = make({ json: true });
    output.line({ a: 10n, b: 2n ** 60n, c: Number.POSITIVE_INFINITY, d: Number.NaN }, () => 'text');
    expect(stdout.text).toBe('{"a":10,"b":1152921504606846976,"c":"Infinity","d":"NaN"}\n');
  });

  test('--quiet keeps warnings and errors', () => {
    const { output, stderr } = make({ quiet: true });
    output.note('remark');
    output.warn('careful');
    output.error('wrong', 'ERR_X');
    expect(stderr.text).toBe('warning: careful\nerror: wrong [ERR_X]\n');
  });

  test('colours: on terminals, and as NO_COLOR and FORCE_COLOR say', () => {
    expect(mayColor({ isTTY: true }, {})).toBe(true);
    expect(mayColor({ isTTY: true }, { NO_COLOR: '1', FORCE_COLOR: '1' })).toBe(false);
    expect(mayColor({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
    expect(mayColor({}, {})).toBe(false);
    expect(mayColor({}, { FORCE_COLOR: '1' })).toBe(true);
  });
});

describe('exit codes', () => {
  const report = (error: unknown) => {
    const { output, stderr } = make();
    return { code: reportError(error, output), text: stderr.text };
  };
  test('errors of this library: one message, no stack, 1', () => {
    expect(report(new LdmError('ERR_FILE', 'gone'))).toEqual({ code: 1, text: 'error: gone [ERR_FILE]\n' });
  });
  test('wrong usage: 2', () => {
    expect(report(new UsageError('not both')).code).toBe(2);
    expect(report(new CommanderError(1, 'x', 'y')).code).toBe(2);
    expect(report(new CommanderError(0, 'commander.help', '')).code).toBe(0);
  });
  test('interrupted: 130', () => {
    expect(report(new LdmError('ERR_ABORTED', 'x'))).toEqual({ code: 130, text: 'error: Interrupted\n' });
  });
  test('interrupted: 130, also by the signal itself', () => {
    const error = (() => {
      try {
        AbortSignal.abort().throwIfAborted();
      } catch (reason) {
        return reason;
      }
    })();
    expect(report(error).code).toBe(130);
  });
  test('a mistake of the program itself shows its stack', () => {
    expect(report(new TypeError('oops')).text).toMatch(/^error: oops\nTypeError: oops\n {4}at /);
  });
});

describe('Progress', () => {
  const run = (options: { terminal?: boolean; quiet?: boolean; columns?: number }) => {
    let time = 0;
    const { output, stderr } = make(options);
    const progress = new Progress(output, {
      label: 'training',
      total: 10,
      unit: 'images',
      perStep: 4,
      now: () => time,
    });
    return {
      progress,
      stderr,
      at: (ms: number) => {
        time = ms;
      },
    };
  };

  test('elsewhere: plain lines, now and then', () => {
    const { progress, stderr, at } = run({});
    for (let step = 1; step <= 10; step++) {
      at(step * 1000);
      progress.update(step, { loss: 0.123456 });
    }
    progress.end();
    progress.end();
    expect(stderr.text.split('\n')).toEqual([
      'training: 1/10  loss 0.1235  4.00 images/s  ETA 9s',
      'training: 6/10  loss 0.1235  4.00 images/s  ETA 4s',
      'training: 10/10  loss 0.1235  4.00 images/s  10s',
      '',
    ]);
  });

  test('on a terminal: one line that is drawn over', () => {
    const { progress, stderr, at } = run({ terminal: true });
    at(1000);
    progress.update(5);
    at(1050);
    progress.update(6);
    at(2000);
    progress.end();
    expect(stderr.text).toBe(
      '\r\x1b[Ktraining: [############............] 5/10  20.0 images/s  ETA 1s' +
        '\r\x1b[Ktraining: [##############..........] 6/10  22.9 images/s  ETA 1s\n',
    );
  });

  test('never wider than the terminal, and silent with --quiet', () => {
    const narrow = run({ terminal: true, columns: 20 });
    narrow.progress.update(5);
    expect(narrow.stderr.text.replace('\r\x1b[K', '').length).toBeLessThan(20);
    const quiet = run({ terminal: true, quiet: true });
    quiet.progress.update(5);
    quiet.progress.end();
    expect(quiet.stderr.text).toBe('');
  });

  test('the rate is that of the last seconds', () => {
    const rate = new Rate(10_000);
    expect(rate.perSecond()).toBeUndefined();
    for (let second = 0; second <= 100; second++) rate.add(second < 50 ? 0 : (second - 50) * 3, second * 1000);
    expect(rate.perSecond()).toBeCloseTo(3);
  });
});

test('durations, sizes and counts', () => {
  expect([0, 59.4, 185, 7620].map(formatDuration)).toEqual(['0s', '59s', '3m 05s', '2h 07m']);
  expect([999, 5381, 999_999, 334_600_000].map(formatBytes)).toEqual(['999 B', '5.4 kB', '1.0 MB', '335 MB']);
  expect([12, 83_653_863, 1.538e9].map(formatCount)).toEqual(['12', '83,653,863 (83.7 M)', '1,538,000,000 (1.54 G)']);
});
