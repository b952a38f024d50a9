/** A side of the bench as the bench sees it: a child process that runs a workload when it is told to. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import { createInterface } from 'node:readline';
import { LdmError } from '../errors';
import type { ReadyLine, RunAnswer, RunLine } from './protocol';

/** How much of what a side wrote to stderr an error repeats. */
const TAIL = 2000;

export class SideProcess {
  readonly name: string;
  /** Version of libtorch or PyTorch. */
  readonly version: string = '';
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #stderr = '';
  #signal: AbortSignal | undefined;

  private constructor(name: string, child: ChildProcess, signal: AbortSignal | undefined) {
    this.name = name;
    this.#child = child;
    this.#signal = signal;
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    child.stderr!.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString()).slice(-TAIL);
    });
    // A side that ended is told of at the next answer that does not come.
    child.stdin!.on('error', () => {});
    child.on('error', (error) => {
      this.#stderr += error.message;
    });
  }

  /** Starts a side and waits until it is ready. @throws LdmError ERR_SETUP when it ends early; ERR_ABORTED */
  static async start(
    name: string,
    command: readonly [string, ...string[]],
    env: NodeJS.ProcessEnv,
    signal?: AbortSignal,
  ): Promise<SideProcess> {
    const [program, ...args] = command;
    const child = spawn(program, args, { env, signal, stdio: ['pipe', 'pipe', 'pipe'] });
    const side = new SideProcess(name, child, signal);
    const { ready } = await side.#answer<ReadyLine>();
    (side as { version: string }).version = ready.version;
    side.#forgetPeak();
    return side;
  }

  /** Runs the workload once. */
  async run(line: RunLine): Promise<RunAnswer> {
    this.#child.stdin!.write(`${JSON.stringify(line)}\n`);
    return this.#answer<RunAnswer>();
  }

  /** The most memory (bytes) that was resident since the side was ready: reading weights does not count. */
  peakRss(): number {
    const status = fs.readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/VmHWM:\s*(\d+)/.exec(status)![1]) * 1024;
  }

  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null || this.#child.pid === undefined) return;
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin!.end();
    await ended;
  }

  #forgetPeak(): void {
    fs.writeFileSync(`/proc/${this.#child.pid}/clear_refs`, '5');
  }

  async #answer<T>(): Promise<T> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (this.#signal?.aborted) throw new LdmError('ERR_ABORTED', 'The operation was aborted');
      if (done) throw new LdmError('ERR_SETUP', `${this.name} ended early:\n${this.#stderr.trim()}`);
      // torch.compile and others may write lines of their own.
      if (value.startsWith('{')) return JSON.parse(value) as T;
    }
  }
}
