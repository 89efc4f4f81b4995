/** Follows a run until it ends: connects, connects again after a cut, and goes another way where one is blocked. */

import { NO_STEPS, NO_WORK, stepsOf, workOf, type Steps, type Team } from './agents';
import { CONNECT, type End, type Way } from './connections';
import { append, EMPTY, following, hasGap, type Feed, type LiveEvent } from './feed';

export type Status = 'connecting' | 'live' | 'lost' | 'ended' | 'gone';

export interface Following {
  feed: Feed;
  team: Team;
  steps: Steps;
  status: Status;
  way: Way;
  /** When something last arrived, in milliseconds. */
  lastSign: number | null;
}

export const BEFORE: Following = {
  feed: EMPTY,
  team: NO_WORK,
  steps: NO_STEPS,
  status: 'connecting',
  way: 'websocket',
  lastSign: null,
};

const PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000];
/** So many connections in a row that bring nothing show that a way is blocked; one that did bring events, rather the service. */
const TRIES = 2;
const TRIES_AGAIN = 8;
/** From the first event of a burst to its paint, and between two paints. */
const GATHER_MS = 16;
const PAINTS_MS = 50;

/** Reports the run as it comes; returns what stops it. `preferred` is the first way to try. */
export function follow(run: string, preferred: Way, report: (following: Following) => void): () => void {
  const stop = new AbortController();
  let now: Following = { ...BEFORE, way: preferred };
  let painting: ReturnType<typeof setTimeout> | undefined;
  let painted = -Infinity;

  /** After a pause with what arrives within a frame; otherwise with what arrives until the next paint. */
  const change = (part: Partial<Following>) => {
    now = { ...now, ...part };
    painting ??= setTimeout(
      () => {
        painting = undefined;
        painted = performance.now();
        if (!stop.signal.aborted) report(now);
      },
      Math.max(GATHER_MS, painted + PAINTS_MS - performance.now()),
    );
  };

  const connect = async (way: Way): Promise<{ end: End; alive: boolean }> => {
    let alive = false;
    const cut = new AbortController();
    const receiver = {
      open: () => change({ status: 'live' }),
      alive: () => {
        alive = true;
        change({ status: 'live', lastSign: Date.now() });
      },
      events: (events: LiveEvent[]) => {
        const gap = hasGap(now.feed, events);
        const fresh = following(now.feed, events);
        change({
          feed: append(now.feed, fresh),
          team: workOf(now.team, fresh),
          steps: stepsOf(now.steps, fresh),
        });
        if (gap) cut.abort(); // the next connection begins at the gap
      },
    };
    const signal = AbortSignal.any([stop.signal, cut.signal]);
    const end = await CONNECT[way](run, now.feed.last, receiver, signal);
    return { end, alive };
  };

  const work = async () => {
    const useful = new Set<Way>();
    for (let failures = 0; !stop.signal.aborted;) {
      const { end, alive } = await connect(now.way);
      if (end !== 'cut') {
        change({ status: end });
        return;
      }
      failures = alive ? 0 : failures + 1;
      if (alive) useful.add(now.way);
      change({ status: 'lost' });
      const wait = PAUSES_MS[Math.min(failures, PAUSES_MS.length - 1)] ?? 0;
      if (failures >= (useful.has(now.way) ? TRIES_AGAIN : TRIES)) {
        failures = 0;
        change({ way: after(now.way) });
      }
      await pause(wait, stop.signal);
    }
  };

  void work();
  return () => {
    stop.abort();
    clearTimeout(painting);
  };
}

function after(way: Way): Way {
  const ways = Object.keys(CONNECT) as Way[];
  return ways[(ways.indexOf(way) + 1) % ways.length] ?? way;
}

/** Waits, with a random part; a network or a page that comes back ends it at once. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const seen = () => {
      if (document.visibilityState === 'visible') done();
    };
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener('online', done);
      document.removeEventListener('visibilitychange', seen);
      resolve();
    };
    const timer = setTimeout(done, milliseconds * (0.75 + 0.5 * Math.random()));
    window.addEventListener('online', done);
    document.addEventListener('visibilitychange', seen);
    signal.addEventListener('abort', done, { once: true });
  });
}
