/** Talks to the server. */
import type { JobKind, JobStatus, PreviewFrame } from '../lib/serve/protocol';

/** An answer that is no success. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field?: string,
  ) {
    super(message);
  }
}

/** What this tab calls itself, so that tabs take turns. */
const CLIENT = sessionStorage.getItem('client') ?? crypto.randomUUID();
sessionStorage.setItem('client', CLIENT);

const UNREACHABLE = 'The server does not answer. Is it still running?';

/** @throws ApiError; status 0 where there is no server */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers: { 'X-Client-Id': CLIENT, ...init.headers } });
  } catch {
    throw new ApiError(0, 'unreachable', UNREACHABLE);
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  const { code = 'error', message = response.statusText, field } = body?.error ?? {};
  throw new ApiError(response.status, code, message, field);
}

export async function getJson<T>(path: string, query: Record<string, string> = {}): Promise<T> {
  const text = new URLSearchParams(query).toString();
  return (await request(text ? `${path}?${text}` : path)).json();
}

/** JSON, or a form with files beside it. */
export type JobBody = { settings: object; files?: Record<string, Blob> };

async function begin(kind: JobKind, { settings, files }: JobBody): Promise<JobStatus> {
  let init: RequestInit;
  if (files) {
    const body = new FormData();
    body.set('settings', JSON.stringify(settings));
    for (const [name, file] of Object.entries(files)) body.set(name, file, `${name}.png`);
    init = { body };
  } else init = { body: JSON.stringify(settings), headers: { 'Content-Type': 'application/json' } };
  return (await request(`api/jobs/${kind}`, { method: 'POST', ...init })).json();
}

export interface JobEvents {
  onStatus(status: JobStatus): void;
  onPreview(frame: PreviewFrame): void;
  /** Cancels the job. */
  signal: AbortSignal;
}

/** Runs a job to its end. @throws ApiError when it cannot begin, or is lost with its server */
export async function runJob(kind: JobKind, body: JobBody, events: JobEvents): Promise<JobStatus> {
  const first = await begin(kind, body);
  events.onStatus(first);
  const cancel = () => void request(`api/jobs/${first.id}`, { method: 'DELETE' }).catch(() => undefined);
  if (events.signal.aborted) cancel();
  events.signal.addEventListener('abort', cancel);
  try {
    return await follow(first, events);
  } finally {
    events.signal.removeEventListener('abort', cancel);
  }
}

const isOver = ({ state }: JobStatus) => state === 'done' || state === 'failed' || state === 'cancelled';

/** The browser reconnects by itself while the server is away for a moment; a server that was started anew has lost the job. */
function follow(first: JobStatus, { onStatus, onPreview }: JobEvents): Promise<JobStatus> {
  return new Promise((resolve, reject) => {
    const source = new EventSource(`api/jobs/${first.id}/events`);
    let failures = 0;
    const end = (settle: () => void) => {
      source.close();
      settle();
    };
    source.addEventListener('status', (event) => {
      failures = 0;
      const status = JSON.parse(event.data) as JobStatus;
      onStatus(status);
      if (isOver(status)) end(() => resolve(status));
    });
    source.addEventListener('preview', (event) => onPreview(JSON.parse(event.data)));
    source.addEventListener('error', async () => {
      failures++;
      try {
        const status = await getJson<JobStatus>(`api/jobs/${first.id}`);
        onStatus(status);
        if (isOver(status)) end(() => resolve(status));
        else if (source.readyState === EventSource.CLOSED) end(() => reject(new ApiError(0, 'lost', UNREACHABLE)));
      } catch (error) {
        const known = error as ApiError;
        if (known.status === 404)
          end(() =>
            reject(new ApiError(404, 'restarted', 'The server was started anew, so this work is lost. Try again.')),
          );
        else if (failures > 5 || known.status === 401) end(() => reject(known));
      }
    });
  });
}

/** Calls back whenever a training has written something. Returns what ends it. */
export function watchLog(log: string, onChange: () => void): () => void {
  const source = new EventSource(`api/logs/events?${new URLSearchParams({ log })}`);
  source.addEventListener('changed', onChange);
  return () => source.close();
}
