/** A place for a picture: dropped, chosen, or pasted. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './icons';

interface DropZoneProps {
  label: string;
  onFile: (file: File) => void;
  /** Small where a picture is there already. */
  compact?: boolean;
}

export function DropZone({ label, onFile, compact }: DropZoneProps) {
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const take = (files: FileList | null | undefined) => {
    const file = [...(files ?? [])].find(({ type }) => type.startsWith('image/'));
    if (file) onFile(file);
  };
  useEffect(() => {
    const paste = (event: ClipboardEvent) => take(event.clipboardData?.files);
    addEventListener('paste', paste);
    return () => removeEventListener('paste', paste);
  }, [onFile]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the button inside does for the keyboard what dropping does for the mouse
    <div
      class={`drop${over ? ' over' : ''}${compact ? ' compact' : ''}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        event.stopPropagation();
        setOver(false);
        take(event.dataTransfer?.files);
      }}
    >
      <button type="button" onClick={() => input.current?.click()}>
        <Icon name="image" />
        <span>{label}</span>
        {!compact && <small>Drop, paste or choose a PNG, JPEG or WebP file</small>}
      </button>
      <input
        ref={input}
        type="file"
        accept="image/png,image/jpeg,image/webp"
        class="hidden"
        tabIndex={-1}
        aria-label={label}
        onChange={(event) => {
          take(event.currentTarget.files);
          event.currentTarget.value = '';
        }}
      />
    </div>
  );
}
