/** The compared runs in the address, `?ids=a,b,c`, the first one the baseline; what they are called. */

import { clock, date } from '../numbers/format';

export const FEWEST = 2;
export const MOST = 5;

export function runsOf(text: string | null): string[] {
  const named = (text ?? '').split(',').filter((run) => /^[A-Za-z0-9_-]{1,64}$/.test(run));
  return [...new Set(named)].slice(0, MOST);
}

export function asBaseline(runs: readonly string[], run: string): string[] {
  return [run, ...runs.filter((each) => each !== run)];
}

interface EndedRun {
  id: string;
  name: string;
  ended: string;
  /** In words; none for runs of earlier versions. */
  verdict: string | undefined;
}

/** Names by id; where several runs have one name, with the time of their end and the verdict. */
export function namesApart(runs: readonly EndedRun[]): ReadonlyMap<string, string> {
  const shared = (name: string) => runs.filter((run) => run.name === name).length > 1;
  return new Map(
    runs.map(({ id, name, ended, verdict }) => [
      id,
      shared(name) ? [name, `${date(ended)} ${clock(ended)}`, verdict].filter(Boolean).join(', ') : name,
    ]),
  );
}
