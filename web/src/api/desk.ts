import { service, type Answer } from './service';

export type Desk = Answer<'/api/desk', 'get'>;
export type ListedJob = Desk['ended'][number];

const deskService = service.injectEndpoints({
  endpoints: (build) => ({
    desk: build.query<Desk, void>({ query: () => 'desk', providesTags: ['Desk'] }),
  }),
});

export const { useDeskQuery } = deskService;
