/** The events of a run as this page holds them: each once, in order, none missing. */

import type { Answer } from '../api/service';

export type LiveEvent = Answer<'/api/runs/{run}/events/poll'>['events'][number];
export type Progress = LiveEvent['progress'];
export type Kind = LiveEvent['event']['event'];
export type EventOf<Name extends Kind> = Extract<LiveEvent['event'], { event: Name }>;

export interface Feed {
  entries: readonly LiveEvent[];
  /** Number of the last event, after which a connection goes on. */
  last: number;
  progress: Progress | null;
}

export const EMPTY: Feed = { entries: [], last: 0, progress: null };

/** The feed with what is new in `news`. What follows a gap is left out: the connection has to fetch the gap first. */
export function append(feed: Feed, news: readonly LiveEvent[]): Feed {
  const fresh: LiveEvent[] = [];
  let last = feed.last;
  for (const entry of news) {
    if (entry.sequence === last + 1) {
      fresh.push(entry);
      last = entry.sequence;
    }
  }
  const newest = fresh.at(-1);
  return newest === undefined
    ? feed
    : { entries: [...feed.entries, ...fresh], last, progress: newest.progress };
}

/** Whether `news` begins beyond what follows the feed. */
export function hasGap(feed: Feed, news: readonly LiveEvent[]): boolean {
  return news.some(
    ({ sequence }, place) => sequence > (place === 0 ? feed.last : (news[place - 1]?.sequence ?? 0)) + 1,
  );
}
