import { type ReactNode, useCallback, useMemo } from 'react';

import { Chart } from './Chart';
import type { ECharts } from './echarts';
import { tooltip, type Look } from './look';
import type { Range } from './ScatterChart';

interface Props {
  id: string;
  title: string;
  about: ReactNode;
  label: string;
  axes: readonly { field: string; name: string; format: (value: number) => string }[];
  lines: readonly { label: string; values: readonly number[]; chosen: boolean }[];
  /** Of each line whether it is in the selection. */
  selected: readonly boolean[];
  ranges: Partial<Record<string, Range | null>>;
  /** A range that was dragged along an axis; null clears it. */
  narrow: (field: string, range: Range | null) => void;
  height?: number;
}

/** One line for each thing across several axes; dragging along an axis selects. */
export function ParallelChart(props: Props) {
  const { id, title, about, label, axes, lines, selected, ranges, narrow, height = 300 } = props;
  const table = useMemo(
    () => ({
      label,
      columns: axes.map(({ name, format }) => ({ name, format })),
      rows: lines.filter((_, place) => selected[place]).map(({ label, values }) => ({ label, values })),
    }),
    [label, axes, lines, selected],
  );
  const option = useCallback(
    (look: Look) => {
      const rank = (place: number) => (lines[place]?.chosen ? 2 : selected[place] ? 1 : 0);
      const order = lines.map((_, place) => place).toSorted((a, b) => rank(a) - rank(b));
      return {
        parallel: { left: 48, right: 56, top: 42, bottom: 18, axisExpandable: false },
        parallelAxis: axes.map(({ field, name, format }, dim) => ({
          dim,
          id: field,
          name,
          scale: true,
          nameTextStyle: {
            color: look.ink.muted,
            fontSize: 11,
            width: 76,
            overflow: 'break',
            lineHeight: 13,
          },
          // above the lines, and readable among them
          z: 10,
          axisLabel: {
            color: look.ink.text,
            fontSize: 11,
            formatter: format,
            hideOverlap: true,
            textBorderColor: look.ink.surface,
            textBorderWidth: 4,
          },
          axisLine: { lineStyle: { color: look.ink.muted } },
          axisTick: { show: false },
          areaSelectStyle: { width: 18, borderColor: look.ink.main, color: look.ink.main, opacity: 0.18 },
        })),
        tooltip: {
          ...(look.base.tooltip as object),
          trigger: 'item',
          formatter: ({ dataIndex }: { dataIndex: number }) => {
            const line = lines[order[dataIndex] ?? 0];
            return tooltip(
              line?.label ?? '',
              axes.map(({ name, format }, column) => [name, format(line?.values[column] ?? Number.NaN)]),
            );
          },
        },
        series: [
          {
            type: 'parallel',
            // the selection is drawn by the lines themselves, so that it is the one of the other views
            inactiveOpacity: 0.6,
            activeOpacity: 0.6,
            progressive: 0,
            data: order.map((place) => ({
              value: lines[place]?.values,
              lineStyle: lines[place]?.chosen
                ? { color: look.ink.main, width: 2.5, opacity: 1 }
                : { color: selected[place] ? look.stroke(2).color : look.ink.line, width: 1, opacity: 0.6 },
            })),
          },
        ],
      };
    },
    [axes, lines, selected],
  );
  const connect = useCallback(
    (chart: ECharts) => {
      if (axes.some(({ field }) => ranges[field])) chart.resize(); // draws what is pending: a range needs its axis
      for (const { field } of axes) {
        const range = ranges[field];
        if (range) {
          chart.dispatchAction({
            type: 'axisAreaSelect',
            parallelAxisId: field,
            intervals: [[range.low, range.high]],
          });
        }
      }
      const narrowed = ({ parallelAxisId, intervals }: { parallelAxisId: string; intervals: number[][] }) => {
        const [low, high] = intervals[0] ?? [];
        narrow(parallelAxisId, low === undefined || high === undefined ? null : { low, high });
      };
      chart.on('axisareaselected', narrowed as never);
      return () => chart.off('axisareaselected', narrowed as never);
    },
    [axes, ranges, narrow],
  );
  return (
    <Chart
      id={id}
      title={title}
      about={about}
      table={table}
      option={option}
      connect={connect}
      mark={({ row }) => ({ seriesIndex: 0, dataIndex: row })}
      height={height}
    />
  );
}
