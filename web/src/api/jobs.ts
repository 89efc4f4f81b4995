/** Jobs as several screens use them. */

import { search, service, type Answer, type Body, type Query } from './service';

export type JobPage = Answer<'/api/jobs', 'get'>;
export type Job = Answer<'/api/jobs/{job_id}', 'get'>;
export type JobSummary = JobPage['items'][number];
export type JobRequest = Body<'/api/jobs'>;
export type RunRequest = Answer<'/api/jobs/{job_id}/request'>;

export const ENDED: ReadonlySet<JobSummary['state']> = new Set([
  'completed',
  'failed',
  'cancelled',
  'rejected',
  'expired',
] as const);

export interface Submission {
  request: JobRequest;
  /** The same key within a day is the same job, so that a second press starts nothing. */
  key: string;
}

export const jobService = service.injectEndpoints({
  endpoints: (build) => ({
    jobs: build.query<JobPage, Query<'/api/jobs', 'get'>>({
      query: (parameters) => `jobs?${search(parameters)}`,
      providesTags: ['Jobs'],
    }),
    job: build.query<Job, string>({ query: (id) => `jobs/${id}`, providesTags: ['Jobs'] }),
    runRequest: build.query<RunRequest, string>({ query: (id) => `jobs/${id}/request` }),
    submit: build.mutation<JobSummary, Submission>({
      query: ({ request, key }) => ({
        url: 'jobs',
        method: 'POST',
        body: request,
        headers: { 'Idempotency-Key': key },
      }),
      invalidatesTags: ['Jobs', 'Desk', 'Approvals'],
    }),
  }),
});

export const { useJobQuery, useJobsQuery, useRunRequestQuery, useSubmitMutation } = jobService;
