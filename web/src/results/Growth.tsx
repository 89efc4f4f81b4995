import type { Charts } from '../api/results';
import { Empty } from '../app/states';
import { DatedChart } from './DatedChart';

/** Wealth with the strategy, the constant weight and the asset. */
export function Growth({ charts, height }: { charts: Charts; height?: number }) {
  const { growth, findings } = charts;
  if (!growth)
    return <Empty title="No history">Without a strategy within the limits there is no wealth to draw.</Empty>;
  return (
    <DatedChart
      id="growth"
      title={findings?.growth ?? 'Growth of one unit of wealth'}
      about="Wealth after costs on real prices, cash included, on a logarithmic scale."
      axis="Wealth"
      unit="number"
      log
      series={{
        dates: growth.dates,
        Strategy: growth.strategy,
        'Constant weight': growth.constant_weight,
        Asset: growth.asset,
      }}
      trainEnd={growth.train_end}
      {...(height === undefined ? {} : { height })}
    />
  );
}
