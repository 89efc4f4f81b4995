/** The events of a run as this page holds them: each once, in order, none missing. */

import type { Answer } from '../api/service';
export type LiveEvent = Answer<'/api/runs/{run}/events/poll'>['events'][number];
export type Progress = LiveEvent['progress'];
export type Kind = LiveEvent['event']['event'];
export type EventOf<Name extends Kind> = Extract<LiveEvent['event'], { event: Name }>;

/** A line of the list, as small as it can be: a run has thousands. */
export interface Entry {
  sequence: number;
  /** Milliseconds since 1970. */
  at: number;
  line: string;
  /** The first of a step. */
  opens: boolean;
}

export interface Feed {
  entries: readonly Entry[];
  /** Number of the last event, after which a connection goes on. */
  last: number;
  /** Kind of the last event. */
  kind: Kind | null;
  progress: Progress | null;
}

export const EMPTY: Feed = { entries: [], last: 0, kind: null, progress: null };

/** What follows the feed in `news`. What follows a gap is left out: the connection has to fetch the gap first. */
export function following({ last }: Feed, news: readonly LiveEvent[]): LiveEvent[] {
  const fresh: LiveEvent[] = [];
  for (const event of news) {
    if (event.sequence === last + fresh.length + 1) fresh.push(event);
  }
  return fresh;
}

/** The feed with the events that follow it. */
export function append(feed: Feed, fresh: readonly LiveEvent[]): Feed {
  const newest = fresh.at(-1);
  if (newest === undefined) return feed;
  const { sequence: last, progress, event } = newest;
  return { entries: [...feed.entries, ...fresh.flatMap(entryOf)], last, kind: event.event, progress };
}

function entryOf({ sequence, event, line }: LiveEvent): Entry[] {
  if (!line) return [];
  return [{ sequence, at: Date.parse(event.at), line, opens: event.event === 'node_started' }];
}

/** Whether `news` begins beyond what follows the feed. */
export function hasGap(feed: Feed, news: readonly LiveEvent[]): boolean {
  return news.some(
    ({ sequence }, place) => sequence > (place === 0 ? feed.last : (news[place - 1]?.sequence ?? 0)) + 1,
  );
}
