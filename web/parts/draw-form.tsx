/** The settings of a drawing; which fields there are follows from the model. */
import type { ModelInfo, ServerInfo } from '../../lib/serve/protocol';
import type { FormSettings } from '../settings';
import { NumberField, RangeField, SelectField, TextField } from './fields';

export interface DrawFormProps {
  info: ModelInfo;
  server: ServerInfo;
  settings: FormSettings;
  onChange: (change: Partial<FormSettings>) => void;
  /** The field that the server found wrong. */
  wrong?: string;
  /** What belongs to drawing without a picture only. */
  size?: boolean;
  sampler?: boolean;
  batch?: boolean;
}

const SAMPLERS: Readonly<Record<string, string>> = {
  ddim: 'DDIM',
  plms: 'PLMS',
  ddpm: 'Ancestral (all steps)',
};

/** What the picture is of. */
export function Condition({ info, server, settings, onChange }: DrawFormProps) {
  if (info.kind === 'text' || info.kind === 'text-inpainting' || info.kind === 'text-upscaling')
    return (
      <TextField
        label="Prompt"
        value={settings.prompt}
        onChange={(prompt) => onChange({ prompt })}
        rows={3}
        maxLength={server.limits.promptLength}
        placeholder="avatar, curly orange hair, round glasses, big smile"
      />
    );
  if (info.classes) {
    const options = info.classes.map(({ label, name }) => ({ value: String(label), label: name.split(',')[0] }));
    return (
      <SelectField
        label="Class"
        value={String(settings.label ?? 0)}
        options={options}
        onChange={(label) => onChange({ label: Number(label) })}
      />
    );
  }
  return <p class="hint">{WITHOUT_WORDS[info.kind] ?? WITHOUT_WORDS.unconditional} Each seed is another picture.</p>;
}

/** What models do that take neither a text nor a class. */
const WITHOUT_WORDS: Readonly<Record<string, string>> = {
  unconditional: 'This model draws without being told what.',
  inpainting: 'This model fills in what fits to the rest of the picture.',
  'super-resolution': 'This model enlarges small pictures four times.',
};

/** How it is drawn. */
export function DrawOptions(props: DrawFormProps) {
  const { info, server, settings, onChange, wrong } = props;
  const { defaults } = info;
  const ancestral = settings.sampler === 'ddpm';
  const texts = info.kind === 'text' || info.kind === 'text-inpainting' || info.kind === 'text-upscaling';
  return (
    <>
      {texts && (
        <TextField
          label="Negative prompt"
          hint="What guidance leads away from."
          value={settings.negativePrompt}
          rows={1}
          maxLength={server.limits.promptLength}
          onChange={(negativePrompt) => onChange({ negativePrompt })}
        />
      )}
      {props.size && !info.fixedSize && <SizeFields {...props} />}
      {!ancestral && (
        <RangeField
          label="Steps"
          hint="More steps take longer and draw finer."
          value={settings.steps}
          fallback={defaults.steps}
          min={1}
          max={Math.min(info.timesteps, server.limits.steps, 250)}
          error={wrong === 'steps'}
          onChange={(steps) => onChange({ steps })}
        />
      )}
      {info.guidance && !ancestral && (
        <RangeField
          label="Guidance"
          hint="How strictly the picture follows; 1 is not at all."
          value={settings.scale}
          fallback={defaults.scale}
          min={1}
          max={15}
          step={0.5}
          error={wrong === 'scale'}
          onChange={(scale) => onChange({ scale })}
        />
      )}
      <div class="pair">
        {props.sampler && (
          <SelectField
            label="Sampler"
            value={settings.sampler}
            options={server.samplers.map((value) => ({ value, label: SAMPLERS[value] ?? value }))}
            onChange={(sampler) => onChange({ sampler })}
          />
        )}
        <NumberField
          label="Seed"
          placeholder="random"
          value={settings.seed}
          min={0}
          max={Number.MAX_SAFE_INTEGER}
          error={wrong === 'seed'}
          onChange={(seed) => onChange({ seed })}
        />
      </div>
      {settings.sampler === 'ddim' && (
        <RangeField
          label="Eta"
          hint="Noise in each step: 0 is deterministic, 1 as in the DDPM paper."
          value={settings.eta}
          fallback={defaults.eta}
          min={0}
          max={1}
          step={0.05}
          error={wrong === 'eta'}
          onChange={(eta) => onChange({ eta })}
        />
      )}
      {props.batch && (
        <RangeField
          label="Pictures"
          value={settings.n}
          fallback={1}
          min={1}
          max={server.limits.batch}
          error={wrong === 'n'}
          onChange={(n) => onChange({ n: n ?? 1 })}
        />
      )}
    </>
  );
}

function SizeFields({ info, server, settings, onChange, wrong }: DrawFormProps) {
  const most = Math.floor(Math.min(2048, server.limits.pixels / info.multiple) / info.multiple) * info.multiple;
  const side = (name: 'width' | 'height') => (
    <NumberField
      label={name === 'width' ? 'Width' : 'Height'}
      value={settings[name]}
      fallback={info.size[name]}
      min={info.multiple}
      max={most}
      step={info.multiple}
      error={wrong === name}
      onChange={(value) => onChange({ [name]: value })}
    />
  );
  return (
    <div>
      <div class="pair">
        {side('width')}
        {side('height')}
      </div>
      <p class="hint">
        Trained for {info.size.width} × {info.size.height}; sides are multiples of {info.multiple}.
      </p>
    </div>
  );
}
