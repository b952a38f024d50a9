/** How a job is getting on: place in the queue, loading, steps with the time left. */
import type { JobStatus } from '../../lib/serve/protocol';
import { formatDuration } from '../format';
import { Icon } from './icons';

export function Progress({ status, onCancel }: { status: JobStatus | null; onCancel: () => void }) {
  const total = status?.total ?? 0;
  const running = status?.state === 'running' && total > 0;
  return (
    <div class="progress">
      <div class="progress-line">
        <span class="progress-text">{textOf(status)}</span>
        <button type="button" class="quiet" onClick={onCancel}>
          <Icon name="stop" /> Cancel
        </button>
      </div>
      <progress aria-label="Progress" max={running ? total : undefined} value={running ? status.step : undefined} />
    </div>
  );
}

function textOf(status: JobStatus | null): string {
  if (!status) return 'Sending…';
  if (status.state === 'queued')
    return status.position > 1 ? `Waiting: ${status.position - 1} before you` : 'Waiting: you are next';
  if (status.loading) return `Loading ${status.loading}…`;
  if (status.total === 0) return 'Getting ready…';
  const left = status.secondsLeft === null ? '' : ` · ${formatDuration(status.secondsLeft)} left`;
  return `Step ${status.step} of ${status.total}${left}`;
}
