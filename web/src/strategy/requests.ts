import type { components } from '../api/schema';
import { search, service, type Answer, type Body } from '../api/service';

type Evaluation = components['schemas']['DetailedEvaluation'];
/** What is computed on history alone, at once. */
export type Picture = Pick<Evaluation, (typeof PICTURE)[number]>;
export type Rules = Evaluation['held'];
export type EvaluationRequest = Body<'/api/evaluations', 'post'>;
export type LaunchEstimate = Answer<'/api/estimates', 'post'>;
export type SearchRequest = Body<'/api/estimates', 'post'>;
export type Template = Answer<'/api/strategies/templates'>['items'][number];
export type Entry = Answer<'/api/strategies/{strategy_id}', 'get'>;
export type NewStrategy = Body<'/api/strategies', 'post'>;
export type Content = Body<'/api/strategies/{strategy_id}/versions', 'post'>;

/** A saved strategy with the tag that a further version must name. */
export interface Saved {
  entry: Entry;
  tag: string;
}

export type Version = Entry['latest'];
export type Imported = Answer<'/api/market-data/imports', 'post'>;

/** Prices to store under a name. */
export interface PriceFile {
  file: File;
  dataset: string;
  total_return: boolean;
  calendar: string;
}

const HOUR_S = 3_600;
const MOST_VERSIONS = 500;
const PICTURE = ['first_day', 'last_day', 'curve', 'lines', 'today', 'cautions', 'caveats'] as const;
const PICTURE_FIELDS = PICTURE.map((name) => `fields=${name}`).join('&');

const strategyService = service.injectEndpoints({
  endpoints: (build) => ({
    templates: build.query<Template[], void>({
      query: () => 'strategies/templates',
      transformResponse: ({ items }: Answer<'/api/strategies/templates'>) => items,
      keepUnusedDataFor: HOUR_S,
    }),
    picture: build.query<Picture, EvaluationRequest>({
      query: (body) => ({ url: `evaluations?${PICTURE_FIELDS}`, method: 'POST', body }),
      keepUnusedDataFor: 300,
      structuralSharing: false, // every number of another configuration differs
    }),
    rules: build.query<Rules, EvaluationRequest>({
      query: (body) => ({ url: 'evaluations?fields=held', method: 'POST', body }),
      transformResponse: ({ held }: Pick<Evaluation, 'held'>) => held,
      keepUnusedDataFor: 300,
    }),
    estimate: build.query<LaunchEstimate, SearchRequest>({
      query: (body) => ({ url: 'estimates', method: 'POST', body }),
    }),
    strategies: build.query<Answer<'/api/strategies', 'get'>, { archived: boolean }>({
      query: ({ archived }) => `strategies?archived=${archived}`,
      providesTags: ['Strategies'],
    }),
    strategy: build.query<Saved, string>({
      query: (id) => `strategies/${id}`,
      transformResponse: (entry: Entry, meta) => ({ entry, tag: meta?.response?.headers.get('ETag') ?? '' }),
      providesTags: ['Strategies'],
    }),
    createStrategy: build.mutation<Entry, NewStrategy>({
      query: (body) => ({ url: 'strategies', method: 'POST', body }),
      invalidatesTags: ['Strategies'],
    }),
    addVersion: build.mutation<Entry, { id: string; tag: string; content: Content }>({
      query: ({ id, tag, content }) => ({
        url: `strategies/${id}/versions`,
        method: 'POST',
        body: content,
        headers: { 'If-Match': tag },
      }),
      invalidatesTags: ['Strategies'],
    }),
    importPrices: build.mutation<Imported, PriceFile>({
      query: ({ file, ...terms }) => ({
        url: `market-data/imports?${search({ ...terms, dry_run: false })}`,
        method: 'POST',
        body: file,
        headers: { 'Content-Type': 'application/octet-stream' },
      }),
      invalidatesTags: (_report, error) => (error === undefined ? ['Catalogue'] : []),
    }),
    versions: build.query<Version[], string>({
      query: (id) => `strategies/${id}/versions?limit=${MOST_VERSIONS}`,
      transformResponse: ({ items }: Answer<'/api/strategies/{strategy_id}/versions', 'get'>) => items,
      providesTags: ['Strategies'],
    }),
    cloneStrategy: build.mutation<Entry, { id: string; name: string }>({
      query: ({ id, name }) => ({ url: `strategies/${id}/clone`, method: 'POST', body: { name } }),
      invalidatesTags: (_entry, error) => (error === undefined ? ['Strategies'] : []),
    }),
    setArchived: build.mutation<Entry, { id: string; archived: boolean }>({
      query: ({ id, archived }) => ({
        url: `strategies/${id}/${archived ? 'archive' : 'restore'}`,
        method: 'POST',
      }),
      invalidatesTags: ['Strategies'],
    }),
  }),
});

export const {
  useAddVersionMutation,
  useCloneStrategyMutation,
  useCreateStrategyMutation,
  useEstimateQuery,
  useImportPricesMutation,
  usePictureQuery,
  useRulesQuery,
  useSetArchivedMutation,
  useStrategiesQuery,
  useStrategyQuery,
  useTemplatesQuery,
  useVersionsQuery,
} = strategyService;
