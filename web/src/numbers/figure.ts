/** Figures of the service as text, rounded by their unit as in the report's tables. */

import type { components } from '../api/schema';
import { date, number } from './format';

export type Figure = components['schemas']['Figure'];

interface Style {
  scale: number;
  digits: number;
  suffix: string;
  /** The unit for a reader. */
  words: string;
}

const STYLES: Record<Figure['unit'], Style> = {
  percent: { scale: 100, digits: 1, suffix: '%', words: 'Percent' },
  bps: { scale: 1, digits: 0, suffix: ' bps', words: 'Basis points a year; 100 of them are 1%' },
  points: { scale: 1, digits: 1, suffix: ' points', words: 'Percentage points' },
  years: { scale: 1, digits: 1, suffix: ' years', words: 'Years' },
  days: { scale: 1, digits: 0, suffix: ' days', words: 'Days of trading' },
  ratio: { scale: 1, digits: 2, suffix: '', words: 'A ratio, without a unit' },
  weight: { scale: 100, digits: 0, suffix: '%', words: 'Percent of wealth' },
  count: { scale: 1, digits: 0, suffix: '', words: 'A count' },
  probability: { scale: 100, digits: 0, suffix: '%', words: 'A probability, in percent' },
  money: { scale: 1, digits: 0, suffix: '', words: 'An amount of money' },
  text: { scale: 1, digits: 2, suffix: '', words: 'A name, no number' },
  date: { scale: 1, digits: 2, suffix: '', words: 'A date' },
};

/** `signed` for a difference. */
export function figureText({ value, unit, error }: Figure, { signed = false } = {}): string {
  if (typeof value === 'string') return unit === 'date' ? date(value) : value;
  const { scale, digits, suffix } = STYLES[unit];
  const text = `${number(value * scale, digits, { signed })}${suffix}`;
  return typeof error === 'number' ? `${text} ±${number(error * scale, digits)}` : text;
}

export const unitWords = (unit: Figure['unit']): string => STYLES[unit].words;

/** A standard error in the unit that its figure shows. */
export function errorText(error: number, unit: Figure['unit']): string {
  const { scale, digits, suffix } = STYLES[unit];
  const least = 10 ** -digits;
  const amount =
    error * scale < least / 2 ? `less than ${number(least, digits)}` : number(error * scale, digits);
  return amount + suffix.replace('%', ' percentage points');
}
