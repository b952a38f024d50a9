/** Form fields with their labels, hints and ranges. */
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface FieldProps {
  label: string;
  hint?: string;
  error?: boolean;
}

export function Field({ label, hint, error, id, children }: FieldProps & { id: string; children: ComponentChildren }) {
  return (
    <div class={`field${error ? ' wrong' : ''}`}>
      <label for={id}>{label}</label>
      {children}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

interface NumberProps extends FieldProps {
  /** Undefined shows the default. */
  value: number | undefined;
  fallback?: number;
  onChange: (value: number | undefined) => void;
  min: number;
  max: number;
  step?: number;
  placeholder?: string;
}

/** A number; empty is the default. */
export function NumberField({
  label,
  hint,
  error,
  value,
  fallback,
  onChange,
  min,
  max,
  step = 1,
  placeholder,
}: NumberProps) {
  const id = useId();
  return (
    <Field label={label} hint={hint} error={error} id={id}>
      <input
        id={id}
        type="number"
        inputMode="decimal"
        min={min}
        max={max}
        step={step}
        value={value ?? ''}
        placeholder={placeholder ?? (fallback === undefined ? '' : String(fallback))}
        aria-invalid={error}
        onInput={(event) => onChange(event.currentTarget.value === '' ? undefined : event.currentTarget.valueAsNumber)}
      />
    </Field>
  );
}

/** A slider with its number beside it. */
export function RangeField({ label, hint, error, value, fallback = 0, onChange, min, max, step = 1 }: NumberProps) {
  const id = useId();
  const shown = value ?? fallback;
  const set = (text: string, number: number) => onChange(text === '' || Number.isNaN(number) ? undefined : number);
  return (
    <Field label={label} hint={hint} error={error} id={id}>
      <div class="range">
        <input
          type="range"
          min={min}
          max={max}
          step={step}
          value={shown}
          aria-label={`${label}, slider`}
          onInput={(event) => onChange(event.currentTarget.valueAsNumber)}
        />
        <input
          id={id}
          type="number"
          min={min}
          max={max}
          step={step}
          value={shown}
          aria-invalid={error}
          onInput={(event) => set(event.currentTarget.value, event.currentTarget.valueAsNumber)}
        />
      </div>
    </Field>
  );
}

interface SelectProps extends FieldProps {
  value: string;
  options: readonly { value: string; label: string }[];
  onChange: (value: string) => void;
}

export function SelectField({ label, hint, value, options, onChange }: SelectProps) {
  const id = useId();
  return (
    <Field label={label} hint={hint} id={id}>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </Field>
  );
}

interface TextProps extends FieldProps {
  value: string;
  onChange: (value: string) => void;
  rows?: number;
  placeholder?: string;
  maxLength?: number;
}

export function TextField({ label, hint, value, onChange, rows = 2, placeholder, maxLength }: TextProps) {
  const id = useId();
  return (
    <Field label={label} hint={hint} id={id}>
      <textarea
        id={id}
        rows={rows}
        value={value}
        placeholder={placeholder}
        maxLength={maxLength}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </Field>
  );
}

/** A choice of a few, side by side. */
export function Segmented<T extends string>(props: {
  label: string;
  value: T;
  options: readonly { value: T; label: string; disabled?: boolean }[];
  onChange: (value: T) => void;
}) {
  const name = useId();
  return (
    <fieldset class="segmented">
      <legend class="hidden">{props.label}</legend>
      {props.options.map(({ value, label, disabled }) => (
        <label key={value} class={value === props.value ? 'on' : ''}>
          <input
            type="radio"
            class="hidden"
            name={name}
            checked={value === props.value}
            disabled={disabled}
            onChange={() => props.onChange(value)}
          />
          {label}
        </label>
      ))}
    </fieldset>
  );
}
