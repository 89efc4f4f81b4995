import { useCallback, useMemo } from 'react';

import type { Charts } from '../api/results';
import { ScatterChart, type Point, type Range } from '../charts/ScatterChart';
import { number, percent, words } from '../numbers/format';
import type { Brush } from './brush';
import { useView } from './view';

type Strategy = NonNullable<Charts['risk_return']>['points'][number];

const VOLATILITY = { name: 'Volatility a year', format: (value: number) => percent(value, 1) };
const RETURN = { name: 'Return over cash a year', format: (value: number) => percent(value, 1) };
const MORE = [
  { name: 'Mean drawdown', format: (value: number) => percent(value, 1) },
  { name: 'Objective, bps', format: (value: number) => number(10_000 * value) },
];
const GROUPS = [
  { name: 'Meets the limits', role: 2 },
  { name: 'Breaks a limit', role: 0, hollow: true },
  { name: 'The winner', role: 'main', size: 16 },
] as const;

interface Props {
  points: readonly Strategy[];
  finding: string;
  /** Of each point whether it is in the selection; all of them without one. */
  selected?: readonly boolean[];
  brush?: Brush;
  select?: (changes: Brush) => void;
}

/** Every trial as a point; a press opens it, a rectangle selects. */
export function TrialScatter({ points, finding, selected, brush, select }: Props) {
  const { set } = useView();
  const drawn = useMemo<Point[]>(
    () =>
      points.map((each, place) => ({
        label: `Trial ${each.trial}, ${words(each.weight_function)}`,
        x: each.volatility,
        y: each.excess_return,
        group: each.chosen ? 2 : each.feasible ? 0 : 1,
        more: [each.drawdown, each.objective],
        faded: selected !== undefined && !selected[place],
      })),
    [points, selected],
  );
  const front = useMemo(
    () => ({
      name: 'Pareto front',
      points: drawn.filter((_, place) => points[place]?.pareto).toSorted((a, b) => a.x - b.x),
    }),
    [drawn, points],
  );
  const open = useCallback(
    (place: number) => {
      const digest = points[place]?.digest;
      if (digest !== undefined) set({ trial: digest });
    },
    [points, set],
  );
  const rectangle = useMemo(
    () =>
      select === undefined
        ? undefined
        : {
            x: brush?.volatility ?? null,
            y: brush?.excess_return ?? null,
            select: (ranges: { x: Range; y: Range } | null) =>
              select({ volatility: ranges?.x ?? null, excess_return: ranges?.y ?? null }),
          },
    [brush, select],
  );
  return (
    <ScatterChart
      id="risk-return"
      title={finding}
      about={`All ${number(points.length)} trials: means over the scenarios, in sample. Press a point to open the trial.`}
      label="Trial"
      points={drawn}
      groups={GROUPS}
      xAxis={VOLATILITY}
      yAxis={RETURN}
      more={MORE}
      front={front}
      {...(rectangle === undefined ? {} : { brush: rectangle })}
      open={open}
      height={300}
    />
  );
}
