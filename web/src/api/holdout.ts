import { service, type Answer } from './service';

export type HoldoutStatus = Answer<'/api/jobs/{job_id}/holdout', 'get'>;

const holdoutService = service.injectEndpoints({
  endpoints: (build) => ({
    holdout: build.query<HoldoutStatus, string>({
      query: (job) => `jobs/${job}/holdout`,
      providesTags: ['Approvals'],
    }),
    /** `approve` is the user's own decision; without it a second person is asked. */
    openHoldout: build.mutation<HoldoutStatus, { job: string; approve: boolean }>({
      query: ({ job, approve }) => ({
        url: `jobs/${job}/holdout`,
        method: 'POST',
        ...(approve ? { body: { verdict: 'approved' } } : {}),
      }),
      invalidatesTags: ['Approvals', 'Desk'],
    }),
  }),
});

export const { useHoldoutQuery, useOpenHoldoutMutation } = holdoutService;
