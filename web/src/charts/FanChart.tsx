import { type ReactNode, useCallback, useMemo } from 'react';

import { number, percent } from '../numbers/format';
import { Chart } from './Chart';
import { tooltip, type Look } from './look';

interface Props {
  id: string;
  title: string;
  about: ReactNode;
  /** Years from today. */
  years: readonly number[];
  /** Quantiles, from low to high; the middle one is the median. */
  levels: readonly number[];
  /** One line for each level. */
  bands: readonly (readonly number[])[];
  /** Single paths, drawn thin. */
  samples?: readonly (readonly number[])[];
  height?: number;
}

const NONE: readonly (readonly number[])[] = [];

/** Quantiles of wealth over the years as areas around the median. */
export function FanChart({ id, title, about, years, levels, bands, samples = NONE, height }: Props) {
  const table = useMemo(
    () => ({
      label: 'Year',
      columns: levels.map((level) => ({ name: percent(level, 0), format: wealth })),
      rows: years.map((year, row) => ({
        label: number(year, 1),
        values: bands.map((band) => band[row] ?? null),
      })),
    }),
    [years, levels, bands],
  );
  const option = useCallback(
    (look: Look) => {
      const middle = Math.floor(levels.length / 2);
      const line = { type: 'line', showSymbol: false };
      const areas = bands.slice(0, -1).flatMap((band, n) => {
        const above = bands[n + 1] ?? [];
        const edge = { ...line, stack: `band ${n}`, silent: true, lineStyle: { opacity: 0 } };
        const strength = n === 0 || n === bands.length - 2 ? 0.13 : 0.28;
        return [
          { ...edge, data: band.map((value, row) => [years[row], value]) },
          {
            ...edge,
            data: band.map((value, row) => [years[row], (above[row] ?? value) - value]),
            areaStyle: { color: look.ink.main, opacity: strength },
          },
        ];
      });
      return {
        xAxis: {
          ...look.axis('Years', (value) => number(value)),
          type: 'value',
          max: 'dataMax',
          minInterval: 1,
          splitLine: { show: false },
          nameLocation: 'middle',
          nameGap: 24,
          nameTextStyle: { color: look.ink.muted, fontSize: 11 },
        },
        grid: { left: 8, right: 16, top: 28, bottom: 20, containLabel: true },
        yAxis: { ...look.axis('Wealth', wealth), type: 'value', scale: true },
        tooltip: {
          ...(look.base.tooltip as object),
          trigger: 'axis',
          formatter: (points: { dataIndex: number }[]) => {
            const row = table.rows[points[0]?.dataIndex ?? 0];
            return tooltip(
              `Year ${row?.label ?? ''}`,
              table.columns.map(({ name }, column) => [name, wealth(row?.values[column] ?? Number.NaN)]),
            );
          },
        },
        series: [
          {
            ...line,
            data: (bands[middle] ?? []).map((value, row) => [years[row], value]),
            lineStyle: { color: look.ink.main, width: 2 },
            itemStyle: { color: look.ink.main },
          },
          ...areas,
          ...samples.map((path) => ({
            ...line,
            silent: true,
            z: 1,
            data: path.map((value, row) => [years[row], value]),
            lineStyle: { color: look.ink.muted, width: 0.75, opacity: 0.5 },
          })),
        ],
      };
    },
    [years, levels, bands, samples, table],
  );
  return (
    <Chart
      id={id}
      title={title}
      about={about}
      table={table}
      option={option}
      mark={({ row }) => ({ seriesIndex: 0, dataIndex: row })}
      {...(height === undefined ? {} : { height })}
    />
  );
}

function wealth(value: number): string {
  return number(value, 2);
}
