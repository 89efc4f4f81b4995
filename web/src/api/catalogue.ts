/** What a request accepts, and the names and units of metrics and limits. */

import { service, type Answer } from './service';

export type Catalogue = Answer<'/api/catalogue'>;

const HOUR_S = 3_600;

export const { useCatalogueQuery } = service.injectEndpoints({
  endpoints: (build) => ({
    catalogue: build.query<Catalogue, void>({ query: () => 'catalogue', keepUnusedDataFor: HOUR_S }),
  }),
});
