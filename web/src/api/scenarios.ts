import { service, type Answer, type Body } from './service';

export type ScenarioEntry = Answer<'/api/scenarios', 'get'>['items'][number];
export type Scenario = ScenarioEntry['scenario'];

/** A scenario with the version that a change must name. */
export interface StoredScenario {
  entry: ScenarioEntry;
  tag: string;
}

export type PreviewRequest = Body<'/api/scenarios/preview'>;
export type ScenarioPreview = Answer<'/api/scenarios/preview', 'post'>;
export type CorrelationCheck = Answer<'/api/scenarios/correlations', 'post'>;

const scenarioService = service.injectEndpoints({
  endpoints: (build) => ({
    scenarios: build.query<ScenarioEntry[], void>({
      query: () => 'scenarios',
      transformResponse: ({ items }: Answer<'/api/scenarios', 'get'>) => items,
      providesTags: ['Scenarios'],
    }),
    scenario: build.query<StoredScenario, string>({
      query: (name) => `scenarios/${name}`,
      transformResponse: (entry: ScenarioEntry, meta) => ({
        entry,
        tag: meta?.response?.headers.get('ETag') ?? '',
      }),
      providesTags: ['Scenarios'],
    }),
    scenarioPreview: build.query<ScenarioPreview, PreviewRequest>({
      query: (body) => ({ url: 'scenarios/preview', method: 'POST', body }),
      keepUnusedDataFor: 300,
    }),
    correlations: build.query<CorrelationCheck, readonly (readonly number[])[]>({
      query: (matrix) => ({ url: 'scenarios/correlations', method: 'POST', body: { matrix } }),
    }),
    createScenario: build.mutation<ScenarioEntry, Scenario>({
      query: (body) => ({ url: 'scenarios', method: 'POST', body }),
      invalidatesTags: ['Scenarios'],
    }),
    cloneScenario: build.mutation<ScenarioEntry, { source: string; name: string }>({
      query: ({ source, name }) => ({ url: `scenarios/${source}/clone`, method: 'POST', body: { name } }),
      invalidatesTags: ['Scenarios'],
    }),
    replaceScenario: build.mutation<ScenarioEntry, { scenario: Scenario; tag: string }>({
      query: ({ scenario, tag }) => ({
        url: `scenarios/${scenario.name}`,
        method: 'PUT',
        body: scenario,
        headers: { 'If-Match': tag },
      }),
      invalidatesTags: ['Scenarios'], // also when it was changed elsewhere, which is then read
    }),
    deleteScenario: build.mutation<null, string>({
      query: (name) => ({ url: `scenarios/${name}`, method: 'DELETE' }),
      invalidatesTags: (_result, error) => (error === undefined ? ['Scenarios'] : []),
    }),
  }),
});

export const {
  useCloneScenarioMutation,
  useCorrelationsQuery,
  useCreateScenarioMutation,
  useDeleteScenarioMutation,
  useReplaceScenarioMutation,
  useScenarioPreviewQuery,
  useScenarioQuery,
  useScenariosQuery,
} = scenarioService;
