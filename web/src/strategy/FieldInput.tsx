import { NumberInput, Select } from '@mantine/core';

import { title } from '../numbers/format';
import type { Value } from './draft';
import type { Field } from './requests';

const PERCENT = 100;
const LABELS: Record<string, string> = {
  lookback_days: 'Look-back',
  max_change: 'Largest change',
  min_weight: 'Smallest weight',
  max_weight: 'Largest weight',
  no_trade_band: 'No-trade band',
  transaction_cost_bps: 'Transaction cost',
  borrow_spread_bps: 'Borrowing spread',
};
const SUFFIXES: Record<NonNullable<Field['unit']>, string> = {
  fraction: '%',
  fraction_per_year: '%',
  basis_points: ' bps',
  sessions: ' sessions',
  years: ' years',
  count: '',
  number: '',
  per_year: ' a year',
};

interface Props {
  field: Field;
  value: Value;
  /** Why it has no effect now. */
  inactive: string | null;
  error: string | undefined;
  change: (value: Value) => void;
}

/** One field of the catalogue: its range, unit and meaning are the server's. */
export function FieldInput({ field, value, inactive, error, change }: Props) {
  const label = LABELS[field.name] ?? title(field.name);
  const about =
    inactive ?? ([field.meaning, field.effect].filter(Boolean).join('. ').replaceAll('`', '') || undefined);
  const common = { label, description: about, disabled: inactive !== null, error };
  if (field.type === 'choice') {
    return (
      <Select
        {...common}
        data={(field.choices ?? []).map((name) => ({ value: String(name), label: title(String(name)) }))}
        allowDeselect={false}
        value={value === null ? null : String(value)}
        onChange={(chosen) => change(chosen)}
      />
    );
  }
  const scale = field.unit === 'fraction' || field.unit === 'fraction_per_year' ? PERCENT : 1;
  return (
    <NumberInput
      {...common}
      value={typeof value === 'number' ? rounded(value * scale) : ''}
      min={typeof field.minimum === 'number' ? rounded(field.minimum * scale) : undefined}
      max={typeof field.maximum === 'number' ? rounded(field.maximum * scale) : undefined}
      step={stepOf(field)}
      decimalScale={field.type === 'integer' ? 0 : 3}
      suffix={field.unit ? SUFFIXES[field.unit] : ''}
      clampBehavior="blur"
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
  if (name === 'min_weight' || name === 'max_weight') return 5;
  if (type === 'integer' || unit !== 'number') return 1;
  return 0.1;
}
