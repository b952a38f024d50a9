/** Models: what the server has, and what is in the files. */
import { useEffect, useState } from 'preact/hooks';
import type { ModelInspection } from '../../lib/serve/inspect-model';
import type { ModelEntry } from '../../lib/serve/protocol';
import { type ApiError, getJson } from '../api';
import { useApp } from '../app-context';
import { formatAgo, formatBytes, formatCount } from '../format';
import { Problem } from '../parts/problem';
import { Progress } from '../parts/progress';
import { useJob } from '../parts/use-job';

export function Models() {
  const { models, info, chooseModel, refreshModels, say } = useApp();
  const [opened, setOpened] = useState<string | null>(null);
  const job = useJob();
  useEffect(() => refreshModels(), []);
  const load = async (model: ModelEntry) => {
    chooseModel(model.id);
    if (!(await job.start('load', { settings: { model: model.id } }))) return;
    refreshModels();
    say(`${model.name} is loaded.`);
  };
  return (
    <div class="narrow">
      <header class="section-head">
        <h2>Models</h2>
        <span class="count">{models.length}</span>
      </header>
      {job.busy && <Progress status={job.status} onCancel={job.cancel} />}
      <Problem text={job.error?.message} />
      {models.length === 0 && (
        <p class="note">
          There are no models. Start the server with <code>ldm serve --models FOLDER</code>.
        </p>
      )}
      <ul class="cards">
        {models.map((model) => (
          <li key={model.id} class={`card${info?.id === model.id ? ' chosen' : ''}`}>
            <div class="card-head">
              <div>
                <h3>{model.name}</h3>
                <p class="hint">
                  <code>{model.checkpoint}</code> · {formatBytes(model.bytes)} · {formatAgo(model.modified)}
                </p>
              </div>
              <div class="badges">
                {info?.id === model.id && <span class="badge accent">in use</span>}
                {model.loaded && <span class="badge">loaded</span>}
              </div>
            </div>
            {model.problem && <p class="note">{model.problem}</p>}
            <div class="actions">
              {model.problem === null && (
                <button
                  type="button"
                  class={info?.id === model.id ? '' : 'primary'}
                  disabled={job.busy}
                  onClick={() => load(model)}
                >
                  {info?.id === model.id ? (model.loaded ? 'Load again' : 'Load') : 'Use'}
                </button>
              )}
              <button
                type="button"
                aria-expanded={opened === model.id}
                onClick={() => setOpened(opened === model.id ? null : model.id)}
              >
                {opened === model.id ? 'Hide details' : 'Details'}
              </button>
            </div>
            {opened === model.id && <Details id={model.id} />}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** What the parts of models are, for people. */
const PARTS: Readonly<Record<string, string>> = {
  model: 'network',
  model_ema: 'averaged copy of the network',
  first_stage_model: 'first stage (autoencoder)',
  cond_stage_model: 'condition (text or class encoder)',
  encoder: 'encoder',
  decoder: 'decoder',
  loss: 'loss networks, for training only',
  buffers: 'noise schedule',
};

function Details({ id }: { id: string }) {
  const [found, setFound] = useState<ModelInspection | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  useEffect(() => {
    getJson<ModelInspection>('api/models/inspect', { model: id }).then(setFound, (error: ApiError) =>
      setProblem(error.message),
    );
  }, [id]);
  if (problem) return <Problem text={problem} />;
  if (!found) return <p class="loading">Looking into the file…</p>;
  const rows: [string, string][] = [
    ['Format', `${found.format}, ${formatBytes(found.bytes)}`],
    ['Values', `${formatCount(found.elements)} in ${found.tensors} tensors`],
    [
      'Number format',
      Object.entries(found.dtypes)
        .map(([dtype, n]) => `${dtype} (${n})`)
        .join(', '),
    ],
    ['Averaged weights', found.ema ? 'yes' : 'no'],
  ];
  if (found.globalStep !== null) rows.push(['Trained for', `${found.globalStep} steps, ${found.epoch ?? 0} epochs`]);
  if (found.learningRate !== null) rows.push(['Learning rate', String(found.learningRate)]);
  for (const [key, value] of Object.entries(found.metadata)) rows.push([key, value]);
  return (
    <div class="details">
      <dl class="settings">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <h4>Parts</h4>
      <table>
        <thead>
          <tr>
            <th scope="col">Part</th>
            <th scope="col">What it is</th>
            <th scope="col">Values</th>
          </tr>
        </thead>
        <tbody>
          {found.groups.map(({ name, elements }) => (
            <tr key={name}>
              <td>
                <code>{name}</code>
              </td>
              <td>{PARTS[name] ?? ''}</td>
              <td>{formatCount(elements)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.targets && (
        <>
          <h4>Classes of the config</h4>
          <table>
            <tbody>
              {Object.entries(found.targets).map(([path, target]) => (
                <tr key={path}>
                  <th scope="row">
                    <code>{path.split('.').at(-1)}</code>
                  </th>
                  <td>
                    <code>{target}</code>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
    </div>
  );
}
