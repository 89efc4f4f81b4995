import { type ReactNode, useCallback, useMemo } from 'react';

import { Chart } from './Chart';
import { Legend } from './Legend';
import type { Axis } from './LineChart';
import { tooltip, type Look, type Role } from './look';

export interface Bars {
  name: string;
  values: readonly (number | null)[];
  role: Role;
  /** Ends of the interval of each bar. */
  low?: readonly (number | null)[];
  high?: readonly (number | null)[];
}

interface Props {
  id: string;
  title: string;
  about: ReactNode;
  categories: readonly string[];
  /** Heading of the categories in the table. */
  label: string;
  axis: Axis;
  series: readonly Bars[];
  /** Names to the left, bars to the right. */
  horizontal?: boolean;
  height?: number;
}

/** Bars by category, with the interval of each where it has one. */
export function BarChart({ id, title, about, categories, label, axis, series, horizontal, height }: Props) {
  const table = useMemo(
    () => ({
      label,
      columns: series.flatMap(({ name, low }) =>
        (low === undefined ? [name] : [name, `${name}, low`, `${name}, high`]).map((column) => ({
          name: column,
          format: axis.format,
        })),
      ),
      rows: categories.map((category, row) => ({
        label: category,
        values: series.flatMap(({ values, low, high }) =>
          low === undefined
            ? [values[row] ?? null]
            : [values[row] ?? null, low[row] ?? null, high?.[row] ?? null],
        ),
      })),
    }),
    [label, categories, axis, series],
  );
  const option = useCallback(
    (look: Look) => {
      const names = {
        type: 'category',
        data: categories,
        inverse: horizontal === true,
        axisTick: { show: false },
        axisLine: { lineStyle: { color: look.ink.line } },
        axisLabel: { color: look.ink.text, fontSize: 11, hideOverlap: horizontal !== true },
      };
      const values = { ...look.axis(axis.name, axis.format), type: 'value', splitNumber: 4 };
      return {
        xAxis: horizontal ? { ...values, ...UNDER(look) } : names,
        yAxis: horizontal ? names : values,
        grid: {
          left: 8,
          right: 20,
          top: horizontal ? 8 : 28,
          bottom: horizontal ? 22 : 8,
          containLabel: true,
        },
        tooltip: {
          ...(look.base.tooltip as object),
          trigger: 'axis',
          axisPointer: { type: 'none' },
          formatter: (points: { dataIndex: number }[]) => {
            const row = table.rows[points[0]?.dataIndex ?? 0];
            return tooltip(
              row?.label ?? '',
              table.columns.flatMap(({ name, format }, column) => {
                const value = row?.values[column];
                return typeof value === 'number' ? [[name, format(value)] as const] : [];
              }),
            );
          },
        },
        series: [
          ...series.map(({ name, values: data, role }) => ({
            type: 'bar',
            name,
            data,
            barMaxWidth: 26,
            barGap: '8%',
            itemStyle: { color: look.stroke(role).color, opacity: role === 'benchmark' ? 0.65 : 1 },
          })),
          ...series.flatMap((bars) =>
            bars.low === undefined ? [] : [intervals(bars, look, horizontal === true)],
          ),
        ],
      };
    },
    [categories, axis, series, horizontal, table],
  );
  const columns = table.columns.length / series.length;
  return (
    <Chart
      id={id}
      title={title}
      about={about}
      table={table}
      option={option}
      mark={({ row, column }) => ({ seriesIndex: Math.floor(column / columns), dataIndex: row })}
      legend={series.length > 1 ? <Legend series={series} /> : undefined}
      {...(height === undefined ? {} : { height })}
    />
  );
}

const UNDER = (look: Look) => ({
  nameLocation: 'middle',
  nameGap: 26,
  nameTextStyle: { color: look.ink.muted, fontSize: 11 },
});

interface Brush {
  value: (dimension: number) => number;
  coord: (point: [number, number]) => [number, number];
}

function intervals({ low = [], high = [] }: Bars, look: Look, horizontal: boolean) {
  const data = low.flatMap((from, row) => {
    const to = high[row];
    return typeof from === 'number' && typeof to === 'number' ? [[row, from, to]] : [];
  });
  return {
    type: 'custom',
    silent: true,
    z: 5,
    data,
    renderItem: (_: unknown, brush: Brush) => {
      const at = (value: number) =>
        brush.coord(horizontal ? [value, brush.value(0)] : [brush.value(0), value]);
      const [from, to] = [at(brush.value(1)), at(brush.value(2))];
      const cap = horizontal ? [0, 4] : [4, 0];
      const line = ([x1, y1]: number[], [x2, y2]: number[]) => ({
        type: 'line',
        shape: { x1, y1, x2, y2 },
        style: { stroke: look.ink.text, lineWidth: 1.25 },
      });
      const end = ([x = 0, y = 0]: number[]) =>
        line([x - (cap[0] ?? 0), y - (cap[1] ?? 0)], [x + (cap[0] ?? 0), y + (cap[1] ?? 0)]);
      return { type: 'group', children: [line(from, to), end(from), end(to)] };
    },
  };
}
