/** The compared runs in the address: `?ids=a,b,c`, the first one the baseline. */

export const FEWEST = 2;
export const MOST = 5;

export function runsOf(text: string | null): string[] {
  const named = (text ?? '').split(',').filter((run) => /^[A-Za-z0-9_-]{1,64}$/.test(run));
  return [...new Set(named)].slice(0, MOST);
}

export function asBaseline(runs: readonly string[], run: string): string[] {
  return [run, ...runs.filter((each) => each !== run)];
}
