/** The three ways to the events of a run. Each ends by its promise. */

import type { LiveEvent } from './feed';

export type Way = 'websocket' | 'stream' | 'poll';

/** With the run; by an interruption; or because the service no longer has the events. */
export type End = 'ended' | 'cut' | 'gone';

export interface Receiver {
  /** The service accepts the connection; the first event may take long. */
  open: () => void;
  events: (events: LiveEvent[]) => void;
  /** Anything arrived, events or a sign of life. */
  alive: () => void;
}

type Connect = (run: string, after: number, receiver: Receiver, signal: AbortSignal) => Promise<End>;

/** A connection without a sign of life for so long is dead; the service sends one every fifteen seconds. */
export const SILENCE_MS = 25_000;
const POLL_SECONDS = 15;
const SOCKET_ENDS: Record<number, End> = { 1000: 'ended', 4404: 'gone', 4422: 'gone' };
const GONE = new Set([404, 410, 422]);

/** In the order in which they are tried. */
export const CONNECT: Record<Way, Connect> = { websocket: byWebSocket, stream: byStream, poll: byPoll };

export const WAYS: Record<Way, string> = {
  websocket: 'WebSocket',
  stream: 'Event stream',
  poll: 'Long poll',
};

/** First, since WebSockets do not count among the six connections that a browser opens to one HTTP/1.1 server. */
function byWebSocket(run: string, after: number, receiver: Receiver, signal: AbortSignal): Promise<End> {
  return new Promise((resolve) => {
    const address = new URL(`/api/runs/${run}/events/ws?after=${after}`, location.href);
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(address);
    const end = (how: End) => {
      guard.stop();
      socket.onmessage = null;
      socket.onclose = null;
      socket.close(); // a dead network never confirms it
      resolve(how);
    };
    const guard = watch(receiver, () => end('cut'));
    signal.addEventListener('abort', () => end('cut'), { once: true });
    socket.onopen = receiver.open;
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      guard.alive();
      const message = JSON.parse(data) as LiveEvent | { heartbeat: number };
      if ('sequence' in message) receiver.events([message]);
    };
    socket.onclose = ({ code }) => end(SOCKET_ENDS[code] ?? 'cut');
  });
}

/** Server-sent events, read by hand: an EventSource hides the comments that show that a connection lives. */
async function byStream(run: string, after: number, receiver: Receiver, signal: AbortSignal): Promise<End> {
  const abort = new AbortController();
  const guard = watch(receiver, () => abort.abort());
  signal.addEventListener('abort', () => abort.abort(), { once: true });
  try {
    const response = await fetch(`/api/runs/${run}/events?after=${after}`, { signal: abort.signal });
    if (response.status === 204) return 'ended';
    if (!response.ok || response.body === null) return endBy(response);
    receiver.open();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return 'cut';
      guard.alive();
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop() ?? '';
      const frames = blocks.map(frame);
      receiver.events(
        frames.flatMap(({ kind, data }) =>
          data === '' || kind === 'end' ? [] : [JSON.parse(data) as LiveEvent],
        ),
      );
      if (frames.some(({ kind }) => kind === 'end')) return 'ended';
    }
  } catch {
    return 'cut'; // a request that was aborted, or lost with the network
  } finally {
    guard.stop();
  }
}

function frame(block: string): { kind: string; data: string } {
  const field = (name: string) =>
    block
      .split('\n')
      .filter((line) => line.startsWith(`${name}:`))
      .map((line) => line.slice(name.length + 1).trimStart())
      .join('\n');
  return { kind: field('event'), data: field('data') };
}

async function byPoll(run: string, after: number, receiver: Receiver, signal: AbortSignal): Promise<End> {
  try {
    for (let from = after, wait = 0; ; wait = POLL_SECONDS) {
      const timeout = AbortSignal.timeout(SILENCE_MS + 1_000 * POLL_SECONDS);
      const response = await fetch(`/api/runs/${run}/events/poll?after=${from}&wait=${wait}`, {
        signal: AbortSignal.any([signal, timeout]),
      });
      if (!response.ok) return endBy(response);
      receiver.alive();
      const { events, last, ended } = (await response.json()) as {
        events: LiveEvent[];
        last: number;
        ended: boolean;
      };
      receiver.events(events);
      if (ended) return 'ended';
      from = last;
    }
  } catch {
    return 'cut';
  }
}

function endBy({ status }: Response): End {
  return GONE.has(status) ? 'gone' : 'cut';
}

/** Calls `dead` after a silence. */
function watch(receiver: Receiver, dead: () => void) {
  let timer = setTimeout(dead, SILENCE_MS);
  return {
    alive: () => {
      clearTimeout(timer);
      timer = setTimeout(dead, SILENCE_MS);
      receiver.alive();
    },
    stop: () => clearTimeout(timer),
  };
}
