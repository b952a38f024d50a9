/** How a view's job stands: progress with a button to cancel, what went wrong, that it was cancelled. */
import { Problem } from './problem';
import { Progress } from './progress';
import type { JobView } from './use-job';

export function JobState({ job }: { job: JobView }) {
  return (
    <>
      {job.busy && <Progress status={job.status} onCancel={job.cancel} />}
      <Problem text={job.error?.message} />
      {job.status?.state === 'cancelled' && !job.busy && <p class="note">Cancelled.</p>}
    </>
  );
}
