import { afterEach, expect, test } from 'vitest';

import cases from './cases.json';
import {
  ago,
  bps,
  date,
  dollars,
  duration,
  interval,
  number,
  percent,
  plural,
  pValue,
  spoken,
  writeIn,
} from './format';

afterEach(() => writeIn('1,234.56', 'YYYY-MM-DD'));

const FORMS: Record<string, (value: number, digits: number, signed: boolean) => string> = {
  number: (value, digits, signed) => number(value, digits, { signed }),
  percent: (value, digits, signed) => percent(value, digits, { signed }),
  bps: (value, _, signed) => bps(value, { signed }),
  dollars,
};

test.each(cases)(
  '$form of $value reads $text, as in the terminal',
  ({ form, value, digits, signed, text }) => {
    expect(FORMS[form]?.(value, digits, signed ?? false)).toBe(text);
  },
);

test('small probabilities, intervals, counts and times have one form', () => {
  expect(pValue(0.0004)).toBe('< 0.001');
  expect(interval(-62, 106)).toBe('−62 to +106');
  expect([plural(1, 'trial'), plural(1200, 'trial')]).toEqual(['1 trial', '1,200 trials']);
  expect([duration(59), duration(200), duration(7260)]).toEqual(['59 s', '3 min 20 s', '2 h 1 min']);
  expect(ago('2026-11-23T09:00:00Z', Date.parse('2026-11-23T12:10:00Z'))).toBe('3 hours ago');
});

test('a screen reader hears the sign', () => {
  expect(spoken('−5 bps')).toBe('minus 5 basis points');
});

test('numbers and days follow the preferences of the user', () => {
  writeIn('1.234,56', 'DD.MM.YYYY');
  expect([number(-1234.5, 1), percent(0.105), date('2026-03-02')]).toEqual([
    '−1.234,5',
    '10,5%',
    '02.03.2026',
  ]);
  writeIn('1’234.56', 'MM/DD/YYYY');
  expect([number(1e6, 2), date('2026-03-02')]).toEqual(['1’000’000.00', '03/02/2026']);
});
