/** One job at a time of a view: begin, watch, cancel. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { JobKind, JobStatus, PreviewFrame } from '../../lib/serve/protocol';
import { ApiError, type JobBody, runJob } from '../api';

export interface JobView {
  status: JobStatus | null;
  preview: PreviewFrame | null;
  error: ApiError | null;
  busy: boolean;
  /** Resolves to the finished job; null where it failed or was cancelled. */
  start(kind: JobKind, body: JobBody): Promise<JobStatus | null>;
  cancel(): void;
}

export function useJob(): JobView {
  const [status, setStatus] = useState<JobStatus | null>(null);
  const [preview, setPreview] = useState<PreviewFrame | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const controller = useRef<AbortController | null>(null);

  const cancel = useCallback(() => controller.current?.abort(), []);
  // Who leaves the view does not wait for it any more.
  useEffect(() => cancel, []);

  const start = async (kind: JobKind, body: JobBody) => {
    cancel();
    const mine = new AbortController();
    controller.current = mine;
    const current = () => controller.current === mine;
    setBusy(true);
    setError(null);
    setPreview(null);
    setStatus(null);
    try {
      const onStatus = (value: JobStatus) => current() && setStatus(value);
      const onPreview = (value: PreviewFrame) => current() && setPreview(value);
      const done = await runJob(kind, body, { onStatus, onPreview, signal: mine.signal });
      if (done.error && current()) setError(new ApiError(400, done.error.code, done.error.message));
      return done.state === 'done' ? done : null;
    } catch (problem) {
      if (current()) setError(problem instanceof ApiError ? problem : new ApiError(0, 'error', String(problem)));
      return null;
    } finally {
      if (current()) setBusy(false);
    }
  };
  return { status, preview, error, busy, start, cancel };
}
