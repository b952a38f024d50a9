/**
 * Worker threads for preprocessing images. Nothing of it runs on the event loop: sharp decodes on its own threads, what
 * follows (resizing, cutting, degrading) runs in these.
 */
import { Worker } from 'node:worker_threads';
// sharp has to be loaded before the first worker loads it: its threads' storage belongs to the process.
import 'sharp';
import { compiledWorker } from '../../compiled-worker';
import { LdmError, type LdmErrorCode } from '../../errors';
import { type Preprocess, type Preprocessed, preprocessHere } from '../preprocess/preprocessor';
import type { Answer, Request } from './messages';

const ENTRY = compiledWorker('data/workers/worker');
/** Images that one worker has under way: enough to decode one while it resizes another, few enough to bound memory. */
const AT_ONCE = 4;

interface Task {
  request: Request;
  resolve(result: Preprocessed): void;
  reject(error: Error): void;
}

interface Member {
  worker: Worker;
  running: Map<number, Task>;
}

/** A fixed number of threads, started with the first task. While nothing runs they do not keep the process alive. */
export class WorkerPool {
  readonly size: number;
  readonly #members: Member[] = [];
  readonly #waiting: Task[] = [];
  #next = 0;
  #closed = false;

  /** @param size threads; 0: everything runs in the caller's thread, as in PyTorch's DataLoader */
  constructor(size: number) {
    this.size = ENTRY === undefined ? 0 : size;
  }

  /** Runs one step. Results come in any order. */
  readonly preprocess: Preprocess = (step, args, random) => {
    if (this.size === 0) return preprocessHere(step, args, random);
    if (this.#closed) return Promise.reject(new LdmError('ERR_CLOSED', 'The data loader was closed.'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request: { id: this.#next++, name: step.name, args, key: random.key }, resolve, reject });
      this.#distribute();
    });
  };

  /** Ends the threads; what is under way is rejected. */
  async close(): Promise<void> {
    this.#closed = true;
    const members = this.#members.splice(0);
    const lost = [...members.flatMap(({ running }) => [...running.values()]), ...this.#waiting.splice(0)];
    for (const task of lost) task.reject(new LdmError('ERR_CLOSED', 'The data loader was closed.'));
    await Promise.all(members.map(({ worker }) => worker.terminate()));
  }

  #distribute(): void {
    while (this.#waiting.length > 0) {
      const member = this.#freest();
      if (!member) return;
      const task = this.#waiting.shift()!;
      if (member.running.size === 0) member.worker.ref();
      member.running.set(task.request.id, task);
      member.worker.postMessage(task.request);
    }
  }

  #freest(): Member | undefined {
    const best = this.#members.reduce<Member | undefined>(
      (a, b) => (a && a.running.size <= b.running.size ? a : b),
      undefined,
    );
    if ((!best || best.running.size > 0) && this.#members.length < this.size) return this.#start();
    return best && best.running.size < AT_ONCE ? best : undefined;
  }

  #start(): Member {
    // Options of this process, such as a loader of TypeScript, are not the worker's.
    const member: Member = { worker: new Worker(ENTRY!, { execArgv: [] }), running: new Map() };
    member.worker.unref();
    member.worker.on('message', ({ id, result, error }: Answer) => {
      const task = member.running.get(id);
      member.running.delete(id);
      if (member.running.size === 0) member.worker.unref();
      if (result) task?.resolve(result);
      else task?.reject(new LdmError((error?.code ?? 'ERR_DATA') as LdmErrorCode, error?.message ?? 'no result'));
      this.#distribute();
    });
    member.worker.on('error', (error) => this.#lose(member, error));
    member.worker.on('exit', () => this.#lose(member, new Error('the thread ended')));
    this.#members.push(member);
    return member;
  }

  /** A thread that ended takes its tasks with it; the others go on, and a new one takes its place with the next task. */
  #lose(member: Member, error: Error): void {
    const at = this.#members.indexOf(member);
    if (at >= 0) this.#members.splice(at, 1);
    for (const task of member.running.values())
      task.reject(new LdmError('ERR_DATA', `A worker thread of the data loader failed: ${error.message}`));
    member.running.clear();
    if (!this.#closed) this.#distribute();
  }
}
