import { bps, number, percent } from './format';

type Unit = 'percent' | 'ratio' | 'weight' | 'bps' | 'probability';

const BASIS_POINTS = 10_000;

/** A metric in its unit, as in the report. */
export function metric(value: number, unit: Unit): string {
  switch (unit) {
    case 'bps':
      return bps(BASIS_POINTS * value, { signed: false });
    case 'ratio':
      return number(value, 2);
    case 'probability':
      return percent(value, 0);
    default:
      return percent(value);
  }
}
