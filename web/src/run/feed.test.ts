import { describe, expect, it } from 'vitest';

import { append, EMPTY, hasGap, type LiveEvent } from './feed';

const entry = (sequence: number): LiveEvent =>
  ({
    sequence,
    progress: { share: sequence / 10 },
    event: { event: 'warned' },
    line: '',
  }) as unknown as LiveEvent;
const entries = (...numbers: number[]) => numbers.map(entry);
const numbers = ({ entries }: { entries: readonly LiveEvent[] }) => entries.map(({ sequence }) => sequence);

describe('append', () => {
  it('holds each event once, whatever a new connection repeats', () => {
    const first = append(EMPTY, entries(1, 2, 3));
    const second = append(first, entries(2, 3, 4));
    expect(numbers(second)).toEqual([1, 2, 3, 4]);
    expect(second.progress?.share).toBe(0.4);
    expect(append(second, entries(1, 4))).toBe(second);
  });

  it('stops before a gap, and takes no repetition for one', () => {
    const feed = append(EMPTY, entries(1, 2));
    expect(numbers(append(feed, entries(4, 5)))).toEqual([1, 2]);
    expect(hasGap(feed, entries(4, 5))).toBe(true);
    expect(hasGap(feed, entries(3, 5))).toBe(true);
    expect(hasGap(feed, entries(1, 2, 3, 4))).toBe(false);
    expect(hasGap(feed, [])).toBe(false);
  });
});
