/** Questions that wait for a person. They are objects of the service, so that no stream can lose one. */

import { service, type Answer, type Body } from './service';

export type Question = Answer<'/api/approvals', 'get'>['items'][number];
export type Ruling = Body<'/api/approvals/{question}', 'post'>;

const approvalService = service.injectEndpoints({
  endpoints: (build) => ({
    decide: build.mutation<Question, { id: string; ruling: Ruling }>({
      query: ({ id, ruling }) => ({ url: `approvals/${id}`, method: 'POST', body: ruling }),
      invalidatesTags: ['Approvals', 'Desk', 'Jobs'],
    }),
  }),
});

export const { useDecideMutation } = approvalService;
