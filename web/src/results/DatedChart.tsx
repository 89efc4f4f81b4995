import { useMemo } from 'react';

import { LineChart, type Line } from '../charts/LineChart';
import { date, number, percent } from '../numbers/format';

interface Props {
  id: string;
  title: string;
  about: string;
  axis: string;
  /** The first of the series after the dates is the subject, the second what it is compared with. */
  series: { dates: readonly string[] } & Record<string, readonly (number | string)[]>;
  /** Last day of the training history. */
  trainEnd: string;
  unit?: 'percent' | 'number';
  log?: boolean;
  height?: number;
}

const DAYS = {
  name: 'Day',
  format: (value: number) => String(value),
  label: (at: string | number) => date(String(at)),
};

/** Lines over the days of the history, with the end of the training. */
export function DatedChart({
  id,
  title,
  about,
  axis,
  series,
  trainEnd,
  unit = 'percent',
  log,
  height,
}: Props) {
  const { dates, ...values } = series;
  const lines = useMemo<Line[]>(
    () =>
      Object.entries(values).map(([name, line], index) => ({
        name,
        values: line as readonly number[],
        role: index === 0 ? 'main' : index === 1 ? 'benchmark' : 0,
      })),
    // the series of an answer change together with its days
    // oxlint-disable-next-line react-hooks/exhaustive-deps
    [dates],
  );
  const yAxis = useMemo(
    () => ({
      name: axis,
      format: (value: number) => (unit === 'percent' ? percent(value, 1) : number(value, 2)),
      ...(log ? { log } : {}),
    }),
    [axis, unit, log],
  );
  const marks = useMemo(() => [{ at: trainEnd, label: 'validation begins' }], [trainEnd]);
  return (
    <LineChart
      id={id}
      title={title}
      about={about}
      x={dates}
      xAxis={DAYS}
      yAxis={yAxis}
      lines={lines}
      marks={marks}
      {...(height === undefined ? {} : { height })}
    />
  );
}
