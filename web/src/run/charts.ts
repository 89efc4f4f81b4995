import { service, type Answer } from '../api/service';

export type RunCharts = Answer<'/api/jobs/{job_id}/charts'>;
export type LiveChart = 'convergence' | 'risk_return';

const chartService = service.injectEndpoints({
  endpoints: (build) => ({
    liveChart: build.query<RunCharts, { id: string; chart: LiveChart }>({
      query: ({ id, chart }) => `jobs/${id}/charts?chart=${chart}&points=1000`,
    }),
    runRequest: build.query<Answer<'/api/jobs/{job_id}/request'>, string>({
      query: (id) => `jobs/${id}/request`,
    }),
    cancel: build.mutation<unknown, { id: string; reason: string }>({
      query: ({ id, reason }) => ({ url: `jobs/${id}`, method: 'DELETE', params: { reason } }),
      invalidatesTags: ['Jobs', 'Desk', 'Approvals'],
    }),
  }),
});

export const { useLiveChartQuery, useRunRequestQuery, useCancelMutation } = chartService;
