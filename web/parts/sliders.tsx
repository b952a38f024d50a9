/** Pictures in an order, with a slider: frames between two pictures, steps of a drawing. */
import { useState } from 'preact/hooks';
import type { ResultImage } from '../../lib/serve/protocol';

export function FrameSlider({ images, label }: { images: readonly ResultImage[]; label: string }) {
  const [at, setAt] = useState(0);
  const image = images[Math.min(at, images.length - 1)];
  return (
    <figure class="frames">
      <img
        class="big"
        src={image.url}
        alt={`${at + 1} of ${images.length}`}
        width={image.width}
        height={image.height}
      />
      <input
        type="range"
        min={0}
        max={images.length - 1}
        value={at}
        aria-label={label}
        aria-valuetext={`${at + 1} of ${images.length}`}
        onInput={(event) => setAt(event.currentTarget.valueAsNumber)}
      />
      <ul class="film" aria-label="All pictures">
        {images.map((one, i) => (
          <li key={one.url}>
            <button type="button" aria-label={`Picture ${i + 1}`} aria-current={i === at} onClick={() => setAt(i)}>
              <img src={one.url} alt="" />
            </button>
          </li>
        ))}
      </ul>
    </figure>
  );
}

/** x_t and x_0 over the steps, beside the finished picture. */
export function Timeline({ images }: { images: readonly ResultImage[] }) {
  const noisy = images.filter(({ role }) => role === 'xt');
  const clean = images.filter(({ role }) => role === 'x0');
  const finished = images.find(({ role }) => role === 'picture');
  const [at, setAt] = useState(0);
  const index = Math.min(at, noisy.length - 1);
  if (index < 0 || !finished) return null;
  const { step } = noisy[index];
  return (
    <div class="timeline">
      <div class="trio">
        <figure>
          <img src={noisy[index].url} alt={`Noisy, after step ${step}`} />
          <figcaption>
            x<sub>t</sub> after step {step}
          </figcaption>
        </figure>
        <figure>
          <img src={clean[index].url} alt={`Clean estimate in step ${step}`} />
          <figcaption>
            x<sub>0</sub> as seen in step {step}
          </figcaption>
        </figure>
        <figure>
          <img src={finished.url} alt="Finished" />
          <figcaption>Finished</figcaption>
        </figure>
      </div>
      <StepSlider index={index} last={noisy.length - 1} step={step} onChange={setAt} />
      <div class="strips">
        {[noisy, clean].map((row) => (
          <ul
            class="film"
            key={row === noisy ? 'xt' : 'x0'}
            aria-label={row === noisy ? 'Noisy pictures' : 'Clean estimates'}
          >
            {row.map((one, i) => (
              <li key={one.url}>
                <button
                  type="button"
                  aria-label={`Step ${one.step}`}
                  aria-current={i === index}
                  onClick={() => setAt(i)}
                >
                  <img src={one.url} alt="" />
                </button>
              </li>
            ))}
          </ul>
        ))}
      </div>
    </div>
  );
}

/** A slider over what is there of some steps. @param props.step the step at `index`, for screen readers */
export function StepSlider(props: {
  index: number;
  last: number;
  step: number | undefined;
  onChange: (index: number) => void;
}) {
  const { index, last, step, onChange } = props;
  return (
    <input
      type="range"
      min={0}
      max={last}
      value={index}
      aria-label="Step"
      aria-valuetext={`Step ${step}`}
      onInput={(event) => onChange(event.currentTarget.valueAsNumber)}
    />
  );
}
