import { ScrollArea, Switch, Text } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState } from 'react';

import { clock, sentenceCase } from '../numbers/format';
import type { Entry } from './feed';
import classes from './Run.module.css';

const ROW_PX = 26;

/** What happened, newest last. Only the rows in sight are in the page, so that ten thousand stay fluid. */
export function EventList({ entries }: { entries: readonly Entry[] }) {
  const [follows, setFollows] = useState(true);
  const scroller = useRef<HTMLDivElement>(null);
  // oxlint-disable-next-line react/incompatible-library -- the rows are drawn here and passed to no memo
  const rows = useVirtualizer({
    count: entries.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => entries[index]?.sequence ?? index,
    overscan: 12,
  });
  useEffect(() => {
    if (follows && entries.length > 0) rows.scrollToIndex(entries.length - 1, { align: 'end' });
  }, [follows, rows, entries.length]);
  if (entries.length === 0) return <Text c="dimmed">Nothing has happened yet.</Text>;
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
            const entry = entries[index];
            if (entry === undefined) return null;
            return (
              <div
                key={key}
                ref={rows.measureElement}
                data-index={index}
                data-opens={entry.opens}
                className={classes.event}
                style={{ transform: `translateY(${start}px)` }}
                role="listitem"
                aria-posinset={index + 1}
                aria-setsize={entries.length}
              >
                <time dateTime={new Date(entry.at).toISOString()}>{clock(entry.at)}</time>
                <span>{wording(entry.line)}</span>
              </div>
            );
          })}
        </div>
      </ScrollArea.Autosize>
    </>
  );
}

/** Names of tools and settings in words. */
function wording(line: string): string {
  return sentenceCase(line.replaceAll(/(?<=[a-z])_(?=[a-z])/g, ' '));
}
