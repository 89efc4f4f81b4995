/** Who works here, and how a browser signs in and out. */

import { service, type Answer, type Body } from './service';

export type Me = Answer<'/api/me', 'get'>;
/** An answer names every preference; a change may leave out those that keep their default. */
export type Preferences = Required<Answer<'/api/me/preferences', 'get'>>;
type Method = Answer<'/api/session/methods'>['methods'][number];

/** Preferences with the version that a change must name. */
export interface StoredPreferences {
  preferences: Preferences;
  version: string;
}

const sessionService = service.injectEndpoints({
  endpoints: (build) => ({
    methods: build.query<Method[], void>({
      query: () => 'session/methods',
      transformResponse: (answer: Answer<'/api/session/methods'>) => answer.methods,
    }),
    signIn: build.mutation<Answer<'/api/session', 'post'>, Body<'/api/session', 'post'>>({
      query: (body) => ({ url: 'session', method: 'POST', body }),
    }),
    authorize: build.mutation<Answer<'/api/session/authorization', 'post'>, string>({
      query: (redirect_uri) => ({ url: 'session/authorization', method: 'POST', body: { redirect_uri } }),
    }),
    signOut: build.mutation<null, void>({ query: () => ({ url: 'session', method: 'DELETE' }) }),
    me: build.query<Me, void>({ query: () => 'me' }),
    preferences: build.query<StoredPreferences, void>({
      query: () => 'me/preferences',
      transformResponse: (preferences: Preferences, meta) => ({
        preferences,
        version: meta?.response?.headers.get('ETag') ?? '*',
      }),
      providesTags: ['Preferences'],
    }),
    savePreferences: build.mutation<Preferences, StoredPreferences>({
      query: ({ preferences, version }) => ({
        url: 'me/preferences',
        method: 'PUT',
        body: preferences,
        headers: { 'If-Match': version },
      }),
      invalidatesTags: ['Preferences'],
    }),
  }),
});

export const {
  useAuthorizeMutation,
  useMeQuery,
  useMethodsQuery,
  usePreferencesQuery,
  useSavePreferencesMutation,
  useSignInMutation,
  useSignOutMutation,
} = sessionService;
export const { useSessionQuery } = service;
