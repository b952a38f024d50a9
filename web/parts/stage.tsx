/** Where pictures appear: previews out of noise, then the finished ones. */
import type { PreviewFrame, ResultImage } from '../../lib/serve/protocol';

interface StageProps {
  /** Pictures that will come. */
  count: number;
  ratio: number;
  preview: PreviewFrame | null;
  images: readonly ResultImage[];
  busy: boolean;
  onOpen?: (index: number) => void;
}

export function Stage({ count, ratio, preview, images, busy, onOpen }: StageProps) {
  const n = busy ? count : images.length;
  const columns = n <= 1 ? 1 : n <= 4 ? 2 : n <= 9 ? 3 : 4;
  return (
    <ul class={`stage columns-${columns}`} aria-busy={busy} aria-label="Pictures">
      {Array.from({ length: n }, (_, i) => {
        const image = busy ? undefined : images[i];
        const frame = busy ? preview?.images[i] : undefined;
        const style = { aspectRatio: String(ratio) };
        return (
          <li key={i} style={style} class={image ? 'finished' : 'coming'}>
            {image ? (
              <button type="button" onClick={() => onOpen?.(i)} aria-label={`Open picture ${i + 1}`}>
                <img src={image.url} alt={altOf(image)} width={image.width} height={image.height} />
              </button>
            ) : frame ? (
              <img class="preview" src={frame} alt={`Preview ${i + 1} after step ${preview!.step}`} />
            ) : (
              <span class="noise" aria-hidden="true" />
            )}
          </li>
        );
      })}
    </ul>
  );
}

const altOf = ({ settings, name }: ResultImage) => String(settings?.prompt || settings?.className || name);
