/** What of a result is shown, as the address says it. */

import { useCallback } from 'react';
import { useSearchParams } from 'react-router';

export interface View {
  get: (name: string) => string | null;
  /** Null removes; an act of the user is an entry of the history, an automatic change is not. */
  set: (changes: Record<string, string | null>, options?: { replace?: boolean }) => void;
  /** The address with changes, for links. */
  address: (changes: Record<string, string | null>) => string;
}

export function useView(): View {
  const [parameters, setParameters] = useSearchParams();
  const changed = useCallback(
    (changes: Record<string, string | null>) => {
      const next = new URLSearchParams(parameters);
      for (const [name, value] of Object.entries(changes)) {
        if (value === null) next.delete(name);
        else next.set(name, value);
      }
      return next;
    },
    [parameters],
  );
  return {
    get: (name) => parameters.get(name),
    set: (changes, { replace = false } = {}) =>
      setParameters(changed(changes), { replace, preventScrollReset: true }),
    address: (changes) => `?${changed(changes).toString()}`,
  };
}
