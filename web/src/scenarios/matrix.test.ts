import { expect, test } from 'vitest';

import { longer, parsed, shorter, withName, withValue, written } from './matrix';

test('an address and its matrix say the same', () => {
  const text = 'A,B,C:0.9,-0.9,0.5';
  expect(parsed(text).matrix).toEqual([
    [1, 0.9, -0.9],
    [0.9, 1, 0.5],
    [-0.9, 0.5, 1],
  ]);
  expect(written(parsed(text))).toBe(text);
});

test('text that says no matrix gives the start', () => {
  for (const text of [null, '', 'A', 'A,B:2', 'A,B:x', 'A,B:0,0', 'A,B,C:0.1']) {
    expect(written(parsed(text))).toBe('Equity,Bonds,Gold:0,0,0');
  }
});

test('changes stay symmetric, and names keep out what separates them', () => {
  const changed = withName(withValue(parsed('A,B,C:0,0,0'), 2, 0, -0.4), 1, 'B:,2');
  expect(written(changed)).toBe('A,B2,C:0,-0.4,0');
  expect(written(longer(changed))).toBe('A,B2,C,Asset 4:0,-0.4,0,0,0,0');
  expect(shorter(longer(changed))).toEqual(changed);
});
