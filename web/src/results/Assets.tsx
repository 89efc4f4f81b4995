import { useMemo } from 'react';

import type { Charts, Result } from '../api/results';
import { Panel } from '../app/Page';
import { BarChart } from '../charts/BarChart';
import { Heatmap } from '../charts/Heatmap';
import { LineChart, type Line } from '../charts/LineChart';
import { date, number, percent } from '../numbers/format';
import { Rows } from './Rows';

type Attribution = NonNullable<Result['attribution']>;
type Weights = NonNullable<Charts['weights']>;
type Share = Attribution['assets'][number];

const DAYS = {
  name: 'Day',
  format: (value: number) => String(value),
  label: (at: string | number) => date(String(at)),
};
const WEIGHT = { name: 'Weight', format: (value: number) => percent(value, 1), zero: true };
const ADDED = { name: 'Share', format: (value: number) => percent(value, 2, { signed: true }) };
/** More areas above each other cannot be told apart. */
const MOST_AREAS = 5;
const COLUMNS = 48;
const SMALLEST = 0.00005;
const BAR_PX = 38;
const FRAME_PX = 90;

/** The winner asset by asset: its weights over time, and what each adds to return and risk. */
export function Assets({ attribution, weights }: { attribution: Attribution; weights?: Weights | null }) {
  const { assets, borrowing_return: costs, borrowing_volatility: risk } = attribution;
  const lines = useMemo<Line[]>(
    () => (weights?.assets ?? []).map(({ name, weights: values }, place) => ({ name, values, role: place })),
    [weights],
  );
  const marks = useMemo(
    () => (weights ? [{ at: weights.train_end, label: 'validation begins' }] : []),
    [weights],
  );
  const grid = useMemo(() => gridOf(weights), [weights]);
  const borrows = Math.max(Math.abs(costs), Math.abs(risk)) >= SMALLEST;
  const added = useMemo(
    () => ({
      categories: [...assets.map(({ name }) => name), ...(borrows ? ['Borrowing'] : [])],
      series: [
        {
          name: 'Return over cash',
          role: 0,
          values: [...assets.map(({ excess_return: gain }) => gain), ...(borrows ? [costs] : [])],
        },
        {
          name: 'Volatility',
          role: 1,
          values: [...assets.map(({ volatility }) => volatility), ...(borrows ? [risk] : [])],
        },
      ],
    }),
    [assets, borrows, costs, risk],
  );
  const largest = most(assets, ({ average_weight: weight }) => weight);
  const riskiest = most(assets, ({ volatility }) => volatility);
  return (
    <>
      {weights && lines.length > MOST_AREAS && (
        <Panel>
          <Heatmap
            id="asset-weights"
            title={`${largest.name} is held most: ${percent(largest.average_weight)} on average`}
            about="Weight of each asset on days across the history; what is missing to 100% is cash."
            label="Asset"
            rows={lines.map(({ name }) => name)}
            columns={grid.columns}
            values={grid.values}
            axis={WEIGHT}
            height={FRAME_PX + BAR_PX * lines.length}
          />
        </Panel>
      )}
      {weights && lines.length > 0 && lines.length <= MOST_AREAS && (
        <Panel>
          <LineChart
            id="asset-weights"
            title={`${largest.name} is held most: ${percent(largest.average_weight)} on average`}
            about="Weight of each asset, one above the other; what is missing to 100% is cash."
            x={weights.dates}
            xAxis={DAYS}
            yAxis={WEIGHT}
            lines={lines}
            marks={marks}
            stacked
          />
        </Panel>
      )}
      <Panel>
        <BarChart
          id="contributions"
          title={`${riskiest.name} adds most risk: ${percent(riskiest.volatility, 2)} of ${percent(attribution.volatility, 2)} volatility`}
          about={`What each adds to the return over cash, ${percent(attribution.excess_return, 2, { signed: true })} a year after costs, and to the volatility. The bars of a colour sum to the whole.`}
          label="Asset"
          categories={added.categories}
          axis={ADDED}
          series={added.series}
          horizontal
          height={FRAME_PX + BAR_PX * added.categories.length}
        />
      </Panel>
      <Panel>
        <Rows
          title="Asset by asset"
          heads={[
            'Asset',
            'Average weight',
            'Largest weight',
            'Adds to return',
            'Adds to volatility',
            'Traded a year',
          ]}
          rows={assets.map((share) => ({
            key: share.name,
            cells: [
              share.name,
              percent(share.average_weight),
              percent(share.largest_weight),
              percent(share.excess_return, 2, { signed: true }),
              percent(share.volatility, 2, { signed: true }),
              `${number(share.traded, 2)} x`,
            ],
          }))}
        />
      </Panel>
    </>
  );
}

/** The weights on some of the days, as far apart as the days of the chart allow. */
function gridOf(weights: Weights | null | undefined) {
  const dates = weights?.dates ?? [];
  const columns = Math.min(COLUMNS, dates.length);
  const places = Array.from({ length: columns }, (_, n) =>
    Math.round((n * (dates.length - 1)) / Math.max(1, columns - 1)),
  );
  return {
    columns: places.map((place) => date(dates[place] ?? '')),
    values: (weights?.assets ?? []).map(({ weights: values }) =>
      places.map((place) => values[place] ?? null),
    ),
  };
}

function most(assets: readonly Share[], value: (share: Share) => number): Share {
  return assets.reduce((best, share) => (value(share) > value(best) ? share : best));
}
