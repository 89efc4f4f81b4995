import { SimpleGrid } from '@mantine/core';
import { useMemo } from 'react';

import type { Charts, Explanation, Result } from '../api/results';
import { Panel } from '../app/Page';
import { Heatmap } from '../charts/Heatmap';
import { BarChart } from '../charts/BarChart';
import { date, number, percent, plural } from '../numbers/format';
import { Assets } from './Assets';
import { DatedChart } from './DatedChart';
import { Growth } from './Growth';
import { FigureLink } from './FigureLink';
import { factValue } from './numbers';
import classes from './results.module.css';
import { Rows } from './Rows';

const RETURN = { name: 'Return', format: (value: number) => percent(value, 1, { signed: true }) };

/** On real prices: weights, wealth, calendar years and crises. */
export function History({
  result,
  charts,
  explanation,
}: {
  result: Result;
  charts: Charts;
  explanation: Explanation;
}) {
  const { weights, years, falls, rolling_sharpe: sharpe, monthly_returns: months, findings } = charts;
  const monthly = useMemo(() => calendar(months ?? []), [months]);
  const ids = new Set(explanation.figures.map(({ id }) => id));
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} className={classes.pairs}>
      <Panel>
        <Growth charts={charts} />
      </Panel>
      {weights && (
        <Panel>
          <DatedChart
            id="weights"
            title={findings?.weights ?? 'Weight over time'}
            about={`Weight of the risky leg; ${plural(weights.rebalance_count, 'trade')}, the last on ${date(weights.rebalances.at(-1)?.date ?? weights.dates.at(-1) ?? '')}.`}
            axis="Weight"
            series={{
              dates: weights.dates,
              Strategy: weights.strategy,
              'Constant weight': weights.constant_weight,
            }}
            trainEnd={weights.train_end}
          />
        </Panel>
      )}
      {result.attribution && <Assets attribution={result.attribution} weights={weights ?? null} />}
      {years && (
        <Panel>
          <BarChart
            id="years"
            title={findings?.years ?? 'Calendar years'}
            about="Return of each calendar year, after costs; a year of which the history has a part is marked."
            label="Year"
            categories={years.map(({ year, partial }) => `${year}${partial ? ' (part)' : ''}`)}
            axis={RETURN}
            series={[
              { name: 'Strategy', values: years.map(({ strategy }) => strategy), role: 'main' },
              {
                name: 'Constant weight',
                values: years.map(({ constant_weight: constant }) => constant),
                role: 'benchmark',
              },
            ]}
          />
        </Panel>
      )}
      {sharpe && (
        <Panel>
          <DatedChart
            id="rolling-sharpe"
            title={findings?.rolling_sharpe ?? 'Rolling Sharpe ratio'}
            about={`Sharpe ratio of the last ${sharpe.window} sessions, a year.`}
            axis="Sharpe ratio"
            unit="number"
            series={{
              dates: sharpe.dates,
              Strategy: sharpe.strategy,
              'Constant weight': sharpe.constant_weight,
            }}
            trainEnd={sharpe.train_end}
          />
        </Panel>
      )}
      {months && (
        <Panel>
          <Heatmap
            id="months"
            title={findings?.monthly_returns ?? 'Months'}
            about="Return of the strategy in each month, after costs."
            label="Year"
            rows={monthly.years}
            columns={MONTHS}
            values={monthly.values}
            axis={RETURN}
            diverging
            height={460}
          />
        </Panel>
      )}
      {falls && falls.length > 0 && (
        <Panel>
          <Rows
            title={findings?.falls ?? 'The deepest falls'}
            heads={['Peak', 'Lowest', 'Regained', 'Depth', 'Sessions']}
            rows={falls.map((fall) => ({
              key: fall.trough,
              cells: [
                fall.peak === null ? 'the first day' : date(fall.peak),
                date(fall.trough),
                fall.recovery === null ? 'not yet' : date(fall.recovery),
                percent(fall.depth),
                number(fall.sessions),
              ],
            }))}
          />
        </Panel>
      )}
      {weights && weights.rebalances.length > 0 && (
        <Panel>
          <Rows
            title="The last trades"
            heads={['Day', 'Weight before', 'Weight after']}
            rows={weights.rebalances
              .slice(-8)
              .toReversed()
              .map((trade) => ({
                key: trade.date,
                cells: [date(trade.date), percent(trade.before), percent(trade.after)],
              }))}
          />
        </Panel>
      )}
      {result.crises.length > 0 && (
        <Panel>
          <Rows
            title="Return in crises"
            heads={['Crisis', 'Strategy', 'Constant weight', 'Asset']}
            rows={result.crises.map((crisis) => ({
              key: crisis.name,
              cells: [
                `${crisis.name}, ${date(crisis.start)} to ${date(crisis.end)}`,
                ...[crisis.winner, crisis.benchmark, crisis.asset].map((value) =>
                  percent(value, 1, { signed: true }),
                ),
              ],
            }))}
          />
        </Panel>
      )}
      {result.facts.length > 0 && (
        <Panel>
          <Rows
            title="On the training and validation days"
            heads={['', 'Strategy', 'Constant weight']}
            rows={result.facts.map((fact) => ({
              key: fact.name,
              cells: [
                fact.label,
                <FigureLink key={fact.name} id={ids.has(`fact_${fact.name}`) ? `fact_${fact.name}` : null}>
                  {factValue(fact.value, fact.unit)}
                </FigureLink>,
                factValue(fact.benchmark, fact.unit),
              ],
            }))}
          />
        </Panel>
      )}
    </SimpleGrid>
  );
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** One row for each year, one cell for each month; null where the history has none. */
function calendar(months: NonNullable<Charts['monthly_returns']>) {
  const years = [...new Set(months.map(({ year }) => year))];
  const returns = new Map(months.map(({ year, month, strategy }) => [`${year} ${month}`, strategy]));
  return {
    years: years.map(String),
    values: years.map((year) => MONTHS.map((_, n) => returns.get(`${year} ${n + 1}`) ?? null)),
  };
}
