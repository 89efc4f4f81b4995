import { useMemo } from 'react';

import { service, type Answer } from './service';

type Glossary = Answer<'/api/glossary'>;
export type Term = Glossary['items'][number];

const glossaryService = service.injectEndpoints({
  endpoints: (build) => ({
    glossary: build.query<Glossary, void>({ query: () => 'glossary', keepUnusedDataFor: 86_400 }),
  }),
});

/** The terms by each of their names, in lower case. */
export function useTerms(): Map<string, Term> {
  const { data } = glossaryService.useGlossaryQuery();
  return useMemo(
    () =>
      new Map(data?.items.flatMap((term) => term.names.map((name) => [name.toLowerCase(), term] as const))),
    [data],
  );
}
