import { describe, expect, it } from 'vitest';

import { append, EMPTY, following, hasGap, type Feed, type LiveEvent } from './feed';

const entry = (sequence: number): LiveEvent =>
  ({
    sequence,
    progress: { share: sequence / 10 },
    event: { event: 'warned', at: '2026-11-24T09:00:00Z' },
    line: `event_number ${sequence}`,
  }) as unknown as LiveEvent;
const events = (...numbers: number[]) => numbers.map(entry);
const numbers = ({ entries }: Pick<Feed, 'entries'>) => entries.map(({ sequence }) => sequence);

const add = (feed: Feed, news: LiveEvent[]) => append(feed, following(feed, news));

describe('append', () => {
  it('keeps what the list shows, without the events that have no line', () => {
    const silent = { ...entry(2), line: '' };
    const feed = add(EMPTY, [entry(1), silent]);
    expect(feed.entries).toEqual([
      { sequence: 1, at: Date.UTC(2026, 10, 24, 9), line: 'event_number 1', opens: false },
    ]);
    expect(feed.last).toBe(2);
  });

  it('holds each event once, whatever a new connection repeats', () => {
    const first = add(EMPTY, events(1, 2, 3));
    const second = add(first, events(2, 3, 4));
    expect(numbers(second)).toEqual([1, 2, 3, 4]);
    expect(second.progress?.share).toBe(0.4);
    expect(add(second, events(1, 4))).toBe(second);
  });

  it('stops before a gap, and takes no repetition for one', () => {
    const feed = add(EMPTY, events(1, 2));
    expect(numbers(add(feed, events(4, 5)))).toEqual([1, 2]);
    expect(hasGap(feed, events(4, 5))).toBe(true);
    expect(hasGap(feed, events(3, 5))).toBe(true);
    expect(hasGap(feed, events(1, 2, 3, 4))).toBe(false);
    expect(hasGap(feed, [])).toBe(false);
  });
});
