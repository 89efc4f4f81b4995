import { SimpleGrid, Text } from '@mantine/core';
import { memo, useCallback, useEffect, useMemo, useState } from 'react';

import { Panel } from '../app/Page';
import { LineChart } from '../charts/LineChart';
import { ScatterChart, type Point } from '../charts/ScatterChart';
import { each } from '../charts/table';
import { bps, number, percent, plural, words } from '../numbers/format';
import { useRunRequestQuery } from '../api/jobs';
import { useLiveChartsQuery, type RunCharts } from './charts';

const BPS = 10_000;
const HEIGHT = 240;

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
  const drawn = data?.points.length ?? 0;
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
          <Coming what="The best value so far" running={running || data === undefined} />
        )}
      </Panel>
      <Panel>
        {drawn > 0 && data !== undefined ? (
          <RiskReturn points={data.points} />
        ) : (
          <Coming what="The risk and return of each trial" running={running || data === undefined} />
        )}
      </Panel>
    </SimpleGrid>
  );
});

function Coming({ what, running }: { what: string; running: boolean }) {
  if (!running) return <Text c="dimmed">It ended before the first trial.</Text>;
  return (
    <Text c="dimmed" size="sm" mih={{ lg: HEIGHT + 90 }}>
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
      about={`What the search maximizes, of ${plural(data.trial.length, 'trial')} in their order. Chosen and measured on the same days, so it is no result; a better trial may lower the whole line.`}
      x={data.trial}
      xAxis={xAxis}
      yAxis={yAxis}
      lines={lines}
      height={HEIGHT}
    />
  );
}

type Trial = RunCharts['points'][number];

const VOLATILITY = { name: 'Volatility a year', format: (value: number) => percent(value, 1) };
const RETURN = { name: 'Return over cash a year', format: (value: number) => percent(value, 1) };
const MORE = [{ name: 'Mean drawdown', format: (value: number) => percent(value, 1) }];
const GROUPS = [
  { name: 'Meets the limits', role: 2 },
  { name: 'Breaks a limit', role: 0, hollow: true },
  { name: 'None is better in both', role: 'main' },
] as const;

function RiskReturn({ points }: { points: readonly Trial[] }) {
  const drawn = useMemo(
    () =>
      each<Trial, Point>(points, ({ trial, weight_function: rule, ...its }) => ({
        label: `Trial ${trial}, ${words(rule)}`,
        x: its.volatility,
        y: its.excess_return,
        group: its.pareto ? 2 : its.feasible ? 0 : 1,
        more: [its.drawdown],
      })),
    [points],
  );
  return (
    <ScatterChart
      id="risk-return"
      title={`${plural(points.length, 'trial')} by risk and return`}
      about="Means over the scenarios, in sample."
      label="Trial"
      points={drawn}
      groups={GROUPS}
      xAxis={VOLATILITY}
      yAxis={RETURN}
      more={MORE}
      height={HEIGHT}
    />
  );
}
