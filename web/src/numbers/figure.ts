/** Figures of the service as text, rounded by their unit as in the report's tables. */

import type { components } from '../api/schema';
import { date, number } from './format';

export type Figure = components['schemas']['Figure'];

const STYLES: Record<string, { scale: number; digits: number; suffix: string }> = {
  percent: { scale: 100, digits: 1, suffix: '%' },
  bps: { scale: 1, digits: 0, suffix: ' bps' },
  points: { scale: 1, digits: 1, suffix: ' points' },
  years: { scale: 1, digits: 1, suffix: ' years' },
  days: { scale: 1, digits: 0, suffix: ' days' },
  ratio: { scale: 1, digits: 2, suffix: '' },
  weight: { scale: 100, digits: 0, suffix: '%' },
  count: { scale: 1, digits: 0, suffix: '' },
  probability: { scale: 100, digits: 0, suffix: '%' },
  money: { scale: 1, digits: 0, suffix: '' },
};

/** `signed` for a difference. */
export function figureText({ value, unit, error }: Figure, { signed = false } = {}): string {
  if (typeof value === 'string') return unit === 'date' ? date(value) : value;
  const { scale, digits, suffix } = STYLES[unit] ?? { scale: 1, digits: 2, suffix: '' };
  const text = `${number(value * scale, digits, { signed })}${suffix}`;
  return typeof error === 'number' ? `${text} ±${number(error * scale, digits)}` : text;
}
