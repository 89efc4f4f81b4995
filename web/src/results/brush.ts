/** Ranges of measures that select trials, as the address and the service write them: `volatility:0.1..0.12`. */

import type { Range } from '../charts/ScatterChart';
import { number, percent } from '../numbers/format';

export type Field = 'volatility' | 'excess_return' | 'drawdown' | 'objective';
export type Brush = Partial<Record<Field, Range | null>>;

const share = (value: number) => percent(value, 1);

/** The measures of a trial over all scenarios, in the order of the parallel axes. */
export const AXES: readonly { field: Field; name: string; format: (value: number) => string }[] = [
  { field: 'volatility', name: 'Volatility', format: share },
  { field: 'excess_return', name: 'Return over cash', format: share },
  { field: 'drawdown', name: 'Mean drawdown', format: share },
  { field: 'objective', name: 'Objective, bps', format: (value) => number(10_000 * value) },
];

const PART = /^(volatility|excess_return|drawdown|objective):(-?[\d.e-]+)\.\.(-?[\d.e-]+)$/;
const DIGITS = 6;

/** Parts that cannot be read are left out. */
export function readBrush(text: string | null): Brush {
  const parts = (text ?? '').split(';').flatMap((part) => {
    const [, field, low, high] = PART.exec(part) ?? [];
    const range = { low: Number(low), high: Number(high) };
    return field === undefined || Number.isNaN(range.low + range.high) ? [] : [[field, range] as const];
  });
  return Object.fromEntries(parts);
}

/** Null where nothing is selected. */
export function writeBrush(brush: Brush): string | null {
  const parts = Object.entries(brush).flatMap(([field, range]) =>
    range ? [`${field}:${range.low.toFixed(DIGITS)}..${range.high.toFixed(DIGITS)}`] : [],
  );
  return parts.length === 0 ? null : parts.join(';');
}

export function inRanges(point: Record<Field, number>, brush: Brush): boolean {
  return Object.entries(brush).every(([field, range]) => {
    const value = point[field as Field];
    return !range || (value >= range.low && value <= range.high);
  });
}
