/** What is typed and not yet sent: it survives a reload, can be undone, and merges with what is saved elsewhere. */

import { createSlice, type PayloadAction } from '@reduxjs/toolkit';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useDispatch, useSelector } from 'react-redux';

import { began, changedTo, redone, undone, type History } from './history';
import { changedFields, merge, takeTheirs, type Conflict } from './merge';

/** A draft in the browser's storage, which the tabs share. */
interface Stored<Form> {
  /** What it began as, with the version of that. */
  origin: Form;
  tag: string;
  form: Form;
}

interface Held<Form> {
  history: History<Form>;
  origin: Form;
  tag: string;
}

type Drafts = Record<string, Held<object>>;

const slice = createSlice({
  name: 'drafts',
  initialState: {} as Drafts,
  reducers: {
    hold(drafts, { payload }: PayloadAction<{ key: string; held: Held<object> }>) {
      return { ...drafts, [payload.key]: payload.held };
    },
    drop(drafts, { payload }: PayloadAction<string>) {
      return Object.fromEntries(Object.entries(drafts).filter(([key]) => key !== payload));
    },
  },
});

export const draftReducer = slice.reducer;

/** Both sides changed the same fields. */
export interface Clash {
  with: 'another tab' | 'a newer version';
  conflicts: readonly Conflict[];
}

export interface DraftInUse<Form> {
  form: Form;
  /** Whether it differs from what it began as. */
  changed: boolean;
  change: (form: Form) => void;
  /** Back to what it began as; this can be undone. */
  reset: () => void;
  /** The form was saved; what is stored of it follows as its new origin. */
  saved: () => void;
  /** The form was saved as something else, and this place begins anew. */
  forget: () => void;
  undo: (() => void) | null;
  redo: (() => void) | null;
  clash: Clash | null;
  keepMine: () => void;
  takeTheirs: () => void;
}

const PAUSE_MS = 250;

/** The draft named `key` of a form that begins as `origin`, of version `tag`. */
export function useDraft<Form extends object>(key: string, origin: Form, tag: string): DraftInUse<Form> {
  const dispatch = useDispatch();
  const [first, setFirst] = useState(() => read<Form>(key));
  const typed = useSelector((state: { drafts: Drafts }) => state.drafts[key]) as Held<Form> | undefined;
  const held = useMemo(
    () => typed ?? heldOf(first ?? { origin, tag, form: origin }),
    [typed, first, origin, tag],
  );
  const newer = useMemo(
    () => (held.tag === tag ? null : merge(held.origin, held.history.present, origin)),
    [held, origin, tag],
  );
  const form = newer?.merged ?? held.history.present;
  const history = useMemo(() => ({ ...held.history, present: form }), [held, form]);
  const unsettled = newer !== null && newer.conflicts.length > 0;

  const hold = useCallback(
    (next: History<Form>) =>
      dispatch(slice.actions.hold({ key, held: { history: next, origin, tag } as Held<object> })),
    [dispatch, key, origin, tag],
  );
  useEffect(() => {
    if (newer !== null && !unsettled) hold(history);
  }, [newer, unsettled, history, hold]);

  const { rival, settleRival } = useTabs({
    key,
    origin,
    tag,
    history,
    hold,
    write: typed !== undefined && !unsettled,
  });

  const change = useCallback((next: Form) => hold(changedTo(history, next)), [hold, history]);
  const settle = (next: Form) => {
    settleRival();
    hold({ ...changedTo(history, next), field: null });
  };
  const clash: Clash | null =
    rival !== null
      ? { with: 'another tab', conflicts: rival.conflicts }
      : unsettled
        ? { with: 'a newer version', conflicts: newer.conflicts }
        : null;
  const both = rival?.merged ?? form;
  return {
    form,
    changed: changedFields(origin, form).length > 0,
    change,
    reset: () => settle(origin),
    saved: () => localStorage.removeItem(key),
    forget: () => {
      localStorage.removeItem(key);
      setFirst(null);
      dispatch(slice.actions.drop(key));
    },
    undo: history.past.length > 0 ? () => hold(undone(history)) : null,
    redo: history.future.length > 0 ? () => hold(redone(history)) : null,
    clash,
    keepMine: () => settle(both),
    takeTheirs: () => settle(takeTheirs(both, clash?.conflicts ?? [])),
  };
}

interface Shared<Form> {
  key: string;
  origin: Form;
  tag: string;
  history: History<Form>;
  hold: (history: History<Form>) => void;
  /** Whether there is something to write. */
  write: boolean;
}

/** Keeps the draft in the storage of the browser and merges what other tabs write there. */
function useTabs<Form extends object>({ key, origin, tag, history, hold, write }: Shared<Form>) {
  const [rival, setRival] = useState<{ merged: Form; conflicts: readonly Conflict[] } | null>(null);
  const shared = useRef(history.present); // what this tab last wrote or read

  /** Whether another tab wrote since. */
  const meet = useCallback(() => {
    const there = read<Form>(key);
    if (there === null || changedFields(shared.current, there.form).length === 0) return false;
    if (there.tag !== tag) return true; // of another version, which this tab has yet to load
    const { merged, conflicts } = merge(shared.current, history.present, there.form);
    shared.current = there.form;
    if (conflicts.length > 0) setRival({ merged, conflicts });
    else hold(changedTo(history, merged));
    return true;
  }, [key, tag, history, hold]);

  useEffect(() => {
    const notice = (event: StorageEvent) => {
      if (event.key === key) meet();
    };
    window.addEventListener('storage', notice);
    return () => window.removeEventListener('storage', notice);
  }, [key, meet]);

  useEffect(() => {
    if (!write || rival !== null) return;
    const store = () => {
      if (meet() || changedFields(shared.current, history.present).length === 0) return;
      shared.current = history.present;
      const draft: Stored<Form> = { origin, tag, form: history.present };
      localStorage.setItem(key, JSON.stringify(draft));
    };
    const waiting = setTimeout(store, PAUSE_MS);
    window.addEventListener('pagehide', store);
    return () => {
      clearTimeout(waiting);
      window.removeEventListener('pagehide', store);
    };
  }, [key, origin, tag, history, write, rival, meet]);

  return { rival, settleRival: () => setRival(null) };
}

function heldOf<Form extends object>({ origin, tag, form }: Stored<Form>): Held<Form> {
  return { history: began(form), origin, tag };
}

function read<Form>(key: string): Stored<Form> | null {
  const text = localStorage.getItem(key);
  if (text === null) return null;
  try {
    return JSON.parse(text) as Stored<Form>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    localStorage.removeItem(key); // what was cut off cannot be read by a later visit either
    return null;
  }
}
