import { type KeyboardEvent, useEffect, useRef } from 'react';

import classes from './Chart.module.css';
import { init, type ECharts, type EChartsCoreOption } from './echarts';

interface Props {
  label: string;
  height: number;
  option: EChartsCoreOption;
  drawing: ECharts | null;
  /** Takes the chart once it exists, and null when it does not any more. */
  setDrawing: (drawing: ECharts | null) => void;
  connect: ((chart: ECharts) => () => void) | undefined;
  onKeyDown: (event: KeyboardEvent) => void;
  onBlur: () => void;
}

/** The drawing. It is one stop of the tab key: the arrow keys move inside, as in a slider. */
export function Canvas({ label, height, option, drawing, setDrawing, connect, onKeyDown, onBlur }: Props) {
  const host = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const element = host.current;
    if (element === null) return;
    const created = init(element, null, { renderer: 'canvas' });
    const observer = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: high } = element;
      // the first report is of the size that it was made with
      if (width !== created.getWidth() || high !== created.getHeight()) created.resize();
    });
    observer.observe(element);
    setDrawing(created);
    return () => {
      observer.disconnect();
      created.dispose();
      setDrawing(null);
    };
  }, [setDrawing]);

  useEffect(() => {
    // with the next frame, once for this and what `connect` does; not while the tab is hidden
    drawing?.setOption(option, { notMerge: true, lazyUpdate: true });
  }, [drawing, option]);

  useEffect(() => (drawing === null ? undefined : connect?.(drawing)), [drawing, connect]);

  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <div
      role="group"
      aria-roledescription="chart"
      aria-label={label}
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      className={classes.canvas}
      onKeyDown={onKeyDown}
      onBlur={onBlur}
    >
      <div ref={host} style={{ height }} />
    </div>
  );
}
