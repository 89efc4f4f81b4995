/** Drafts survive a reload; two tabs with the same one do not overwrite each other. */

import { createSlice, type PayloadAction } from '@reduxjs/toolkit';
import { useEffect, useState } from 'react';
import { useDispatch, useSelector } from 'react-redux';

import type { Draft } from './draft';

interface Stored {
  draft: Draft;
  /** Counts the changes, in whichever tab. */
  revision: number;
}

type Drafts = Record<string, Stored>;

const slice = createSlice({
  name: 'drafts',
  initialState: {} as Drafts,
  reducers: {
    put(drafts, { payload }: PayloadAction<{ key: string; stored: Stored }>) {
      drafts[payload.key] = payload.stored;
    },
  },
});

export const draftReducer = slice.reducer;

export interface DraftInUse {
  draft: Draft;
  /** Whether something was typed that is not saved. */
  changed: boolean;
  change: (draft: Draft) => void;
  discard: () => void;
  /** The draft of another tab, which is newer; null as long as there is none. */
  other: Draft | null;
  takeOther: () => void;
  keepMine: () => void;
}

/** The draft of a strategy of a user; `initial` as long as nothing was typed. */
export function useDraft(owner: string, id: string, initial: Draft): DraftInUse {
  const key = `stratigos-draft:${owner}:${id}`;
  const held = useSelector((state: { drafts: Drafts }) => state.drafts[key]);
  const [first] = useState(() => read(key));
  const stored = held ?? first;
  const [other, setOther] = useState<Stored | null>(null);
  const dispatch = useDispatch();
  const revision = stored?.revision ?? 0;

  useEffect(() => {
    const notice = (event: StorageEvent) => {
      const there = event.key === key ? read(key) : undefined;
      if (there !== undefined && there.revision > revision) setOther(there);
    };
    window.addEventListener('storage', notice);
    return () => window.removeEventListener('storage', notice);
  }, [key, revision]);

  const put = (draft: Draft, next: number) => {
    dispatch(slice.actions.put({ key, stored: { draft, revision: next } }));
    localStorage.setItem(key, JSON.stringify({ draft, revision: next }));
  };
  return {
    draft: stored?.draft ?? initial,
    changed: revision > 0,
    change: (draft) => {
      const there = read(key);
      if (there !== undefined && there.revision > revision) {
        setOther(there);
        dispatch(slice.actions.put({ key, stored: { draft, revision } }));
        return;
      }
      put(draft, revision + 1);
    },
    discard: () => {
      localStorage.removeItem(key);
      dispatch(slice.actions.put({ key, stored: { draft: initial, revision: 0 } }));
    },
    other: other?.draft ?? null,
    takeOther: () => {
      if (other !== null) dispatch(slice.actions.put({ key, stored: other }));
      setOther(null);
    },
    keepMine: () => {
      if (stored !== undefined && other !== null) put(stored.draft, other.revision + 1);
      setOther(null);
    },
  };
}

function read(key: string): Stored | undefined {
  const text = localStorage.getItem(key);
  return text === null ? undefined : (JSON.parse(text) as Stored);
}
