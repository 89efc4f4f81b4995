/** Words for scenarios and their statistics. */

import { number, percent, title } from '../numbers/format';

export const IDENTIFIER = /^[a-z][a-z0-9_]{0,63}$/;
export const IDENTIFIER_ABOUT = 'Lower-case letters, digits and underscores, the first a letter';

interface Statistic {
  label: string;
  format: (value: number) => string;
}

const STATISTICS: Record<string, Statistic> = {
  mean: { label: 'Mean return a year', format: (value) => percent(value) },
  volatility: { label: 'Volatility a year', format: (value) => percent(value) },
  skewness: { label: 'Skewness of a day', format: (value) => number(value, 2) },
  kurtosis: { label: 'Kurtosis of a day', format: (value) => number(value, 2) },
  wealth: { label: 'Mean wealth at the end', format: (value) => number(value, 3) },
};

/** `memory_20` is the correlation of the size of a day's return with that of 20 days before. */
export function statistic(name: string): Statistic {
  const lag = name.match(/^memory_(\d+)$/)?.[1];
  if (lag === undefined)
    return STATISTICS[name] ?? { label: title(name), format: (value) => number(value, 3) };
  return {
    label: lag === '1' ? 'Memory of moves, a day later' : `Memory of moves, ${lag} days later`,
    format: (value) => number(value, 3),
  };
}
