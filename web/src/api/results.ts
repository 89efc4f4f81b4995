/** Results of jobs as several screens use them. */

import type { components } from './schema';
import { search, service, type Answer, type Query } from './service';

type Schemas = components['schemas'];
export type Result = Schemas['OptimizationResult'];
export type PartialResult = Schemas['PartialResult'];
export type Explanation = Answer<'/api/jobs/{job_id}/explanation', 'get'>;
export type FigureSource = Explanation['figures'][number];
export type Charts = Answer<'/api/jobs/{job_id}/charts', 'get'>;
export type TrialPage = Answer<'/api/jobs/{job_id}/trials', 'get'>;
export type TrialQuery = Query<'/api/jobs/{job_id}/trials', 'get'>;
export type Trial = Answer<'/api/jobs/{job_id}/trials/{digest}', 'get'>;
export type Measured = Schemas['Measured'];
export type Metrics = Schemas['Metrics'];
export type Configuration = Schemas['StrategyConfig'];
type Reproduction = Answer<'/api/jobs/{job_id}/reproduce', 'post'>;

/** Points of a line: more than pixels of a wide screen, and few enough for a fast answer. */
const POINTS = 1_500;
/** Results do not change. */
const FOR_GOOD = { keepUnusedDataFor: 3_600 };

export const resultService = service.injectEndpoints({
  endpoints: (build) => ({
    result: build.query<Result | PartialResult, string>({
      query: (job) => `jobs/${job}/result`,
      ...FOR_GOOD,
    }),
    explanation: build.query<Explanation, string>({
      query: (job) => `jobs/${job}/explanation`,
      ...FOR_GOOD,
    }),
    charts: build.query<Charts, string>({
      query: (job) => `jobs/${job}/charts?points=${POINTS}`,
      ...FOR_GOOD,
    }),
    trials: build.query<TrialPage, { job: string; query: TrialQuery }>({
      query: ({ job, query }) => `jobs/${job}/trials?${trialSearch(query)}`,
    }),
    trial: build.query<Trial, { job: string; digest: string }>({
      query: ({ job, digest }) => `jobs/${job}/trials/${digest}`,
      ...FOR_GOOD,
    }),
    reproduce: build.mutation<Reproduction, string>({
      query: (job) => ({ url: `jobs/${job}/reproduce`, method: 'POST' }),
    }),
  }),
});

export const {
  useResultQuery,
  useExplanationQuery,
  useChartsQuery,
  useTrialsQuery,
  useTrialQuery,
  useReproduceMutation,
} = resultService;

/** What is stored has a value for every field. */
type Stored<T> = T extends readonly (infer Item)[]
  ? Stored<Item>[]
  : T extends object
    ? { [Name in keyof T]-?: Stored<Exclude<T[Name], undefined>> }
    : T;

export function requestOf({ manifest }: Result): Stored<Result['manifest']['request']> {
  return manifest.request as Stored<Result['manifest']['request']>;
}

export function isWhole(result: Result | PartialResult): result is Result {
  return 'verdict' in result;
}

/** Lists are repeated parameters. */
function trialSearch({ weight_function: functions = [], within = [], ...query }: TrialQuery): string {
  const parameters = new URLSearchParams(search(query as Record<string, string>));
  for (const name of functions) parameters.append('weight_function', name);
  for (const range of within) parameters.append('within', range);
  return parameters.toString();
}
