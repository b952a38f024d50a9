/** Finished pictures with their settings: kept in the browser, shown large on demand. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { formatAgo } from '../format';
import type { GalleryItem } from '../store';
import { Icon } from './icons';
import { useObjectUrl } from './object-url';

export interface GalleryActions {
  /** Puts the settings of a picture into the form. */
  onReuse: (settings: Record<string, unknown>) => void;
  onEdit: (blob: Blob) => void;
  onRemove: (id: string) => void;
  onClear: () => void;
  /** The address that shares settings. */
  linkOf: (settings: Record<string, unknown>) => string;
}

interface GalleryProps extends GalleryActions {
  items: readonly GalleryItem[];
  /** The picture that is shown large. */
  open: string | null;
  onOpen: (id: string | null) => void;
}

export function Gallery({ items, open, onOpen: setOpen, ...actions }: GalleryProps) {
  const index = items.findIndex(({ id }) => id === open);
  if (items.length === 0) return null;
  return (
    <section class="gallery" aria-labelledby="gallery-title">
      <header class="section-head">
        <h2 id="gallery-title">Gallery</h2>
        <span class="count">{items.length}</span>
        <button
          type="button"
          class="quiet"
          onClick={() => confirm('Remove all pictures from the gallery?') && actions.onClear()}
        >
          Clear
        </button>
      </header>
      <ul class="thumbs">
        {items.map((item) => (
          <li key={item.id}>
            <Thumb item={item} onOpen={() => setOpen(item.id)} />
          </li>
        ))}
      </ul>
      {index >= 0 && (
        <Lightbox
          item={items[index]}
          {...actions}
          onClose={() => setOpen(null)}
          onStep={(by) => setOpen(items[(index + by + items.length) % items.length].id)}
          onRemove={(id) => {
            setOpen(items[index + 1]?.id ?? null);
            actions.onRemove(id);
          }}
        />
      )}
    </section>
  );
}

const titleOf = ({ settings, name }: GalleryItem) => String(settings?.prompt || settings?.className || name);

function Thumb({ item, onOpen }: { item: GalleryItem; onOpen: () => void }) {
  const url = useObjectUrl(item.blob);
  return (
    <button
      type="button"
      class="thumb"
      onClick={onOpen}
      title={titleOf(item)}
      aria-label={`Open ${titleOf(item)}, seed ${item.settings?.seed ?? 'unknown'}`}
    >
      {url && <img src={url} alt="" width={item.width} height={item.height} loading="lazy" />}
    </button>
  );
}

function Lightbox({
  item,
  onClose,
  onStep,
  onReuse,
  onEdit,
  onRemove,
  linkOf,
}: Omit<GalleryActions, 'onClear'> & {
  item: GalleryItem;
  onClose: () => void;
  onStep: (by: number) => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const url = useObjectUrl(item.blob);
  const [copied, setCopied] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => setCopied(false), [item.id]);
  const { settings } = item;
  const copy = async () => {
    await navigator.clipboard?.writeText(linkOf(settings!)).then(
      () => setCopied(true),
      () => prompt('Copy this link:', linkOf(settings!)),
    );
  };
  return (
    <dialog
      ref={dialog}
      class="lightbox"
      aria-label={titleOf(item)}
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
      onKeyDown={(event) => {
        if (event.key === 'ArrowLeft') onStep(-1);
        if (event.key === 'ArrowRight') onStep(1);
      }}
    >
      <div class="lightbox-in">
        <div class="lightbox-picture">
          {url && <img src={url} alt={titleOf(item)} />}
          <button type="button" class="round prev" aria-label="Previous picture" onClick={() => onStep(-1)}>
            <Icon name="left" />
          </button>
          <button type="button" class="round next" aria-label="Next picture" onClick={() => onStep(1)}>
            <Icon name="right" />
          </button>
        </div>
        <div class="lightbox-side">
          <button type="button" class="round close" aria-label="Close" onClick={() => dialog.current?.close()}>
            <Icon name="close" />
          </button>
          <h2>{titleOf(item)}</h2>
          <p class="hint">{formatAgo(item.time)}</p>
          <SettingsList settings={settings} />
          <div class="actions">
            {url && (
              <a class="button primary" href={url} download={item.name}>
                <Icon name="download" /> Download PNG
              </a>
            )}
            {settings && (
              <button
                type="button"
                onClick={() => {
                  onReuse(settings);
                  dialog.current?.close();
                }}
              >
                <Icon name="reuse" /> Use settings
              </button>
            )}
            <button type="button" onClick={() => onEdit(item.blob)}>
              <Icon name="edit" /> Edit
            </button>
            {settings && (
              <button type="button" onClick={copy}>
                <Icon name="link" /> {copied ? 'Copied' : 'Copy link'}
              </button>
            )}
            <button type="button" class="danger" onClick={() => onRemove(item.id)}>
              <Icon name="trash" /> Remove
            </button>
          </div>
        </div>
      </div>
    </dialog>
  );
}

const NAMES: Readonly<Record<string, string>> = {
  model: 'Model',
  prompt: 'Prompt',
  negativePrompt: 'Negative',
  className: 'Class',
  sampler: 'Sampler',
  steps: 'Steps',
  eta: 'Eta',
  scale: 'Guidance',
  seed: 'Seed',
  strength: 'Strength',
  edit: 'Made by',
  frame: 'Frame',
};

function SettingsList({ settings }: { settings: Record<string, unknown> | null }) {
  if (!settings) return null;
  const rows = Object.entries(NAMES).filter(([name]) => settings[name] !== undefined && settings[name] !== '');
  return (
    <dl class="settings">
      {settings.width !== undefined && (
        <div>
          <dt>Size</dt>
          <dd>
            {String(settings.width)} × {String(settings.height)}
          </dd>
        </div>
      )}
      {rows.map(([name, label]) => (
        <div key={name}>
          <dt>{label}</dt>
          <dd>{String(settings[name])}</dd>
        </div>
      ))}
    </dl>
  );
}
