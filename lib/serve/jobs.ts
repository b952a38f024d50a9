/** All jobs of a server: a fair queue, one job at a time (they share one device), finished ones kept for a while. */
import { type Client, FairQueue } from './fair-queue';
import { HttpError } from './http-error';
import { isOver, Job, type Work } from './job';
import type { ServeLimits } from './limits';
import type { JobKind } from './protocol';

/** Finished jobs that are remembered, at most. */
const KEPT = 200;

export class Jobs {
  readonly #queue: FairQueue<Job>;
  readonly #jobs = new Map<string, Job>();
  readonly #watch: NodeJS.Timeout;
  #running: Job | null = null;
  #closed = false;
  #idle: Promise<void> = Promise.resolve();

  constructor(
    private readonly limits: ServeLimits,
    private readonly log: (error: unknown) => void,
  ) {
    this.#queue = new FairQueue(limits);
    this.#watch = setInterval(() => this.#cancelAbandoned(), Math.min(5000, limits.abandonedMs / 2));
    this.#watch.unref();
  }

  /** How many wait, and whether one runs. */
  get load(): { waiting: number; running: boolean } {
    return { waiting: this.#queue.length, running: this.#running !== null };
  }

  /** @throws HttpError 429 or 503 when there is no place in the queue */
  add(kind: JobKind, client: Client, work: Work): Job {
    if (this.#closed) throw new HttpError(503, 'closing', 'The server is being stopped.');
    const job = new Job(kind, client, work, () => this.#queue.remove(job) && this.#moved());
    this.#queue.add(client, job);
    this.#jobs.set(job.id, job);
    if (!this.#running) this.#idle = this.#work();
    return job;
  }

  /** @throws HttpError 404 */
  get(id: string): Job {
    const job = this.#jobs.get(id);
    if (!job) throw new HttpError(404, 'no_such_job', 'There is no such job (any more).');
    job.seenAt = Date.now();
    return job;
  }

  status(job: Job) {
    return job.status(job.state === 'queued' ? this.#queue.order().indexOf(job) + 1 : 0);
  }

  /** Cancels everything and waits for the running job's end. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#watch);
    for (const job of this.#jobs.values()) job.cancel();
    await this.#idle;
  }

  async #work(): Promise<void> {
    for (let job = this.#queue.next(); job; job = this.#queue.next()) {
      this.#running = job;
      this.#moved();
      await job.run(this.log);
      this.#forget();
    }
    this.#running = null;
  }

  /** Places in the queue have changed. */
  #moved(): void {
    for (const job of this.#queue.order()) job.touch();
  }

  #cancelAbandoned(): void {
    for (const job of this.#jobs.values()) if (job.isAbandoned(this.limits.abandonedMs)) job.cancel();
  }

  /** The oldest finished jobs go first when there are too many, or their pictures take too much memory. */
  #forget(): void {
    const over = [...this.#jobs.values()].filter((job) => isOver(job.state)).sort((a, b) => a.endedAt - b.endedAt);
    const bytesOf = (job: Job) => job.images.reduce((sum, { data }) => sum + data.length, 0);
    let bytes = over.reduce((sum, job) => sum + bytesOf(job), 0);
    for (const [i, job] of over.entries()) {
      if (bytes <= this.limits.resultBytes && over.length - i <= KEPT) return;
      bytes -= bytesOf(job);
      this.#jobs.delete(job.id);
    }
  }
}
