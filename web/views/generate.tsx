/** Generate: from a text, a class or nothing to pictures. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { useApp } from '../app-context';
import { Condition, DrawOptions } from '../parts/draw-form';
import { Gallery } from '../parts/gallery';
import { Icon } from '../parts/icons';
import { JobState } from '../parts/job-state';
import { Stage } from '../parts/stage';
import { Unsuitable } from '../parts/unsuitable';
import { useJob } from '../parts/use-job';
import { settingsOfFile } from '../png-settings';
import { addressOf } from '../route';
import { EMPTY, type FormSettings, forOtherModel, queryOf, requestOf, settingsFrom } from '../settings';
import { recall, remember } from '../store';

export function Generate({ query }: { query: URLSearchParams }) {
  const app = useApp();
  const { info, server, say } = app;
  const [settings, setSettings] = useState<FormSettings>(() => ({ ...EMPTY, ...recall('generate', EMPTY) }));
  const [modelOfSettings, setModelOfSettings] = useState(() => recall<string | null>('generate.model', null));
  const [drawn, setDrawn] = useState({ count: 1, ratio: 1 });
  const [open, setOpen] = useState<string | null>(null);
  const results = useRef<HTMLDivElement>(null);
  const job = useJob();

  const change = (part: Partial<FormSettings>) => setSettings((before) => ({ ...before, ...part }));
  useEffect(() => remember('generate', settings), [settings]);

  /** Settings from elsewhere, with their model where this server has it. */
  const use = (values: Record<string, unknown>) => {
    const model = app.models.find(({ id }) => id === values.model)?.id ?? info?.id ?? null;
    setSettings((before) => settingsFrom(values, { ...EMPTY, n: before.n }));
    setModelOfSettings(model);
    remember('generate.model', model);
    if (model !== null && model !== info?.id) app.chooseModel(model);
  };

  // A shared link: taken once, then the address is an ordinary one again.
  useEffect(() => {
    if ([...query.keys()].length === 0 || app.models.length === 0) return;
    use(Object.fromEntries(query));
    history.replaceState(null, '', addressOf('generate'));
  }, [query, app.models.length]);

  useEffect(() => {
    if (!info || info.id === modelOfSettings) return;
    if (modelOfSettings !== null) setSettings(forOtherModel);
    setModelOfSettings(info.id);
    remember('generate.model', info.id);
  }, [info]);

  const drop = async (file: File) => {
    const found = await settingsOfFile(file);
    if (found) {
      use(found);
      say('Settings taken from the picture.');
    } else say('There are no settings in this picture.');
  };

  if (!info) return <p class="loading">Looking at the model…</p>;
  if (!info.can.generate) return <Unsuitable info={info} wanted="draw pictures without one to begin with" />;

  const start = async () => {
    const { width = info.size.width, height = info.size.height, n } = settings;
    setDrawn({ count: n, ratio: width / height });
    if (isNarrow()) results.current?.scrollIntoView({ behavior: 'smooth' });
    const done = await job.start('generate', { settings: { ...requestOf(settings, info), n } });
    if (!done) return;
    await app.keep(done);
    say(`${done.result!.images.length} pictures are finished.`);
  };
  const images = job.status?.result?.images ?? [];
  const form = { info, server, settings, onChange: change, wrong: job.error?.field };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is a shortcut; settings can be typed, too
    <div
      class="split"
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        const file = event.dataTransfer?.files[0];
        if (file) void drop(file);
      }}
    >
      <form
        class="panel"
        aria-label="Settings"
        onSubmit={(event) => {
          event.preventDefault();
          if (!job.busy) void start();
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey || event.target instanceof HTMLInputElement)) {
            event.preventDefault();
            if (!job.busy) void start();
          }
          if (event.key === 'Escape') job.cancel();
        }}
      >
        <Condition {...form} />
        <button type="submit" class="primary wide" disabled={job.busy} title="Ctrl + Enter">
          <Icon name="generate" /> {settings.n > 1 ? `Draw ${settings.n} pictures` : 'Draw a picture'}
        </button>
        <details class="more" open={!isNarrow()}>
          <summary>Settings</summary>
          <div class="fields">
            <DrawOptions {...form} size sampler batch />
            <button type="button" class="quiet" onClick={() => setSettings({ ...EMPTY, prompt: settings.prompt })}>
              <Icon name="undo" /> Back to the model's defaults
            </button>
          </div>
        </details>
        <p class="hint">Drop a picture of this project anywhere here to get its settings back.</p>
      </form>
      <div class="results" ref={results}>
        <JobState job={job} />
        {job.busy || images.length > 0 ? (
          <Stage
            count={drawn.count}
            ratio={drawn.ratio}
            preview={job.preview}
            images={images}
            busy={job.busy}
            onOpen={(i) => setOpen(app.gallery[i]?.id ?? null)}
          />
        ) : (
          app.gallery.length === 0 && <Welcome />
        )}
        <Gallery
          items={app.gallery}
          open={open}
          onOpen={setOpen}
          onReuse={use}
          onEdit={(blob) => {
            app.edit(blob);
            location.hash = addressOf('edit');
          }}
          onRemove={app.remove}
          onClear={app.clear}
          linkOf={(values) => new URL(addressOf('generate', queryOf(values)), location.href).href}
        />
      </div>
    </div>
  );
}

/** On a phone the pictures lie below the form. */
const isNarrow = () => matchMedia('(max-width: 760px)').matches;

function Welcome() {
  return (
    <div class="welcome">
      <span class="noise large" aria-hidden="true" />
      <h2>Pictures out of noise</h2>
      <p>
        Say what you want to see and press <strong>Draw</strong>. The model begins with noise and takes it away step by
        step; you can watch.
      </p>
    </div>
  );
}
