/** Numbers of a result in their units. */

import type { Configuration, Explanation, Measured } from '../api/results';
import { labelOf } from '../app/fields';
import { bps, MINUS, NOTHING, number, percent, title, words } from '../numbers/format';

const BASIS_POINTS = 10_000;

export function evidenceValue({ value, unit, digits }: Explanation['evidence'][number]): string {
  if (value === null) return NOTHING;
  if (unit === 'bps') return bps(value);
  return unit === 'percent' ? percent(value, digits) : number(value, digits);
}

/** What the colours require: `green needs below 5%, amber below 15%`. */
export function evidenceNeeds({
  requirement: green,
  amber_requirement: amber,
}: Explanation['evidence'][number]): string {
  const needs =
    amber === green ? `green and amber need ${green}` : `green needs ${green}${amber && `, amber ${amber}`}`;
  return needs.replaceAll('-', MINUS);
}

/** A metric by the unit that the catalogue names. */
export function metricValue(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return NOTHING;
  switch (unit) {
    case 'bps':
      return bps(BASIS_POINTS * value, { signed: false });
    case 'ratio':
      return number(value, 2);
    case 'probability':
      return percent(value, 0);
    default:
      return percent(value, 1);
  }
}

/** A value of a fact of the report. */
export function factValue(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined) return NOTHING;
  switch (unit) {
    case 'bps':
      return bps(value, { signed: false });
    case 'points':
      return `${number(value, 1)} points`;
    case 'days':
      return `${number(value)} sessions`;
    case 'years':
      return `${number(value, 1)} years`;
    case 'ratio':
      return number(value, 2);
    default:
      return percent(value, 1);
  }
}

/** `+12 ± 4`, one standard error. */
export function measured({ value, error }: Measured, digits = 0): string {
  const text = number(value, digits, { signed: true });
  return error === null || error === undefined || error === 0 ? text : `${text} ± ${number(error, digits)}`;
}

/** A fraction as basis points without the unit. */
export function inBps(value: number): string {
  return number(BASIS_POINTS * value);
}

const NUMBERS = new Set(['lookback_days', 'decay', 'slope', 'multiplier', 'gain']);

/** The parameters of a configuration that are set, as words: those that are no plain number are fractions. */
export function configurationWords(config: Configuration): string {
  const { weight_function: name, ...parameters } = config;
  const parts = Object.entries(parameters).flatMap(([field, value]) => {
    if (value === null || value === undefined || value === 0) return [];
    if (typeof value === 'string') return [words(value)];
    const text = NUMBERS.has(field)
      ? number(value, decimalsOf(value))
      : percent(value, decimalsOf(100 * value));
    const label = labelOf(field).replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
    return [`${label} ${text}`];
  });
  return [title(name), ...parts].join(', ');
}

/** So many decimals, at most three, write the value in full. */
function decimalsOf(value: number): number {
  return (String(Number(value.toFixed(3))).split('.')[1] ?? '').length;
}
