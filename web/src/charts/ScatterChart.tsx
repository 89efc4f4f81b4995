import { type ReactNode, useCallback, useMemo } from 'react';

import { Chart } from './Chart';
import type { ECharts } from './echarts';
import type { Axis } from './LineChart';
import { MANY_POINTS, tooltip, type Look, type Role } from './look';
import { PointLegend } from './PointLegend';
import { all, each, type Many, type Place } from './table';

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
  points: Many<Point>;
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

/** The point of an event of the chart. */
interface Hit {
  seriesIndex: number;
  dataIndex: number;
}

/** Points in groups of one symbol each, to select by a rectangle and to open one by one. */
export function ScatterChart(props: Props) {
  const { id, title, about, label, points, groups, xAxis, yAxis, more, front, brush, open, height } = props;
  const table = useMemo(
    () => ({
      label,
      columns: [xAxis, yAxis, ...more],
      rows: each(points, (point) => ({ label: point.label, values: [point.x, point.y, ...point.more] })),
    }),
    [label, points, xAxis, yAxis, more],
  );
  /** By series, those of a group and its faded ones: places and coordinates. */
  const series = useMemo(() => {
    const members = groups.flatMap(() => [
      { places: [] as number[], data: [] as number[] },
      { places: [] as number[], data: [] as number[] },
    ]);
    all(points).forEach(({ x, y, group, faded }, place) => {
      const { places, data } = members[2 * group + (faded ? 1 : 0)] ?? { places: [], data: [] };
      places.push(place);
      data.push(x, y);
    });
    return members.map(({ places, data }) => ({ places, data: Float64Array.from(data) }));
  }, [points, groups]);
  const tip = useCallback(
    (place: number) => {
      const row = table.rows.at(place);
      return tooltip(
        row?.label ?? '',
        table.columns.map(({ name, format }, column) => [name, format(row?.values[column] ?? Number.NaN)]),
      );
    },
    [table],
  );
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
        formatter: ({ seriesIndex, dataIndex }: Hit) => tip(series[seriesIndex]?.places[dataIndex] ?? 0),
      },
      series: [
        ...series.map(({ data }, index) => {
          const { name, role, hollow, size = 7 } = groups[index >> 1] as Group;
          const { color, symbol } = look.stroke(role);
          return {
            ...MANY_POINTS,
            name,
            symbol,
            symbolSize: hollow ? size - 1 : size,
            z: role === 'main' ? 5 : 3,
            itemStyle: {
              ...(hollow ? { color: 'transparent', borderColor: color, borderWidth: 1.5 } : { color }),
              opacity: index % 2 === 1 ? 0.12 : 0.85,
            },
            data,
          };
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
    [xAxis, yAxis, groups, front, brush, series, tip],
  );
  const connect = useCallback(
    (chart: ECharts) => {
      const press = (hit: unknown) => {
        const { seriesIndex, dataIndex } = hit as Hit;
        const place = series[seriesIndex]?.places[dataIndex];
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
    [brush, open, series],
  );
  // a point of many has no shape of its own that a tooltip could stand at
  const mark = ({ row }: Place, chart: ECharts) => {
    const point = points.at(row);
    const [x, y] = chart.convertToPixel('grid', [point?.x ?? 0, point?.y ?? 0]);
    return { x, y, tooltip: { formatter: () => tip(row) } };
  };
  return (
    <Chart
      id={id}
      title={title}
      about={about}
      table={table}
      option={option}
      connect={connect}
      mark={mark}
      open={({ row }) => open?.(row)}
      legend={<PointLegend groups={groups} line={front?.name} />}
      {...(height === undefined ? {} : { height })}
    />
  );
}
