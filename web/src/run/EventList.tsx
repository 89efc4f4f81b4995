import { ScrollArea, Switch, Text } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';

import { clock } from '../numbers/format';
import type { LiveEvent } from './feed';
import classes from './Run.module.css';

const ROW_PX = 26;

/** What happened, newest last. Only the rows in sight are in the page, so that ten thousand stay fluid. */
export function EventList({ entries }: { entries: readonly LiveEvent[] }) {
  const [follows, setFollows] = useState(true);
  const shown = useMemo(() => entries.filter(({ line }) => line !== '' && line !== undefined), [entries]);
  const scroller = useRef<HTMLDivElement>(null);
  // oxlint-disable-next-line react/incompatible-library -- the rows are drawn here and passed to no memo
  const rows = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => shown[index]?.sequence ?? index,
    overscan: 12,
  });
  useEffect(() => {
    if (follows && shown.length > 0) rows.scrollToIndex(shown.length - 1, { align: 'end' });
  }, [follows, rows, shown.length]);
  if (shown.length === 0) return <Text c="dimmed">Nothing has happened yet.</Text>;
  return (
    <>
      <Switch
        size="xs"
        mb="xs"
        label="Scroll to the newest"
        checked={follows}
        onChange={(event) => setFollows(event.currentTarget.checked)}
      />
      <ScrollArea.Autosize
        mah={340}
        type="auto"
        viewportRef={scroller}
        viewportProps={{ tabIndex: 0, 'aria-label': 'Events', role: 'group' }}
      >
        <div className={classes.spacer} style={{ height: rows.getTotalSize() }} role="list">
          {rows.getVirtualItems().map(({ index, start, key }) => {
            const entry = shown[index];
            if (entry === undefined) return null;
            return (
              <div
                key={key}
                ref={rows.measureElement}
                data-index={index}
                data-opens={entry.event.event === 'node_started'}
                className={classes.event}
                style={{ transform: `translateY(${start}px)` }}
                role="listitem"
                aria-posinset={index + 1}
                aria-setsize={shown.length}
              >
                <time dateTime={entry.event.at}>{clock(entry.event.at)}</time>
                <span>{plain(entry.line)}</span>
              </div>
            );
          })}
        </div>
      </ScrollArea.Autosize>
    </>
  );
}

/** Names of tools and settings as words. */
function plain(line: string | undefined): string {
  return (line ?? '').replaceAll(/(?<=[a-z])_(?=[a-z])/g, ' ');
}
