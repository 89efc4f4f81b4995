/** The steps of a draft that can be undone. */

import { changedFields } from './merge';

export interface History<Form> {
  past: readonly Form[];
  present: Form;
  future: readonly Form[];
  /** The field of the last step: typing on in it is the same step. */
  field: string | null;
}

const STEPS = 100;

export const began = <Form>(present: Form): History<Form> => ({
  past: [],
  present,
  future: [],
  field: null,
});

export function changedTo<Form extends object>(history: History<Form>, next: Form): History<Form> {
  const fields = changedFields(history.present, next);
  if (fields.length === 0) return history;
  const field = fields.length === 1 ? (fields[0] ?? null) : null;
  const past =
    field !== null && field === history.field
      ? history.past
      : [...history.past, history.present].slice(-STEPS);
  return { past, present: next, future: [], field };
}

export function undone<Form>({ past, present, future, field }: History<Form>): History<Form> {
  const before = past.at(-1);
  if (before === undefined) return { past, present, future, field };
  return { past: past.slice(0, -1), present: before, future: [present, ...future], field: null };
}

export function redone<Form>({ past, present, future, field }: History<Form>): History<Form> {
  const [after, ...rest] = future;
  if (after === undefined) return { past, present, future, field };
  return { past: [...past, present], present: after, future: rest, field: null };
}
