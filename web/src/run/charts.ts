import { service, type Answer } from '../api/service';

export type RunCharts = Answer<'/api/jobs/{job_id}/charts'>;

const chartService = service.injectEndpoints({
  endpoints: (build) => ({
    liveCharts: build.query<RunCharts, string>({
      query: (id) => `jobs/${id}/charts?chart=convergence&chart=risk_return&points=1000`,
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

export const { useLiveChartsQuery, useRunRequestQuery, useCancelMutation } = chartService;
