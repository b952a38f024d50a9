/** Server-sent events of a job: its status at each change, and the latest preview. What a slow client misses is left out. */
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import { isOver, type Job } from './job';
import type { Jobs } from './jobs';

/** A line that keeps proxies from closing a quiet stream. */
const KEEP_ALIVE_MS = 15_000;

/** @param onEnd called when the stream ends, by either side */
export function streamJob(c: Context, jobs: Jobs, job: Job, onEnd: () => void): Response {
  const leave = job.listen();
  c.header('X-Accel-Buffering', 'no');
  return streamSSE(c, async (stream) => {
    let open = true;
    stream.onAbort(() => {
      open = false;
      job.touch();
    });
    try {
      let sentPreview = 0;
      for (let last = ''; open; ) {
        // Begun before anything is sent, so that no change is missed.
        const changed = job.changed(KEEP_ALIVE_MS);
        const preview = job.preview;
        if (preview && job.previewCount > sentPreview) {
          sentPreview = job.previewCount;
          await stream.writeSSE({ event: 'preview', data: JSON.stringify(preview) });
        }
        const over = isOver(job.state);
        const status = JSON.stringify(jobs.status(job));
        if (status !== last) await stream.writeSSE({ event: 'status', data: status });
        else await stream.write(': \n\n');
        last = status;
        if (over) break;
        await changed;
      }
    } finally {
      leave();
      onEnd();
    }
  });
}
