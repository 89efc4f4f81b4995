import { expect, test } from 'vitest';

import { changedFields, merge, takeTheirs } from './merge';

const BASE = { name: 'Core', config: { lookback_days: 63, scale: 4 }, scenarios: ['base_case'] };
const MINE = { ...BASE, name: 'Mine', config: { lookback_days: 126, scale: 4 } };

test('changes of different fields are both kept, a list is one field', () => {
  const theirs = { ...BASE, config: { lookback_days: 63, scale: 5 }, scenarios: ['bear_market'] };
  expect(merge(BASE, MINE, theirs)).toEqual({
    merged: { name: 'Mine', config: { lookback_days: 126, scale: 5 }, scenarios: ['bear_market'] },
    conflicts: [],
    taken: ['config.scale', 'scenarios'],
  });
});

test('a field that both changed is a conflict, unless they agree', () => {
  const theirs = { ...BASE, name: 'Mine', config: { lookback_days: 252, scale: 4 } };
  const { merged, conflicts, taken } = merge(BASE, MINE, theirs);
  expect(conflicts).toEqual([{ field: 'config.lookback_days', mine: 126, theirs: 252 }]);
  expect(taken).toEqual([]);
  expect(merged).toEqual(MINE);
  expect(takeTheirs(merged, conflicts)).toEqual(theirs);
});

test('fields come and go', () => {
  const base: { config: Record<string, number> } = { config: { decay: 0.94 } };
  const mine = { config: { decay: 0.94, midpoint: 0.1 } };
  expect(merge(base, mine, { config: {} }).merged).toEqual({ config: { midpoint: 0.1 } });
  expect(changedFields(base, mine)).toEqual(['config.midpoint']);
});

test('merging with either side unchanged gives the other', () => {
  expect(merge(BASE, BASE, MINE).merged).toEqual(MINE);
  expect(merge(BASE, MINE, BASE).merged).toEqual(MINE);
});
