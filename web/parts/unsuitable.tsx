/** Said where the chosen model cannot do what a view is for. */
import type { ModelInfo } from '../../lib/serve/protocol';
import { addressOf } from '../route';

export function Unsuitable({ info, wanted }: { info: ModelInfo; wanted: string }) {
  return (
    <div class="welcome">
      <h2>Not with this model</h2>
      <p>
        <strong>{info.name}</strong> cannot {wanted}. {info.note ?? ''}
      </p>
      <p>
        {info.can.reconstruct && <a href={addressOf('reconstruct')}>Reconstruct a picture with it</a>}
        {info.can.reconstruct && ' or '}
        <a href={addressOf('models')}>choose another model</a>.
      </p>
    </div>
  );
}
