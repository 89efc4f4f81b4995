import { type ReactNode, useCallback, useMemo } from 'react';

import { Chart } from './Chart';
import type { ECharts } from './echarts';
import type { Axis } from './LineChart';
import { tooltip, type Look, type Role } from './look';
import { PointLegend } from './PointLegend';

export interface Point {
  label: string;
  x: number;
  y: number;
  /** Place of its group. */
  group: number;
  /** Further values of the tooltip and the table, in the order of `more`. */
  more: readonly number[];
  /** Not in the selection: pale. */
  faded?: boolean;
}

export interface Group {
  name: string;
  role: Role;
  /** Outlined, as what breaks a limit. */
  hollow?: boolean;
  size?: number;
}

export interface Range {
  low: number;
  high: number;
}

interface Props {
  id: string;
  title: string;
  about: ReactNode;
  label: string;
  points: readonly Point[];
  groups: readonly Group[];
  xAxis: Axis;
  yAxis: Axis;
  more: readonly Axis[];
  /** A line through some of the points, such as the Pareto front. */
  front?: { name: string; points: readonly Point[] };
  /** Drag a rectangle; null clears it. */
  brush?: { x: Range | null; y: Range | null; select: (ranges: { x: Range; y: Range } | null) => void };
  /** A press or Enter on a point, by its place. */
  open?: (place: number) => void;
  height?: number;
}

/** Points in groups of one symbol each, to select by a rectangle and to open one by one. */
export function ScatterChart(props: Props) {
  const { id, title, about, label, points, groups, xAxis, yAxis, more, front, brush, open, height } = props;
  const table = useMemo(
    () => ({
      label,
      columns: [xAxis, yAxis, ...more],
      rows: points.map((point) => ({ label: point.label, values: [point.x, point.y, ...point.more] })),
    }),
    [label, points, xAxis, yAxis, more],
  );
  const placed = useMemo(() => {
    const members: number[][] = groups.flatMap(() => [[], []]);
    const positions = points.map(({ group, faded }, place) => {
      const seriesIndex = 2 * group + (faded ? 1 : 0);
      members[seriesIndex]?.push(place);
      return { seriesIndex, dataIndex: (members[seriesIndex]?.length ?? 1) - 1 };
    });
    return { members, positions };
  }, [points, groups]);
  const option = useCallback(
    (look: Look) => ({
      xAxis: {
        ...look.axis(xAxis.name, xAxis.format),
        type: 'value',
        scale: true,
        nameLocation: 'middle',
        nameGap: 26,
        nameTextStyle: { color: look.ink.muted, fontSize: 11 },
      },
      grid: { left: 8, right: 20, top: 28, bottom: 22, containLabel: true },
      yAxis: { ...look.axis(yAxis.name, yAxis.format), type: 'value', scale: true },
      ...(brush === undefined
        ? {}
        : {
            brush: {
              xAxisIndex: 0,
              yAxisIndex: 0,
              toolbox: [],
              outOfBrush: {},
              brushStyle: { borderWidth: 1, borderColor: look.ink.main, color: 'rgba(120, 150, 190, 0.12)' },
            },
          }),
      tooltip: {
        ...(look.base.tooltip as object),
        trigger: 'item',
        formatter: ({ data }: { data: number[] }) => {
          const row = table.rows[data[2] ?? 0];
          return tooltip(
            row?.label ?? '',
            table.columns.map(({ name, format }, column) => [
              name,
              format(row?.values[column] ?? Number.NaN),
            ]),
          );
        },
      },
      series: [
        // styles of series: a style of a point costs a model of its own
        ...groups.flatMap((group, index) => {
          const { color, symbol } = look.stroke(group.role);
          return [false, true].map((faded) => ({
            type: 'scatter',
            name: group.name,
            symbol: group.hollow ? `empty${symbol.charAt(0).toUpperCase()}${symbol.slice(1)}` : symbol,
            symbolSize: group.size ?? 7,
            z: group.role === 'main' ? 5 : 3,
            itemStyle: { color, opacity: faded ? 0.12 : 0.85 },
            data: (placed.members[2 * index + (faded ? 1 : 0)] ?? []).map((place) => [
              points[place]?.x,
              points[place]?.y,
              place,
            ]),
          }));
        }),
        ...(front === undefined
          ? []
          : [
              {
                type: 'line',
                name: front.name,
                silent: true,
                showSymbol: false,
                step: 'end',
                lineStyle: { color: look.ink.muted, width: 1, type: [4, 3] },
                data: front.points.map(({ x, y }) => [x, y]),
              },
            ]),
      ],
    }),
    [xAxis, yAxis, points, groups, front, brush, placed, table],
  );
  const connect = useCallback(
    (chart: ECharts) => {
      const press = ({ data }: { data?: unknown }) => {
        const place = Array.isArray(data) ? (data as number[])[2] : undefined;
        if (place !== undefined) open?.(place);
      };
      chart.on('click', press);
      const disconnect = () => chart.off('click', press);
      if (brush === undefined) return disconnect;
      const selected = ({ areas }: { areas: { coordRange?: [[number, number], [number, number]] }[] }) => {
        const range = areas[0]?.coordRange;
        brush.select(
          range === undefined
            ? null
            : { x: { low: range[0][0], high: range[0][1] }, y: { low: range[1][0], high: range[1][1] } },
        );
      };
      // first, since it draws what is pending: an area needs the axes
      chart.dispatchAction({
        type: 'takeGlobalCursor',
        key: 'brush',
        brushOption: { brushType: 'rect', brushMode: 'single' },
      });
      const { x, y } = brush;
      if (x !== null && y !== null) {
        const coordRange = [
          [x.low, x.high],
          [y.low, y.high],
        ];
        chart.dispatchAction({
          type: 'brush',
          areas: [{ brushType: 'rect', xAxisIndex: 0, yAxisIndex: 0, coordRange }],
        });
      }
      chart.on('brushEnd', selected as never);
      return () => {
        disconnect();
        chart.off('brushEnd', selected as never);
      };
    },
    [brush, open],
  );
  return (
    <Chart
      id={id}
      title={title}
      about={about}
      table={table}
      option={option}
      connect={connect}
      mark={({ row }) => placed.positions[row] ?? { seriesIndex: 0, dataIndex: row }}
      open={({ row }) => open?.(row)}
      legend={<PointLegend groups={groups} line={front?.name} />}
      {...(height === undefined ? {} : { height })}
    />
  );
}
