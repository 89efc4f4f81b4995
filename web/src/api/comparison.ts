import { service, type Answer } from './service';

export type SideBySide = Answer<'/api/jobs/compare', 'get'>;

export const { useComparisonQuery } = service.injectEndpoints({
  endpoints: (build) => ({
    /** The first run is the baseline. */
    comparison: build.query<SideBySide, readonly string[]>({
      query: (runs) => `jobs/compare?ids=${runs.join(',')}`,
      keepUnusedDataFor: 3_600, // results do not change
    }),
  }),
});
