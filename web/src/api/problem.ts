/** What went wrong with a request, in words that say what to do. */

import type { components } from './schema';
import type { Failure } from './service';

type Envelope = components['schemas']['ErrorEnvelope'];

export interface Problem {
  status: number | null;
  title: string;
  text: string;
  /** By path of the field, without `body.`. */
  fields: Record<string, string>;
  /** Whether the same request may succeed later. */
  passing: boolean;
  /** Whether the address of the page is the reason. */
  address: boolean;
}

const TITLES: Record<number, string> = {
  401: 'Please sign in',
  403: 'Not allowed',
  404: 'Not found',
  409: 'Changed in the meantime',
  410: 'No longer available',
  412: 'Changed in the meantime',
  422: 'Please check the input',
  429: 'Too many requests',
  503: 'The service is busy',
};

const INVALID = 422;
const OF_ADDRESS = /^(path|query)\.|^(after|scenario)$/;
const CUT_OFF = 'The address asks for something that is not there. The link may be cut off.';

export function problemOf(failure: Failure): Problem {
  if (failure === undefined || !('status' in failure)) {
    return problem(null, 'This page failed', failure?.message ?? 'Reload the page.');
  }
  if (failure.status === 'FETCH_ERROR') {
    return {
      ...problem(null, 'No connection', 'The service does not answer. The page continues when it does.'),
      passing: true,
    };
  }
  if (failure.status === 'TIMEOUT_ERROR') {
    return { ...problem(null, 'No answer in time', 'The service took longer than a minute.'), passing: true };
  }
  const status = typeof failure.status === 'number' ? failure.status : null;
  const error = isEnvelope(failure.data) ? failure.data.error : null;
  const fallback = error?.message ?? 'The service gave an answer that this page does not understand.';
  const fields = (error?.details ?? []).map((detail): [string, string] => [
    detail.field.replace(/^body\./, ''),
    detail.allowed ? `${detail.message}; expected ${detail.allowed}` : detail.message,
  ]);
  const byField = Object.fromEntries(fields);
  if (status === INVALID && fields.length > 0 && fields.every(([field]) => OF_ADDRESS.test(field))) {
    return { ...problem(status, 'Not found', CUT_OFF), fields: byField, address: true };
  }
  return {
    ...problem(status, (status !== null && TITLES[status]) || 'The service failed', fallback),
    fields: byField,
    passing: status === 429 || (status !== null && status >= 500),
  };
}

/** Whether there is nothing at the address: of an unknown id, or of a text that can be none. */
export function isMissing(failure: Failure): boolean {
  const { status, fields } = problemOf(failure);
  return (
    status === 404 || (status === INVALID && Object.keys(fields).some((field) => field.startsWith('path.')))
  );
}

function problem(status: number | null, title: string, text: string): Problem {
  return { status, title, text, fields: {}, passing: false, address: false };
}

function isEnvelope(data: unknown): data is Envelope {
  return typeof data === 'object' && data !== null && 'error' in data;
}
