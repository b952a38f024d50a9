/** Edit: change a picture, fill in what a brush marks, enlarge, go from one picture to another, look at the steps. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ModelInfo } from '../../lib/serve/protocol';
import { useApp } from '../app-context';
import { Condition, DrawOptions } from '../parts/draw-form';
import { DropZone } from '../parts/drop-zone';
import { NumberField, RangeField, Segmented, SelectField, TextField } from '../parts/fields';
import { Icon } from '../parts/icons';
import { JobState } from '../parts/job-state';
import { MaskCanvas, type MaskHandle } from '../parts/mask-canvas';
import { useObjectUrl } from '../parts/object-url';
import { FrameSlider, Timeline } from '../parts/sliders';
import { Stage } from '../parts/stage';
import { Unsuitable } from '../parts/unsuitable';
import { type JobView, useJob } from '../parts/use-job';
import { EMPTY, type FormSettings, forOtherModel, requestOf } from '../settings';
import { recall, remember } from '../store';

type Mode = 'change' | 'paint' | 'enlarge' | 'between' | 'steps';

const MODES: readonly { value: Mode; label: string; can: (info: ModelInfo) => boolean }[] = [
  { value: 'change', label: 'Change', can: ({ can }) => can.img2img },
  { value: 'paint', label: 'Fill in', can: ({ can }) => can.inpaint },
  { value: 'enlarge', label: 'Enlarge', can: ({ can }) => can.upscale },
  { value: 'between', label: 'Between', can: ({ can }) => can.interpolate },
  { value: 'steps', label: 'Steps', can: ({ can }) => can.generate },
];

export function Edit() {
  const { info } = useApp();
  const [mode, setMode] = useState<Mode>(() => recall('edit.mode', 'change'));
  const [settings, setSettings] = useState<FormSettings>(() => ({ ...EMPTY, ...recall('edit', EMPTY), n: 1 }));
  const model = useRef<string | null>(recall('edit.model', null));
  useEffect(() => remember('edit', settings), [settings]);
  useEffect(() => remember('edit.mode', mode), [mode]);
  useEffect(() => {
    if (!info || info.id === model.current) return;
    if (model.current !== null) setSettings(forOtherModel);
    model.current = info.id;
    remember('edit.model', info.id);
  }, [info]);

  if (!info) return <p class="loading">Looking at the model…</p>;
  const possible = MODES.filter(({ can }) => can(info));
  if (possible.length === 0) return <Unsuitable info={info} wanted="edit pictures" />;
  const shown = possible.find(({ value }) => value === mode)?.value ?? possible[0].value;
  const props = {
    info,
    settings,
    change: (part: Partial<FormSettings>) => setSettings((before) => ({ ...before, ...part })),
  };
  return (
    <>
      <Segmented label="What to do" value={shown} options={possible} onChange={setMode} />
      {shown === 'between' ? (
        <Between {...props} />
      ) : shown === 'steps' ? (
        <Steps {...props} />
      ) : (
        <ChangePicture key={shown} mode={shown} {...props} />
      )}
    </>
  );
}

interface PartProps {
  info: ModelInfo;
  settings: FormSettings;
  change: (part: Partial<FormSettings>) => void;
}

function ChangePicture({ mode, info, settings, change }: PartProps & { mode: 'change' | 'paint' | 'enlarge' }) {
  const app = useApp();
  const job = useJob();
  const { edited } = app;
  const source = useObjectUrl(edited);
  const [image, setImage] = useState<HTMLImageElement | null>(null);
  const mask = useRef<MaskHandle>(null);

  useEffect(() => {
    setImage(null);
    if (!source) return;
    const element = new Image();
    element.onload = () => setImage(element);
    element.onerror = () => {
      app.say('This file is no picture.');
      app.edit(null);
    };
    element.src = source;
  }, [source]);

  const start = async () => {
    const painted = mode === 'paint' ? await mask.current?.mask() : null;
    if (mode === 'paint' && !painted) return app.say('Paint over what is to be drawn anew first.');
    const { width: _, height: __, sampler: ___, ...request } = requestOf({ ...settings, sampler: 'ddim' }, info);
    const body = {
      settings: { ...request, n: settings.n, ...(mode === 'change' && { strength: settings.strength }) },
      files: { image: edited!, ...(painted && { mask: painted }) },
    };
    const done = await job.start('edit', body);
    if (!done) return;
    await app.keep(done);
    app.say('The picture is finished.');
  };
  const images = job.status?.result?.images ?? [];
  const ratio = image ? image.naturalWidth / image.naturalHeight : 1;
  const words = { change: 'Change the picture', paint: 'Fill in', enlarge: 'Enlarge' };

  return (
    <div class="split">
      <FormPanel job={job} disabled={!image} label={words[mode]} onStart={start}>
        <Condition info={info} server={app.server} settings={settings} onChange={change} />
        {mode === 'change' && (
          <RangeField
            label="Strength"
            hint="How much of the picture is lost: at 0 it stays, at 1 little is left of it."
            value={settings.strength}
            fallback={info.defaults.strength}
            min={0}
            max={1}
            step={0.05}
            onChange={(strength) => change({ strength })}
          />
        )}
        <details class="more">
          <summary>Settings</summary>
          <div class="fields">
            <DrawOptions
              info={info}
              server={app.server}
              settings={{ ...settings, sampler: 'ddim' }}
              onChange={change}
              wrong={job.error?.field}
              batch
            />
          </div>
        </details>
      </FormPanel>
      <div class="results">
        <JobState job={job} />
        {!edited && <DropZone label="Choose a picture" onFile={app.edit} />}
        <div class="pictures">
          {image && (
            <figure>
              {mode === 'paint' ? (
                <MaskCanvas image={image} handle={mask} />
              ) : (
                <img class="source" src={image.src} alt="To begin with" />
              )}
              <figcaption>
                {mode === 'paint'
                  ? 'Paint over what is to be drawn anew.'
                  : `${image.naturalWidth} × ${image.naturalHeight}`}
                <DropZone compact label="Another picture" onFile={app.edit} />
              </figcaption>
            </figure>
          )}
          {(job.busy || images.length > 0) && (
            <figure>
              <Stage
                count={settings.n}
                ratio={ratio}
                preview={job.preview}
                images={images}
                busy={job.busy}
                onOpen={(i) => window.open(images[i].url)}
              />
              <figcaption>
                {job.busy ? 'Being drawn…' : 'Result, also in the gallery of Generate'}
                {images.length === 1 && (
                  <button
                    type="button"
                    class="quiet"
                    onClick={async () => app.edit(await (await fetch(images[0].url)).blob())}
                  >
                    <Icon name="reuse" /> Go on with it
                  </button>
                )}
              </figcaption>
            </figure>
          )}
        </div>
      </div>
    </div>
  );
}

function Between({ info, settings, change }: PartProps) {
  const app = useApp();
  const job = useJob();
  const [to, setTo] = useState<{ prompt: string; label: number; seed?: number }>(() =>
    recall('edit.to', { prompt: '', label: 0 }),
  );
  const [frames, setFrames] = useState(8);
  useEffect(() => remember('edit.to', to), [to]);
  const start = async () => {
    const { eta: _, ...request } = requestOf({ ...settings, sampler: 'ddim', seed: settings.seed ?? 1 }, info);
    const end = {
      ...(info.kind === 'text' && to.prompt && { prompt: to.prompt }),
      ...(info.classes && { label: to.label }),
      seed: to.seed ?? 2,
    };
    const done = await job.start('interpolate', { settings: { ...request, frames, to: end } });
    if (done) app.say('The pictures are finished.');
  };
  const images = job.status?.result?.images.filter(({ role }) => role === 'picture') ?? [];
  const { width, height } = info.size;
  return (
    <div class="split">
      <FormPanel job={job} label={`Draw ${frames} pictures between`} onStart={start}>
        <fieldset class="end">
          <legend>From</legend>
          <Condition info={info} server={app.server} settings={settings} onChange={change} />
          <NumberField
            label="Seed"
            value={settings.seed}
            fallback={1}
            min={0}
            max={2 ** 53 - 1}
            onChange={(seed) => change({ seed })}
          />
        </fieldset>
        <fieldset class="end">
          <legend>To</legend>
          {info.kind === 'text' && (
            <TextField
              label="Prompt at the end"
              placeholder="The same one: only the noise changes"
              value={to.prompt}
              onChange={(prompt) => setTo({ ...to, prompt })}
            />
          )}
          {info.classes && (
            <SelectField
              label="Class at the end"
              value={String(to.label)}
              options={info.classes.map(({ label, name }) => ({ value: String(label), label: name.split(',')[0] }))}
              onChange={(label) => setTo({ ...to, label: Number(label) })}
            />
          )}
          <NumberField
            label="Seed at the end"
            value={to.seed}
            fallback={2}
            min={0}
            max={2 ** 53 - 1}
            onChange={(seed) => setTo({ ...to, seed })}
          />
        </fieldset>
        <RangeField
          label="Pictures"
          value={frames}
          min={2}
          max={app.server.limits.batch}
          onChange={(value) => setFrames(value ?? 8)}
        />
        <p class="hint">The same seed twice: only the prompt changes. The same prompt twice: only the noise.</p>
      </FormPanel>
      <div class="results">
        <JobState job={job} />
        {images.length > 0 && !job.busy ? (
          <FrameSlider images={images} label="Position between the two" />
        ) : (
          job.busy && <Stage count={frames} ratio={width / height} preview={job.preview} images={[]} busy />
        )}
        {!job.busy && images.length === 0 && (
          <div class="welcome">
            <h2>From one picture to another</h2>
            <p>Choose two seeds or two prompts. A slider then moves between the pictures.</p>
          </div>
        )}
      </div>
    </div>
  );
}

function Steps({ info, settings, change }: PartProps) {
  const app = useApp();
  const job = useJob();
  const start = async () => {
    const done = await job.start('generate', { settings: { ...requestOf(settings, info), n: 1, timeline: true } });
    if (!done) return;
    await app.keep(done);
    app.say('The picture is finished.');
  };
  const images = job.status?.result?.images ?? [];
  return (
    <div class="split">
      <FormPanel job={job} label="Draw and keep the steps" onStart={start}>
        <Condition info={info} server={app.server} settings={settings} onChange={change} />
        <details class="more">
          <summary>Settings</summary>
          <div class="fields">
            <DrawOptions
              info={info}
              server={app.server}
              settings={settings}
              onChange={change}
              wrong={job.error?.field}
              size
              sampler
            />
          </div>
        </details>
      </FormPanel>
      <div class="results">
        <JobState job={job} />
        {job.busy && (
          <Stage count={1} ratio={info.size.width / info.size.height} preview={job.preview} images={[]} busy />
        )}
        {!job.busy && images.length > 0 && <Timeline images={images} />}
        {!job.busy && images.length === 0 && (
          <div class="welcome">
            <h2>How a picture comes into being</h2>
            <p>
              Draw one and move through its steps: the noisy picture x<sub>t</sub>, and the clean picture x<sub>0</sub>{' '}
              that the network sees in it.
            </p>
          </div>
        )}
      </div>
    </div>
  );
}

function FormPanel(props: {
  job: JobView;
  label: string;
  disabled?: boolean;
  onStart: () => void;
  children: preact.ComponentChildren;
}) {
  const { job, label, disabled, onStart, children } = props;
  return (
    <form
      class="panel"
      aria-label="Settings"
      onSubmit={(event) => {
        event.preventDefault();
        if (!job.busy && !disabled) onStart();
      }}
      onKeyDown={(event) => {
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !job.busy && !disabled) onStart();
        if (event.key === 'Escape') job.cancel();
      }}
    >
      {children}
      <button
        type="submit"
        class="primary wide"
        disabled={job.busy || disabled}
        title={disabled ? 'Choose a picture first' : 'Ctrl + Enter'}
      >
        <Icon name="generate" /> {label}
      </button>
    </form>
  );
}
