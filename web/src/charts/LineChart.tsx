import { memo, type ReactNode, useCallback, useMemo } from 'react';

import { Chart } from './Chart';
import { Legend } from './Legend';
import { DIMENSIONS, MANY_POINTS, tooltip, type Look, type Role } from './look';
import { each, type Row } from './table';

export interface Line {
  name: string;
  values: readonly (number | null)[];
  role: Role;
  area?: boolean;
  /** Unconnected points, or steps; a line by default. */
  shape?: 'points' | 'steps';
}

export interface Axis {
  name: string;
  format: (value: number) => string;
}

interface Props {
  id: string;
  title: string;
  about: ReactNode;
  /** Days as `2026-11-23`, or numbers. */
  x: readonly string[] | readonly number[];
  xAxis: Axis & { label: (value: string | number) => string };
  /** `zero` begins the axis there. */
  yAxis: Axis & { log?: boolean; zero?: boolean };
  lines: readonly Line[];
  /** A vertical line with a label, such as today's volatility. */
  marks?: readonly { at: string | number; label: string }[];
  /** One area above the other. */
  stacked?: boolean;
  height?: number;
}

/** Lines over time or over a number. The first line is the subject, the others what it is compared with. */
export const LineChart = memo(function LineChart(props: Props) {
  const { id, title, about, x, xAxis, yAxis, lines, marks, stacked, height } = props;
  const table = useMemo(
    () => ({
      label: xAxis.name,
      columns: lines.map(({ name }) => ({ name, format: yAxis.format })),
      rows: each<string | number, Row>(x, (at, row) => ({
        label: xAxis.label(at),
        values: lines.map(({ values }) => values[row] ?? null),
      })),
    }),
    [x, xAxis, yAxis, lines],
  );
  const isTime = typeof x[0] !== 'number';
  const option = useCallback(
    (look: Look) => ({
      ...(isTime ? {} : { grid: { ...(look.base.grid as object), bottom: 22 } }),
      xAxis: {
        ...look.axis('', xAxis.format),
        type: isTime ? 'time' : 'value',
        min: 'dataMin',
        max: 'dataMax',
        splitLine: { show: false },
        axisLine: { onZero: false, lineStyle: { color: look.ink.line } },
        ...(isTime
          ? { axisLabel: { color: look.ink.muted, fontSize: 11, hideOverlap: true } }
          : {
              name: xAxis.name,
              nameLocation: 'middle',
              nameGap: 26,
              nameTextStyle: { color: look.ink.muted, fontSize: 11 },
            }),
      },
      yAxis: {
        ...look.axis(yAxis.name, yAxis.format),
        ...(yAxis.log ? { type: 'log', logBase: 2 } : { type: 'value', scale: true }),
        ...(yAxis.zero ? { min: 0 } : {}),
      },
      tooltip: {
        ...(look.base.tooltip as object),
        trigger: 'axis',
        formatter: (points: { dataIndex: number }[]) => {
          const row = table.rows.at(points[0]?.dataIndex ?? 0);
          return tooltip(
            row?.label ?? '',
            table.columns.flatMap(({ name, format }, column) => {
              const value = row?.values[column];
              return typeof value === 'number' ? [[name, format(value)] as const] : [];
            }),
          );
        },
      },
      series: lines.map(({ name, values, role, area, shape }, index) => {
        const { color, dash } = look.stroke(role);
        if (shape === 'points') {
          return {
            ...MANY_POINTS,
            name,
            data: pairs(x, values),
            symbolSize: 5,
            itemStyle: { color, opacity: 0.7 },
          };
        }
        return {
          type: 'line',
          step: shape === 'steps' ? 'end' : false,
          name,
          dimensions: DIMENSIONS,
          data: pairs(x, values),
          showSymbol: false,
          z: role === 'main' ? 4 : 3,
          lineStyle: { color, width: role === 'main' ? 2 : 1.5, type: dash },
          itemStyle: { color },
          ...(area ? { areaStyle: { color, opacity: 0.14 } } : {}),
          ...(stacked
            ? { stack: 'whole', lineStyle: { color, width: 0.5 }, areaStyle: { color, opacity: 0.7 } }
            : {}),
          ...(index === 0 && marks ? { markLine: markLine(marks, look) } : {}),
        };
      }),
    }),
    [x, isTime, xAxis, yAxis, lines, marks, stacked, table],
  );
  return (
    <Chart
      id={id}
      title={title}
      about={about}
      table={table}
      option={option}
      legend={lines.length > 1 ? <Legend series={lines} /> : undefined}
      {...(height === undefined ? {} : { height })}
    />
  );
});

/** Numbers side by side: a chart copies a list for each point some times over. Days stay as their texts. */
function pairs(x: Props['x'], values: Line['values']): Float64Array | (readonly [string, number | null])[] {
  if (typeof x[0] === 'string') return values.map((value, row) => [x[row] as string, value]);
  return Float64Array.from({ length: 2 * values.length }, (_, place) => {
    const row = place >> 1;
    return (place % 2 === 0 ? (x[row] as number) : values[row]) ?? Number.NaN;
  });
}

function markLine(marks: readonly { at: string | number; label: string }[], look: Look) {
  return {
    symbol: 'none',
    silent: true,
    lineStyle: { color: look.ink.text, type: [2, 3], width: 1 },
    label: { color: look.ink.text, fontSize: 11, formatter: ({ name }: { name: string }) => name },
    data: marks.map(({ at, label }) => ({ name: label, xAxis: at })),
  };
}
