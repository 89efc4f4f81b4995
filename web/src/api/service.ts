/** The service as RTK Query sees it. Screens add their endpoints with `service.injectEndpoints`. */

import {
  createApi,
  fetchBaseQuery,
  type BaseQueryFn,
  type FetchArgs,
  type FetchBaseQueryError,
  type FetchBaseQueryMeta,
} from '@reduxjs/toolkit/query/react';

import type { paths } from './schema';

const SAFE = new Set(['GET', 'HEAD']);
const UNAUTHORIZED = 401;

type Request = string | FetchArgs;

const ask = fetchBaseQuery({ baseUrl: '/api', timeout: 60_000 });

/** A request of the session: changes carry its token, and a session that has ended leads to the sign-in. */
const askInSession: BaseQueryFn<Request, unknown, FetchBaseQueryError, object, FetchBaseQueryMeta> = async (
  request,
  api,
  options,
) => {
  const parts = typeof request === 'string' ? { url: request } : request;
  const answer = await ask(withToken(parts, tokenOf(api.getState())), api, options);
  if (answer.error?.status === UNAUTHORIZED && api.endpoint !== 'session' && api.endpoint !== 'signIn') {
    api.dispatch(service.util.invalidateTags(['Session']));
  }
  if (answer.error?.status === 'FETCH_ERROR' && api.endpoint !== 'health') {
    void api.dispatch(service.endpoints.health.initiate(undefined, { subscribe: false, forceRefetch: true }));
  }
  return answer;
};

function withToken(request: FetchArgs, token: string | null | undefined): FetchArgs {
  if (!token || SAFE.has(request.method ?? 'GET')) return request;
  return { ...request, headers: { ...(request.headers as Record<string, string>), 'X-CSRF-Token': token } };
}

function tokenOf(state: unknown): string | null | undefined {
  return service.endpoints.session.select()(
    state as Parameters<ReturnType<typeof service.endpoints.session.select>>[0],
  ).data?.csrf_token;
}

/** Whether the service did not answer the last question; when it does again, every screen asks again. */
let lost = false;

export const service = createApi({
  reducerPath: 'service',
  baseQuery: askInSession,
  tagTypes: ['Approvals', 'Catalogue', 'Desk', 'Jobs', 'Preferences', 'Scenarios', 'Session', 'Strategies'],
  refetchOnReconnect: true,
  endpoints: (build) => ({
    health: build.query<Answer<'/api/health'>, void>({
      query: () => 'health',
      async onQueryStarted(_, { dispatch, queryFulfilled }) {
        const answered = await queryFulfilled.then(
          () => true,
          () => false,
        );
        if (answered && lost) dispatch(service.internalActions.onOnline());
        lost = !answered;
      },
    }),
    session: build.query<Answer<'/api/session', 'get'>, void>({
      query: () => 'session',
      providesTags: ['Session'],
    }),
  }),
});

type Operation<Path extends keyof paths, Method extends keyof paths[Path]> = paths[Path][Method];

type Json<Responses> = {
  [Status in keyof Responses & (200 | 201 | 202)]: Responses[Status] extends {
    content: { 'application/json': infer Body };
  }
    ? Body
    : never;
}[keyof Responses & (200 | 201 | 202)];

/** The body of a successful answer. */
export type Answer<Path extends keyof paths, Method extends keyof paths[Path] = 'get' & keyof paths[Path]> =
  Operation<Path, Method> extends { responses: infer Responses } ? Json<Responses> : never;

/** The body of a request. */
export type Body<Path extends keyof paths, Method extends keyof paths[Path] = 'post' & keyof paths[Path]> =
  Operation<Path, Method> extends { requestBody: { content: { 'application/json': infer Content } } }
    ? Content
    : never;

/** The query parameters of a request. */
export type Query<Path extends keyof paths, Method extends keyof paths[Path] = 'get' & keyof paths[Path]> =
  Operation<Path, Method> extends { parameters: { query?: infer Parameters } }
    ? NonNullable<Parameters>
    : never;

/** Query parameters as text, without those that are not set. */
export function search(parameters: Record<string, string | number | boolean | null | undefined>): string {
  const set = Object.entries(parameters).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  );
  return new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
}

export type Failure = FetchBaseQueryError | { name?: string; message?: string } | undefined;
