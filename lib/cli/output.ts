/** Where a command writes: stdout is data, stderr is for people. */
import { exactJson } from './exact-json';
import { type Painter, painter } from './style';

export interface OutputOptions {
  /** stdout gets JSON in place of text. */
  json?: boolean;
  /** No notes on stderr; warnings and errors stay. */
  quiet?: boolean;
  stdout?: NodeJS.WritableStream & { isTTY?: boolean };
  stderr?: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
}

export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  /** Colours for stdout and for stderr. */
  readonly paint: Painter;
  readonly paintNote: Painter;

  constructor(options: OutputOptions = {}) {
    this.json = options.json ?? false;
    this.quiet = options.quiet ?? false;
    this.stdout = options.stdout ?? process.stdout;
    this.stderr = options.stderr ?? process.stderr;
    this.paint = painter(this.stdout);
    this.paintNote = painter(this.stderr);
  }

  /** The result of a command: JSON with --json, otherwise what `text` gives. */
  result(value: unknown, text: () => string): void {
    this.write(this.json ? exactJson(value, 2) : text());
  }

  /** One line of data among several: compact JSON with --json (JSON lines), otherwise what `text` gives. */
  line(value: unknown, text: () => string): void {
    this.write(this.json ? exactJson(value) : text());
  }

  /** A remark for people. */
  note(text: string): void {
    if (!this.quiet) this.stderr.write(`${text}\n`);
  }

  /** Something that people should know even with --quiet. */
  warn(text: string): void {
    this.stderr.write(`${this.paintNote('yellow', 'warning:')} ${text}\n`);
  }

  /** The reason why the command fails. */
  error(text: string, code?: string): void {
    const suffix = code ? this.paintNote('dim', ` [${code}]`) : '';
    this.stderr.write(`${this.paintNote('red', 'error:')} ${text}${suffix}\n`);
  }

  private write(text: string): void {
    this.stdout.write(`${text}\n`);
  }
}
