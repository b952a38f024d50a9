/** Said where the chosen model cannot do what a view is for. */
import type { ModelInfo } from '../../lib/serve/protocol';
import { addressOf } from '../route';

/** Commands, which stand between backquotes, as code. */
const withCode = (text: string) =>
  text.split('`').map((part, i) => (i % 2 === 1 ? <code key={part}>{part}</code> : part));

export function Unsuitable({ info, wanted }: { info: ModelInfo; wanted: string }) {
  const { upscale, inpaint, img2img } = info.can;
  const edits = upscale ? 'Enlarge' : inpaint ? 'Fill in a part of' : img2img ? 'Change' : null;
  return (
    <div class="welcome">
      <h2>Not with this model</h2>
      <p>
        <strong>{info.name}</strong> cannot {wanted}. {withCode(info.note ?? '')}
      </p>
      <p>
        {edits && <a href={addressOf('edit')}>{edits} a picture with it</a>}
        {edits && ', '}
        {info.can.reconstruct && (
          <a href={addressOf('reconstruct')}>{edits ? 'reconstruct' : 'Reconstruct'} a picture with it</a>
        )}
        {info.can.reconstruct && ' or '}
        <a href={addressOf('models')}>choose another model</a>.
      </p>
    </div>
  );
}
