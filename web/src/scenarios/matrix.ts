/** A correlation matrix in the address: `Equity,Bonds,Gold:-0.2,0.1,0`, the upper triangle row by row. */

export interface Correlated {
  names: readonly string[];
  matrix: readonly (readonly number[])[];
}

export const MOST = 8;
export const FEWEST = 2;
const START = 'Equity,Bonds,Gold:0,0,0';

/** What the text says; the start for text that says nothing. */
export function parsed(text: string | null): Correlated {
  const [head = '', tail = ''] = (text ?? START).split(':');
  const names = head.split(',');
  const values = tail.split(',').map(Number);
  const wanted = (names.length * (names.length - 1)) / 2;
  const fits = names.length >= FEWEST && names.length <= MOST && values.length === wanted;
  if (!fits || values.some((value) => !(Math.abs(value) <= 1))) return parsed(START);
  let next = 0;
  const matrix = names.map((_, row) => names.map((__, column) => (row === column ? 1 : 0)));
  for (const row of names.keys()) {
    for (let column = row + 1; column < names.length; column += 1) {
      const value = values[next++] ?? 0;
      (matrix[row] as number[])[column] = value;
      (matrix[column] as number[])[row] = value;
    }
  }
  return { names, matrix };
}

export function written({ names, matrix }: Correlated): string {
  const triangle = matrix.flatMap((line, row) => line.slice(row + 1));
  return `${names.join(',')}:${triangle.join(',')}`;
}

export function withValue(
  { names, matrix }: Correlated,
  row: number,
  column: number,
  value: number,
): Correlated {
  const next = matrix.map((line) => [...line]);
  (next[row] as number[])[column] = value;
  (next[column] as number[])[row] = value;
  return { names, matrix: next };
}

export function withName({ names, matrix }: Correlated, place: number, name: string): Correlated {
  const clean = name.replaceAll(/[,:]/g, '');
  return { names: names.map((each, at) => (at === place ? clean : each)), matrix };
}

/** With one more asset that moves with none. */
export function longer({ names, matrix }: Correlated): Correlated {
  const size = names.length;
  const name = `Asset ${size + 1}`;
  return {
    names: [...names, name],
    matrix: [...matrix.map((line) => [...line, 0]), [...Array<number>(size).fill(0), 1]],
  };
}

export function shorter({ names, matrix }: Correlated): Correlated {
  return { names: names.slice(0, -1), matrix: matrix.slice(0, -1).map((line) => line.slice(0, -1)) };
}
