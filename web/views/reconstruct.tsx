/** Reconstruct: what the autoencoder keeps of a picture. */
import { useEffect, useState } from 'preact/hooks';
import type { ResultImage } from '../../lib/serve/protocol';
import { useApp } from '../app-context';
import { DropZone } from '../parts/drop-zone';
import { NumberField } from '../parts/fields';
import { Icon } from '../parts/icons';
import { Problem } from '../parts/problem';
import { Progress } from '../parts/progress';
import { Unsuitable } from '../parts/unsuitable';
import { useJob } from '../parts/use-job';

export function Reconstruct() {
  const app = useApp();
  const { info } = app;
  const job = useJob();
  const [file, setFile] = useState<Blob | null>(null);
  const [size, setSize] = useState<number | undefined>();
  useEffect(() => {
    if (!file || !info?.can.reconstruct) return;
    void job.start('reconstruct', { settings: { model: info.id, size }, files: { image: file } });
  }, [file, info?.id]);
  useEffect(() => setSize(undefined), [info?.id]);

  if (!info) return <p class="loading">Looking at the model…</p>;
  if (!info.can.reconstruct) return <Unsuitable info={info} wanted="reconstruct pictures: it has no autoencoder" />;
  const result = job.busy ? null : job.status?.result;
  const find = (role: ResultImage['role']) => result?.images.find((image) => image.role === role);
  const [original, back, difference] = [find('original'), find('reconstruction'), find('difference')];
  const channels = result?.images.filter(({ role }) => role === 'latent') ?? [];
  const { psnr, lpips, lpipsNote, latent, compression } = result?.values ?? {};

  return (
    <div class="split">
      <form
        class="panel"
        aria-label="Settings"
        onSubmit={(event) => {
          event.preventDefault();
          if (file) void job.start('reconstruct', { settings: { model: info.id, size }, files: { image: file } });
        }}
      >
        <DropZone label={file ? 'Another picture' : 'Choose a picture'} onFile={setFile} />
        <NumberField
          label="Size"
          hint="The middle of the picture is cut out as a square of so many pixels."
          value={size}
          fallback={info.size.height}
          min={info.multiple}
          max={Math.floor(Math.sqrt(app.server.limits.pixels))}
          step={info.multiple}
          error={job.error?.field === 'size'}
          onChange={setSize}
        />
        <button type="submit" class="primary wide" disabled={!file || job.busy}>
          <Icon name="reconstruct" /> Reconstruct
        </button>
      </form>
      <div class="results">
        {job.busy && <Progress status={job.status} onCancel={job.cancel} />}
        <Problem text={job.error?.message} />
        {original && back && difference ? (
          <>
            <dl class="figures">
              <div>
                <dt>PSNR</dt>
                <dd>{Number(psnr).toFixed(2)} dB</dd>
                <p>Above 30 dB differences are hard to see.</p>
              </div>
              <div>
                <dt>LPIPS</dt>
                <dd>{typeof lpips === 'number' ? lpips.toFixed(4) : 'not measured'}</dd>
                <p>{lpipsNote ?? 'As different as people find it: 0 is the same, 0.1 is close.'}</p>
              </div>
              <div>
                <dt>Latent</dt>
                <dd>{latent}</dd>
                <p>{Number(compression).toFixed(0)} times fewer numbers than the picture has.</p>
              </div>
            </dl>
            <div class="trio">
              <Compare original={original} back={back} />
              <figure>
                <img src={back.url} alt="Reconstruction" />
                <figcaption>Reconstruction</figcaption>
              </figure>
              <figure>
                <img src={difference.url} alt="Difference map" />
                <figcaption>Difference, {difference.text}</figcaption>
              </figure>
            </div>
            <h2>Latent channels</h2>
            <ul class="channels">
              {channels.map((channel) => (
                <li key={channel.url}>
                  <figure>
                    <img src={channel.url} alt={`Channel ${channel.index + 1}`} />
                    <figcaption>
                      {channel.index + 1}: {channel.text}
                    </figcaption>
                  </figure>
                </li>
              ))}
            </ul>
          </>
        ) : (
          !job.busy && (
            <div class="welcome">
              <h2>What the autoencoder keeps</h2>
              <p>
                The model draws in the small latent space of an autoencoder. Here you see what a picture loses on the
                way into it and back.
              </p>
            </div>
          )
        )}
      </div>
    </div>
  );
}

/** Original and reconstruction in one place, with a border that moves. */
function Compare({ original, back }: { original: ResultImage; back: ResultImage }) {
  const [at, setAt] = useState(50);
  return (
    <figure>
      <div class="compare">
        <img src={back.url} alt="Reconstruction" />
        <img src={original.url} alt="Original" style={{ clipPath: `inset(0 ${100 - at}% 0 0)` }} />
        <span class="border" style={{ left: `${at}%` }} aria-hidden="true" />
        <input
          type="range"
          min={0}
          max={100}
          value={at}
          aria-label="Border between original and reconstruction"
          onInput={(event) => setAt(event.currentTarget.valueAsNumber)}
        />
      </div>
      <figcaption>Original | reconstruction</figcaption>
    </figure>
  );
}
