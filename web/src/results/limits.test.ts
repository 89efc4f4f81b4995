import { expect, test } from 'vitest';

import { limitsKept } from './limits';

test('a strategy that breaks limits names them', () => {
  const labels = [{ name: 'turnover', label: 'Turnover a year' }];
  expect(limitsKept({ feasible: true }, labels)).toBe('met');
  expect(limitsKept({ feasible: false, breaches: ['turnover', 'max_drawdown'] }, labels)).toBe(
    'broken: Turnover a year; Max drawdown',
  );
  expect(limitsKept({ feasible: false }, labels)).toBe('broken');
});
