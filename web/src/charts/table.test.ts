import { expect, test } from 'vitest';

import { number } from '../numbers/format';
import { csv, moved, reading, type ChartTable } from './table';

const column = (name: string) => ({ name, format: (value: number) => number(value, 1) });

function tableOf(rows: number): ChartTable {
  return {
    label: 'Day',
    columns: [column('strategy'), column('benchmark')],
    rows: Array.from({ length: rows }, (_, n) => ({
      label: `day ${n}`,
      values: [n / 2, n === 1 ? null : -n],
    })),
  };
}

test('arrows move through points and series and stop at the ends', () => {
  const table = tableOf(3);
  const press = (...keys: string[]) =>
    keys.reduce<ReturnType<typeof moved>>((place, key) => moved(place, key, table), null);
  expect(press('ArrowRight')).toEqual({ row: 0, column: 0 });
  expect(press('ArrowRight', 'ArrowRight', 'ArrowDown')).toEqual({ row: 1, column: 1 });
  expect(press('End', 'ArrowRight')).toEqual({ row: 2, column: 0 });
  expect(press('Home', 'ArrowLeft', 'ArrowUp')).toEqual({ row: 0, column: 1 });
  expect(press('ArrowLeft')).toEqual({ row: 2, column: 0 });
  expect(moved(null, 'x', table)).toBeNull();
});

test('a long series is crossed in fifty steps', () => {
  expect(moved({ row: 0, column: 0 }, 'ArrowRight', tableOf(1000))).toEqual({ row: 20, column: 0 });
});

test('a point is read with its series, also where there is no value', () => {
  expect(reading({ row: 2, column: 1 }, tableOf(3), 'no value')).toBe('day 2, benchmark: −2.0');
  expect(reading({ row: 1, column: 1 }, tableOf(3), 'no value')).toBe('day 1, benchmark: no value');
});

test('a file holds the values in full, quotes what needs it, and no formula', () => {
  const table: ChartTable = {
    label: 'Name, x',
    columns: [column('value')],
    rows: [
      { label: '=SUM(A1)', values: [-0.1 - 0.2] },
      { label: 'a "b"', values: [null] },
    ],
  };
  expect(csv(table)).toBe('"Name, x",value\r\n\'=SUM(A1),-0.30000000000000004\r\n"a ""b""",\r\n');
});
