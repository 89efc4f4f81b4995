import { SimpleGrid, Text } from '@mantine/core';
import { memo, useCallback, useEffect, useMemo, useState } from 'react';

import { Panel } from '../app/Page';
import { Chart } from '../charts/Chart';
import { LineChart } from '../charts/LineChart';
import { tooltip, type Look } from '../charts/look';
import { bps, number, percent, plural, title } from '../numbers/format';
import { useLiveChartsQuery, useRunRequestQuery, type RunCharts } from './charts';

const BPS = 10_000;

/** Milliseconds between two drawings: what they cost grows with the trials, what they add to the picture does not. */
function pauseAfter(trials: number): number {
  if (trials < 100) return 2_000;
  return trials < 500 ? 5_000 : 10_000;
}

/** How the search comes on: the best value so far, and risk against return of each trial. */
export const LiveCharts = memo(function LiveCharts({ id, running }: { id: string; running: boolean }) {
  const [trials, setTrials] = useState(0);
  const charts = useLiveChartsQuery(id, {
    pollingInterval: running ? pauseAfter(trials) : 0,
    skipPollingIfUnfocused: true,
  });
  const request = useRunRequestQuery(id);
  const { data, refetch } = charts;
  const drawn = data?.risk_return?.points.length ?? 0;
  if (drawn !== trials) setTrials(drawn);
  useEffect(() => {
    if (!running) void refetch(); // trials may have come since the last poll
  }, [running, refetch]);
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
      <Panel>
        {data?.convergence && request.data !== undefined ? (
          <Convergence
            data={data.convergence}
            ratio={['sharpe', 'calmar'].includes(request.data.goal ?? '')}
          />
        ) : (
          <Coming what="The best value so far" />
        )}
      </Panel>
      <Panel>
        {data?.risk_return ? (
          <RiskReturn points={data.risk_return.points} />
        ) : (
          <Coming what="Risk and return of the trials" />
        )}
      </Panel>
    </SimpleGrid>
  );
});

function Coming({ what }: { what: string }) {
  return (
    <Text c="dimmed" size="sm">
      {what} appears here with the first trials.
    </Text>
  );
}

type ConvergenceData = NonNullable<RunCharts['convergence']>;

function Convergence({ data, ratio }: { data: ConvergenceData; ratio: boolean }) {
  const format = useCallback(
    (value: number) => (ratio ? number(value, 2) : bps(BPS * value, { signed: false })),
    [ratio],
  );
  const xAxis = useMemo(
    () => ({
      name: 'Trial',
      format: (value: number) => number(value),
      label: (value: string | number) => `Trial ${value}`,
    }),
    [],
  );
  const yAxis = useMemo(
    () => ({ name: ratio ? 'Sharpe ratio' : 'Objective a year', format }),
    [format, ratio],
  );
  const lines = useMemo(
    () => [
      { name: 'Best so far', values: data.running_maximum, role: 'main' as const, shape: 'steps' as const },
      {
        name: 'Each trial',
        values: data.objective,
        role: 'benchmark' as const,
        shape: 'points' as const,
      },
    ],
    [data],
  );
  const best = data.running_maximum.at(-1);
  return (
    <LineChart
      id="convergence"
      title={
        typeof best === 'number'
          ? `Best so far, in sample: ${format(best)}`
          : 'No trial within the limits yet'
      }
      about={`Objective of ${plural(data.trial.length, 'trial')} in the order of the search, each less a quarter of its regret against the best so far: a better trial may lower the whole line. In sample, and no result.`}
      x={data.trial}
      xAxis={xAxis}
      yAxis={yAxis}
      lines={lines}
      height={240}
    />
  );
}

type Point = NonNullable<RunCharts['risk_return']>['points'][number];

function RiskReturn({ points }: { points: readonly Point[] }) {
  const table = useMemo(
    () => ({
      label: 'Trial',
      columns: [
        { name: 'Volatility', format: (value: number) => percent(value) },
        { name: 'Return over cash', format: (value: number) => percent(value, 1, { signed: true }) },
      ],
      rows: points.map(({ trial, volatility, excess_return: gain }) => ({
        label: number(trial),
        values: [volatility, gain],
      })),
    }),
    [points],
  );
  const option = useCallback(
    (look: Look) => ({
      grid: { ...(look.base['grid'] as object), bottom: 22 },
      xAxis: {
        ...look.axis('Volatility a year', (value) => percent(value, 0)),
        nameLocation: 'middle',
        nameGap: 26,
        nameTextStyle: { color: look.ink.muted, fontSize: 11 },
        type: 'value',
        scale: true,
      },
      yAxis: {
        ...look.axis('Return over cash a year', (value) => percent(value)),
        type: 'value',
        scale: true,
      },
      tooltip: {
        ...(look.base['tooltip'] as object),
        formatter: ({ dataIndex }: { dataIndex: number }) => {
          const point = points[dataIndex];
          return point === undefined
            ? tooltip('', [])
            : tooltip(`Trial ${point.trial}`, [
                ['Rule', title(point.weight_function)],
                ['Volatility', percent(point.volatility)],
                ['Return over cash', percent(point.excess_return, 1, { signed: true })],
                ['Drawdown', percent(point.drawdown)],
                ['Within the limits', point.feasible ? 'yes' : 'no'],
              ]);
        },
      },
      series: [
        {
          type: 'scatter',
          symbolSize: 8,
          data: points.map(({ volatility, excess_return: gain, feasible, pareto }) => {
            const { color } = look.stroke(pareto ? 'main' : 'benchmark');
            return {
              value: [volatility, gain],
              symbol: pareto ? 'diamond' : 'circle',
              itemStyle: feasible
                ? { color, opacity: pareto ? 1 : 0.55 }
                : { color: 'transparent', borderColor: color, borderWidth: 1 },
            };
          }),
        },
      ],
    }),
    [points],
  );
  const mark = useCallback(({ row }: { row: number }) => ({ seriesIndex: 0, dataIndex: row }), []);
  return (
    <Chart
      id="risk-return"
      title={`${plural(points.length, 'trial')} by risk and return`}
      about="In the scenarios and on the training history. Diamonds: none is as good in both and better in one. Hollow: beyond a limit."
      table={table}
      option={option}
      height={240}
      mark={mark}
    />
  );
}
