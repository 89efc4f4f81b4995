import { SimpleGrid, Stack } from '@mantine/core';

import type { Charts, Result } from '../api/results';
import { useCatalogueQuery } from '../api/catalogue';
import { Panel } from '../app/Page';
import { BarChart } from '../charts/BarChart';
import { FanChart } from '../charts/FanChart';
import { number, percent, plural, title } from '../numbers/format';
import { FigureLink } from './FigureLink';
import { LimitRows } from './LimitRows';
import { measured, metricValue } from './numbers';
import { Rows } from './Rows';
import { DatedChart } from './DatedChart';

const BENEFIT = {
  name: 'Benefit, bps a year',
  format: (value: number) => number(value, 0, { signed: true }),
};
const SHOWN = ['volatility', 'sharpe', 'max_drawdown', 'value_at_risk', 'expected_shortfall'] as const;

const downwards = (fall: number) => -fall;

/** World by world, the limits, drawdowns and volatility. */
export function Risk({ result, charts }: { result: Result; charts: Charts }) {
  const { data } = useCatalogueQuery();
  const { scenarios: bars, drawdown, rolling_volatility: rolling, fan, findings } = charts;
  const columns = SHOWN.map((name) => ({ name, row: data?.metrics.find((each) => each.name === name) }));
  return (
    <Stack>
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        {bars && (
          <Panel>
            <BarChart
              id="scenarios"
              title={findings?.scenarios ?? 'Benefit by scenario'}
              about="Winner minus constant weight of the same volatility; the interval is of the simulated paths, and history is one path."
              label="Scenario"
              horizontal
              categories={bars.map(({ scenario }) => title(scenario))}
              axis={BENEFIT}
              series={[
                {
                  name: 'Benefit',
                  values: bars.map(({ benefit_bps: benefit }) => benefit),
                  low: bars.map(({ low }) => low),
                  high: bars.map(({ high }) => high),
                  role: 'main',
                },
              ]}
            />
          </Panel>
        )}
        {drawdown && (
          <Panel>
            <DatedChart
              id="drawdown"
              title={findings?.drawdown ?? 'Drawdown'}
              about="Fall from the highest wealth so far, on real prices."
              axis="Fall from the peak"
              series={{
                dates: drawdown.dates,
                Strategy: drawdown.strategy.map(downwards),
                'Constant weight': drawdown.constant_weight.map(downwards),
                Asset: drawdown.asset.map(downwards),
              }}
              trainEnd={drawdown.train_end}
            />
          </Panel>
        )}
        {rolling && (
          <Panel>
            <DatedChart
              id="rolling-volatility"
              title={findings?.rolling_volatility ?? 'Rolling volatility'}
              about={`Volatility of the last ${rolling.window} sessions a year, against the target of ${percent(rolling.target)}.`}
              axis="Volatility a year"
              series={{
                dates: rolling.dates,
                Strategy: rolling.strategy,
                'Constant weight': rolling.constant_weight,
                Target: rolling.dates.map(() => rolling.target),
              }}
              trainEnd={rolling.train_end}
            />
          </Panel>
        )}
        {fan && (
          <Panel>
            <FanChart
              id="fan"
              title={findings?.fan ?? 'Wealth in the years to come'}
              about={`Quantiles of wealth over ${number(fan.paths)} histories, each drawn in blocks from the strategy’s own days.`}
              years={fan.years}
              levels={fan.levels}
              bands={fan.bands}
            />
          </Panel>
        )}
        <Panel wide>
          <LimitRows
            title={result.limits.length > 0 ? 'The limits of the mandate' : 'The mandate sets no limit'}
            checks={result.limits}
          />
        </Panel>
        {(result.worlds ?? []).length > 0 && (
          <Panel wide>
            <Rows
              title={`The risky asset in each simulated world, over ${plural(result.counts.years, 'year')}`}
              heads={['World', 'Mean', 'Volatility', 'Sharpe ratio', 'Worst day', 'Worst month']}
              rows={(result.worlds ?? []).map((world) => ({
                key: world.scenario,
                cells: [
                  title(world.scenario),
                  percent(world.mean, 1, { signed: true }),
                  percent(world.volatility),
                  number(world.sharpe, 2, { signed: true }),
                  percent(world.worst_day, 1, { signed: true }),
                  percent(world.worst_month, 1, { signed: true }),
                ],
              }))}
            />
          </Panel>
        )}
      </SimpleGrid>
      {result.scenarios.length > 0 && (
        <Panel>
          <Rows
            title="The strategy in each scenario"
            heads={[
              'Scenario',
              'Weight',
              'Benefit, bps',
              'Timing, bps',
              ...columns.map(({ name, row }) => row?.label ?? name),
              'Regret, bps',
            ]}
            rows={result.scenarios.map((each) => ({
              key: each.scenario,
              cells: [
                title(each.scenario),
                percent(each.weight, 0),
                <FigureLink key="benefit" id={`in_${each.scenario}_benefit_bps`}>
                  {measured(each.benefit_bps)}
                </FigureLink>,
                measured(each.timing_bps),
                ...columns.map(({ name, row }) =>
                  metricValue(each.winner.metrics[name].value, row?.unit ?? 'percent'),
                ),
                number(each.regret_bps),
              ],
            }))}
          />
        </Panel>
      )}
    </Stack>
  );
}
