import { type ReactNode, useCallback, useMemo } from 'react';

import { DIVERGING, SEQUENTIAL } from '../app/palettes';
import { Chart } from './Chart';
import type { Axis } from './LineChart';
import { tooltip, type Look } from './look';

interface Props {
  id: string;
  title: string;
  about: ReactNode;
  /** Heading of the rows in the table. */
  label: string;
  rows: readonly string[];
  columns: readonly string[];
  /** `values[row][column]`; null is an empty cell. */
  values: readonly (readonly (number | null)[])[];
  axis: Axis;
  /** Number of trials in each cell, for the tooltip. */
  counts?: readonly (readonly number[])[];
  /** Symmetric about zero. */
  diverging?: boolean;
  height?: number;
}

/** So many letters of all columns stand side by side on a phone. */
const MOST_LETTERS = 48;

/** A value for each pair of a row and a column. */
export function Heatmap({
  id,
  title,
  about,
  label,
  rows,
  columns,
  values,
  axis,
  counts,
  diverging,
  height,
}: Props) {
  const table = useMemo(
    () => ({
      label,
      columns: columns.map((name) => ({ name, format: axis.format })),
      rows: rows.map((name, row) => ({ label: name, values: values[row] ?? [] })),
    }),
    [label, rows, columns, values, axis],
  );
  const cells = useMemo(
    () =>
      values.flatMap((line, row) =>
        line.flatMap((value, column) => (value === null ? [] : [{ place: [column, row, value] as const }])),
      ),
    [values],
  );
  const option = useCallback(
    (look: Look) => {
      const numbers = cells.map(({ place }) => place[2]);
      const reach = Math.max(...numbers.map(Math.abs), 0);
      const low = diverging ? -reach : Math.min(...numbers);
      const high = diverging ? reach : Math.max(...numbers);
      const long = columns.join('').length > MOST_LETTERS;
      const names = {
        type: 'category',
        axisTick: { show: false },
        axisLine: { show: false },
        axisLabel: { color: look.ink.text, fontSize: 11 },
      };
      return {
        grid: { left: 8, right: 8, top: 8, bottom: 44, containLabel: true },
        xAxis: {
          ...names,
          data: columns,
          axisLabel: { ...names.axisLabel, ...(long ? { interval: 0, rotate: 30 } : {}) },
        },
        yAxis: { ...names, data: rows, inverse: true },
        visualMap: {
          min: low,
          max: high,
          inRange: { color: diverging ? DIVERGING : SEQUENTIAL },
          orient: 'horizontal',
          left: 'center',
          bottom: 0,
          itemHeight: 120,
          itemWidth: 10,
          formatter: (value: number) => axis.format(value),
          text: [`${axis.format(high)}, ${axis.name.toLowerCase()}`, axis.format(low)],
          textStyle: { color: look.ink.muted, fontSize: 11 },
        },
        tooltip: {
          ...(look.base.tooltip as object),
          trigger: 'item',
          formatter: ({ data: [column, row, value] }: { data: [number, number, number] }) =>
            tooltip(`${rows[row] ?? ''}, ${columns[column] ?? ''}`, [
              [axis.name, axis.format(value)],
              ...(counts === undefined ? [] : [['Trials', String(counts[row]?.[column] ?? 0)] as const]),
            ]),
        },
        series: [
          {
            type: 'heatmap',
            data: cells.map(({ place }) => place),
            itemStyle: { borderColor: look.ink.surface, borderWidth: 1 },
          },
        ],
      };
    },
    [cells, rows, columns, axis, counts, diverging],
  );
  return (
    <Chart
      id={id}
      title={title}
      about={about}
      table={table}
      option={option}
      mark={({ row, column }) => ({
        seriesIndex: 0,
        dataIndex: cells.findIndex(({ place }) => place[0] === column && place[1] === row),
      })}
      {...(height === undefined ? {} : { height })}
    />
  );
}
