/** One piece of work that a client asked for: its state, its result, and who listens to it. */
import { randomUUID } from 'node:crypto';
import type { Client } from './fair-queue';
import { type HttpError, publicError } from './http-error';
import type { JobKind, JobResult, JobState, JobStatus, PreviewFrame, ResultImage } from './protocol';

/** A picture of a result; its address is filled in by the job. */
export interface FinishedImage extends Omit<ResultImage, 'url'> {
  data: Buffer;
  type: string;
}

/** What work leaves behind. */
export interface Outcome extends Omit<JobResult, 'images' | 'seconds'> {
  images: FinishedImage[];
}

/** How work tells how it is getting on. */
export interface Report {
  signal: AbortSignal;
  loading(name: string): void;
  step(step: number, total: number): void;
  preview(frame: PreviewFrame): void;
}

export type Work = (report: Report) => Promise<Outcome>;

/** Whether a job has ended. */
export const isOver = (state: JobState) => state === 'done' || state === 'failed' || state === 'cancelled';

export class Job {
  readonly id = randomUUID();
  readonly createdAt = Date.now();
  readonly #controller = new AbortController();
  readonly #wake = new Set<() => void>();
  state: JobState = 'queued';
  images: FinishedImage[] = [];
  error: HttpError | null = null;
  /** When somebody asked for it last. */
  seenAt = Date.now();
  endedAt = 0;
  #listeners = 0;
  #loading: string | null = null;
  #step = 0;
  #total = 0;
  #startedAt = 0;
  #firstStepAt = 0;
  #firstStep = 0;
  #preview: PreviewFrame | null = null;
  #previews = 0;
  #result: JobResult | null = null;

  constructor(
    readonly kind: JobKind,
    readonly client: Client,
    private readonly work: Work,
    private readonly onOver: () => void,
  ) {}

  /** Does the work; never rejects. @param log where unexpected errors go */
  async run(log: (error: unknown) => void): Promise<void> {
    if (isOver(this.state)) return;
    this.#set('running');
    this.#startedAt = Date.now();
    try {
      const { images, ...outcome } = await this.work(this.#report());
      this.images = images;
      const described = images.map(({ data: _, type: __, ...image }, i) => ({
        ...image,
        url: `api/jobs/${this.id}/images/${i}`,
      }));
      this.#result = { ...outcome, images: described, seconds: (Date.now() - this.#startedAt) / 1000 };
      this.#end('done');
    } catch (error) {
      if (this.#controller.signal.aborted) return this.#end('cancelled');
      this.error = publicError(error);
      if (this.error.status === 500) log(error);
      this.#end('failed');
    }
  }

  /** Stops it at once, or before it begins. */
  cancel(): void {
    if (isOver(this.state)) return;
    this.#controller.abort();
    if (this.state === 'queued') this.#end('cancelled');
  }

  /** @param position how many are served before this one; 0 when it runs */
  status(position: number): JobStatus {
    return {
      id: this.id,
      kind: this.kind,
      state: this.state,
      position: this.state === 'queued' ? position : 0,
      loading: this.state === 'running' ? this.#loading : null,
      step: this.#step,
      total: this.#total,
      secondsLeft: this.#secondsLeft(),
      error: this.error && { code: this.error.code, message: this.error.message },
      result: this.#result,
    };
  }

  get preview(): PreviewFrame | null {
    return this.#preview;
  }
  /** Counts previews, so that a listener sends each once. */
  get previewCount(): number {
    return this.#previews;
  }
  /** Whether nobody has asked for it for so long. */
  isAbandoned(ms: number): boolean {
    return !isOver(this.state) && this.#listeners === 0 && Date.now() - this.seenAt > ms;
  }

  /** Marks somebody as listening until the returned function is called. */
  listen(): () => void {
    this.#listeners++;
    return () => {
      this.#listeners--;
      this.seenAt = Date.now();
    };
  }
  /** Settles at the next change, or after some time. */
  changed(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#wake.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      // A server that is closed waits for nobody.
      timer.unref();
      this.#wake.add(done);
    });
  }
  /** Tells listeners that something is new, such as the place in the queue. */
  touch(): void {
    for (const wake of [...this.#wake]) wake();
  }

  #report(): Report {
    return {
      signal: this.#controller.signal,
      loading: (name) => {
        this.#loading = name;
        this.touch();
      },
      step: (step, total) => {
        this.#loading = null;
        if (this.#firstStepAt === 0) [this.#firstStepAt, this.#firstStep] = [Date.now(), step];
        [this.#step, this.#total] = [step, total];
        this.touch();
      },
      preview: (frame) => {
        this.#preview = frame;
        this.#previews++;
        this.touch();
      },
    };
  }

  /** By the mean of the steps so far; the first one is no measure, because memory is made ready in it. */
  #secondsLeft(): number | null {
    const steps = this.#step - this.#firstStep;
    if (this.state !== 'running' || steps <= 0) return null;
    return ((Date.now() - this.#firstStepAt) / 1000 / steps) * (this.#total - this.#step);
  }

  #end(state: JobState): void {
    this.endedAt = Date.now();
    this.#preview = null;
    this.#set(state);
    this.onOver();
  }
  #set(state: JobState): void {
    this.state = state;
    this.touch();
  }
}
