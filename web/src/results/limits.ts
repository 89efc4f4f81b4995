import { bps, number, percent, title } from '../numbers/format';

/** Whether a strategy keeps the limits, or which it breaks; `limits` has their labels. */
export function limitsKept(
  { feasible, breaches = [] }: { feasible: boolean; breaches?: readonly string[] },
  limits: readonly { name: string; label: string }[],
): string {
  const labels = breaches.map((name) => limits.find((each) => each.name === name)?.label ?? title(name));
  return feasible ? 'met' : ['broken', labels.join('; ')].filter(Boolean).join(': ');
}

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
