import { bps, number, percent } from '../numbers/format';

/** The statistic of a limit in its unit; of the drawdown it is a probability. */
export function limitValue(name: string, value: number): string {
  switch (name) {
    case 'max_drawdown':
      return `${percent(value, 0)} of paths`;
    case 'cost_bps':
      return bps(value, { signed: false });
    case 'turnover':
    case 'leverage':
      return `${number(value, 2)} x`;
    default:
      return percent(value);
  }
}
