/** Training: what a log folder holds, while it grows or afterwards. */
import { useEffect, useState } from 'preact/hooks';
import type { LogDetails, LogEntry, LogImage } from '../../lib/serve/protocol';
import { type ApiError, getJson, watchLog } from '../api';
import { explain, groupOf, partsOf, rankOf } from '../explanations';
import { formatAgo, formatBytes, formatDuration } from '../format';
import { Chart } from '../parts/chart';
import { SelectField } from '../parts/fields';
import { Problem } from '../parts/problem';
import { StepSlider } from '../parts/sliders';
import { recall, remember } from '../store';

export function Training() {
  const [logs, setLogs] = useState<readonly LogEntry[] | null>(null);
  const [chosen, setChosen] = useState(() => recall<string | null>('log', null));
  const [details, setDetails] = useState<LogDetails | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const id = logs?.find((log) => log.id === chosen)?.id ?? logs?.[0]?.id ?? null;

  useEffect(() => {
    getJson<LogEntry[]>('api/logs').then(setLogs, (error: ApiError) => setProblem(error.message));
  }, []);
  useEffect(() => {
    if (id === null) return;
    let current = true;
    const read = () =>
      getJson<LogDetails>('api/logs/details', { log: id }).then(
        (found) => current && setDetails(found),
        (error: ApiError) => current && setProblem(error.message),
      );
    void read();
    const stop = watchLog(id, read);
    return () => {
      current = false;
      stop();
    };
  }, [id]);

  if (problem) return <Problem text={problem} />;
  if (!logs) return <p class="loading">Looking for trainings…</p>;
  if (id === null)
    return (
      <div class="welcome">
        <h2>There is no training yet</h2>
        <p>
          Train with <code>ldm train</code> in this folder, or name the folder with logs:{' '}
          <code>ldm serve --logs FOLDER</code>.
        </p>
      </div>
    );
  return (
    <div class="wide-view">
      <SelectField
        label="Training"
        value={id}
        options={logs.map((log) => ({ value: log.id, label: `${log.name}${log.running ? ' (running)' : ''}` }))}
        onChange={(value) => {
          setChosen(value);
          setDetails(null);
          remember('log', value);
        }}
      />
      {details ? <Run details={details} /> : <p class="loading">Reading…</p>}
    </div>
  );
}

function Run({ details }: { details: LogDetails }) {
  const groups = new Map<string, { title: string; text: string; names: string[] }>();
  for (const { name } of details.series) {
    const group = groupOf(name);
    const entry = groups.get(group) ?? { ...explain(name), names: [] };
    entry.names.push(name);
    groups.set(group, entry);
  }
  const charts = [...groups].sort(([a], [b]) => rankOf(a) - rankOf(b));
  const { target, running, step, epoch, seconds, imagesPerSecond, memory, modified, checkpoints } = details;
  return (
    <>
      <dl class="figures">
        <Figure name="Model" value={target ?? 'unknown'} />
        <Figure name="State" value={running ? 'running' : 'ended'} note={`last news ${formatAgo(modified)}`} />
        <Figure name="Step" value={String(step)} note={`epoch ${epoch}`} />
        <Figure name="Time" value={formatDuration(seconds)} />
        <Figure name="Speed" value={imagesPerSecond === null ? '–' : `${imagesPerSecond.toPrecision(3)} images/s`} />
        <Figure name="Memory" value={memory === null ? '–' : formatBytes(memory)} />
      </dl>
      {details.images.length > 0 && <Grids images={details.images} />}
      {charts.length === 0 && <p class="note">Nothing has been logged yet.</p>}
      <div class="charts">
        {charts.map(([group, { title, text, names }]) => (
          <section key={group} class="card">
            <h3>{title}</h3>
            <Chart
              title={title}
              curves={details.series
                .filter(({ name }) => names.includes(name))
                .map(({ name, points }) => ({ name: shortName(name), points }))}
            />
            {text && <p class="hint">{text}</p>}
          </section>
        ))}
      </div>
      {checkpoints.length > 0 && (
        <section class="card">
          <h3>Checkpoints</h3>
          <table>
            <tbody>
              {checkpoints.map(({ name, bytes, modified: time }) => (
                <tr key={name}>
                  <td>
                    <code>{name}</code>
                  </td>
                  <td>{formatBytes(bytes)}</td>
                  <td>{formatAgo(time)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </>
  );
}

const shortName = (name: string) => {
  const { split, base } = partsOf(name);
  const mean = name.endsWith('_epoch') ? ' (epoch)' : '';
  return `${split ? `${split}/` : ''}${base}${mean}`;
};

function Figure({ name, value, note }: { name: string; value: string; note?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
      {note && <p>{note}</p>}
    </div>
  );
}

/** What the kinds of pictures show. */
const KINDS: Readonly<Record<string, string>> = {
  inputs: 'Pictures of the data set.',
  reconstructions: 'The same pictures after encoding and decoding.',
  reconstruction: 'The same pictures after encoding and decoding.',
  samples:
    'Drawn by the model. For an autoencoder these are decoded noise and always look like noise: that is no fault.',
  diffusion_row: 'Pictures with more and more noise: what the network learns to undo.',
  denoise_row: 'Steps of drawing.',
  progressive_row: 'The clean estimate over the steps of drawing.',
  samples_x0_quantized: 'Drawn with the nearest codes of the codebook in each step.',
  samples_inpainting: 'The middle drawn anew.',
  samples_outpainting: 'All but the middle drawn anew.',
  conditioning: 'What the pictures were to be of.',
};

/** Image grids over time. */
function Grids({ images }: { images: readonly LogImage[] }) {
  const names = [...new Set(images.map(({ split, kind }) => `${split}/${kind}`))];
  const first =
    names.find((name) => name.endsWith('/samples')) ??
    names.find((name) => name.includes('reconstruction')) ??
    names[0];
  const [chosen, setChosen] = useState(first);
  const name = names.includes(chosen) ? chosen : first;
  const row = images.filter(({ split, kind }) => `${split}/${kind}` === name).sort((a, b) => a.step - b.step);
  const [at, setAt] = useState<number | null>(null);
  // The latest one is followed until somebody moves the slider.
  const index = at === null || at >= row.length ? row.length - 1 : at;
  const image = row[index];
  return (
    <section class="card grids">
      <header class="section-head">
        <h3>Pictures over time</h3>
      </header>
      <SelectField
        label="Kind"
        value={name}
        options={names.map((value) => ({ value, label: value.replaceAll('_', ' ') }))}
        onChange={(value) => {
          setChosen(value);
          setAt(null);
        }}
      />
      <img src={image.url} alt={`${name} at step ${image.step}`} />
      <StepSlider index={index} last={row.length - 1} step={image.step} onChange={setAt} />
      <p class="hint">
        Step {image.step}, epoch {image.epoch}. {KINDS[image.kind] ?? ''}
      </p>
    </section>
  );
}
