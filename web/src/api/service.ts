/** The service as RTK Query sees it. Screens add their endpoints with `service.injectEndpoints`. */

import { createApi, fetchBaseQuery, type FetchBaseQueryError } from '@reduxjs/toolkit/query/react';

import type { paths } from './schema';

export const service = createApi({
  reducerPath: 'service',
  baseQuery: fetchBaseQuery({ baseUrl: '/api', timeout: 60_000 }),
  tagTypes: ['Approvals', 'Desk', 'Jobs', 'Strategies'],
  refetchOnReconnect: true,
  endpoints: () => ({}),
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
