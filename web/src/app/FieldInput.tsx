import { Select } from '@mantine/core';

import type { Field } from '../api/catalogue';
import { choiceName, errorOf, labelOf, meaningOf, scaleOf, suffixOf, type Value } from './fields';
import { NumberField } from './NumberField';

interface Props {
  field: Field;
  value: Value;
  /** Why it has no effect now. */
  inactive: string | null;
  error: string | undefined;
  readOnly?: boolean;
  change: (value: Value) => void;
}

/** One field of the catalogue: its range, unit and meaning are the server's. */
export function FieldInput({ field, value, inactive, error, readOnly = false, change }: Props) {
  const label = labelOf(field.name);
  const about = inactive ?? (meaningOf(field) || undefined);
  const common = {
    label,
    description: about,
    disabled: inactive !== null,
    error: errorOf(error, value, field),
    readOnly,
  };
  if (field.type === 'choice') {
    return (
      <Select
        {...common}
        data={(field.choices ?? []).map((name) => ({ value: String(name), label: choiceName(name) }))}
        allowDeselect={false}
        value={value === null ? null : String(value)}
        onChange={(chosen) => change(typeof field.choices?.[0] === 'number' ? Number(chosen) : chosen)}
      />
    );
  }
  const scale = scaleOf(field);
  return (
    <NumberField
      {...common}
      value={typeof value === 'number' ? rounded(value * scale) : ''}
      min={typeof field.minimum === 'number' ? rounded(field.minimum * scale) : undefined}
      max={typeof field.maximum === 'number' ? rounded(field.maximum * scale) : undefined}
      step={stepOf(field)}
      decimalScale={field.type === 'integer' ? 0 : 3}
      suffix={suffixOf(field)}
      filled
      onChange={(typed) => {
        if (typeof typed === 'number') change(rounded(typed / scale));
      }}
    />
  );
}

/** Without the digits that a scale of a hundred adds to a binary fraction. */
function rounded(value: number): number {
  return Number(value.toPrecision(12));
}

function stepOf({ name, unit, type }: Field): number {
  if (name === 'lookback_days') return 21;
  if (name === 'decay') return 0.01;
  if (name === 'min_weight' || name === 'max_weight') return 5;
  if (type === 'integer' || unit !== 'number') return 1;
  return 0.1;
}
