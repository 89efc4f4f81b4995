/** What a request accepts, and the names and units of metrics and limits. */

import { service, type Answer } from './service';

export type Catalogue = Answer<'/api/catalogue'>;
export type Field = Catalogue['groups'][number]['fields'][number];

const HOUR_S = 3_600;

export const { useCatalogueQuery } = service.injectEndpoints({
  endpoints: (build) => ({
    catalogue: build.query<Catalogue, void>({
      query: () => 'catalogue',
      keepUnusedDataFor: HOUR_S,
      providesTags: ['Catalogue'],
    }),
  }),
});

/** The fields of a group, such as `mandate`. */
export function fieldsOf(catalogue: Catalogue, group: string): Field[] {
  return catalogue.groups.find(({ name }) => name === group)?.fields ?? [];
}
