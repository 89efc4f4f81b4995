import { ActionIcon, Group, Menu, Text, Title, VisuallyHidden } from '@mantine/core';
import { IconChartLine, IconDownload, IconTable } from '../app/icons';
import { type KeyboardEvent, type ReactNode, useId, useMemo, useState } from 'react';

import { NOTHING, spoken } from '../numbers/format';
import { Canvas } from './Canvas';
import classes from './Chart.module.css';
import { ChartRows } from './ChartRows';
import type { ECharts, EChartsCoreOption } from './echarts';
import { picture, save } from './export';
import { useLook, type Look } from './look';
import { csv, moved, reading, type ChartTable, type Place } from './table';

export interface ChartProps {
  /** Name of its files and anchor. */
  id: string;
  /** What the chart shows, as a sentence with its finding. */
  title: string;
  /** What is drawn, its units and its period. */
  about: ReactNode;
  table: ChartTable;
  option: (look: Look) => EChartsCoreOption;
  height?: number;
  legend?: ReactNode;
  /** Called with the chart once it exists, for its own events; returns what removes them. */
  connect?: (chart: ECharts) => () => void;
  /** What shows the tooltip of a place of the table; by default series = column, point = row. */
  mark?: (place: Place, chart: ECharts) => Record<string, unknown>;
  /** Enter on a point. */
  open?: (place: Place) => void;
}

const AS_TABLE = ({ row, column }: Place) => ({ seriesIndex: column, dataIndex: row });

/** A chart with its finding, its table, its files, and the keyboard. */
export function Chart(props: ChartProps) {
  const { id, title, about, table, option, height = 260, legend, connect, mark = AS_TABLE, open } = props;
  const look = useLook();
  const [drawing, setDrawing] = useState<ECharts | null>(null);
  const [asTable, setAsTable] = useState(false);
  const [place, setPlace] = useState<Place | null>(null);
  const heading = useId();
  const drawn = useMemo(() => ({ ...look.base, ...option(look) }), [option, look]);

  const press = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 't') setAsTable(true);
    if (event.key === 'Enter' && place !== null) open?.(place);
    const next = moved(place, event.key, table);
    if (next === null) return;
    event.preventDefault();
    setPlace(next);
    if (drawing !== null) drawing.dispatchAction({ type: 'showTip', ...mark(next, drawing) });
  };
  const leave = () => {
    setPlace(null);
    drawing?.dispatchAction({ type: 'hideTip' });
  };

  return (
    <figure className={classes.figure} id={`figure-${id}`} aria-labelledby={heading}>
      <Group justify="space-between" align="flex-start" wrap="nowrap" gap="xs">
        <div>
          <Title order={3} id={heading}>
            {title}
          </Title>
          <Text size="sm" c="dimmed" component="div">
            {about}
          </Text>
        </div>
        <Group gap={2} wrap="nowrap" className="no-print">
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={asTable ? 'View as chart' : 'View as table'}
            onClick={() => setAsTable(!asTable)}
          >
            {asTable ? <IconChartLine size={17} aria-hidden /> : <IconTable size={17} aria-hidden />}
          </ActionIcon>
          <Menu position="bottom-end">
            <Menu.Target>
              <ActionIcon variant="subtle" color="gray" aria-label={`Save: ${title}`}>
                <IconDownload size={17} aria-hidden />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              {!asTable && (
                <Menu.Item
                  onClick={async () => {
                    if (drawing !== null) save(`${id}.png`, await picture(drawing, title, look));
                  }}
                >
                  Picture (PNG)
                </Menu.Item>
              )}
              <Menu.Item onClick={() => save(`${id}.csv`, new Blob([csv(table)], { type: 'text/csv' }))}>
                Numbers (CSV)
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </Group>
      </Group>
      {legend}
      {asTable ? (
        <ChartRows table={table} caption={title} height={height} />
      ) : (
        <Canvas
          label={`${spoken(title).replace(/\.$/, '')}. Arrow keys read the values, t shows the table.`}
          height={height}
          option={drawn}
          drawing={drawing}
          setDrawing={setDrawing}
          connect={connect}
          onKeyDown={press}
          onBlur={leave}
        />
      )}
      <VisuallyHidden aria-live="polite">
        {place === null ? '' : spoken(reading(place, table, NOTHING))}
      </VisuallyHidden>
    </figure>
  );
}
