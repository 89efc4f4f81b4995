import { expect, test } from 'vitest';

import { inRanges, readBrush, writeBrush } from './brush';

const POINT = { volatility: 0.11, excess_return: -0.02, drawdown: 0.2, objective: 0.005 };

test('ranges survive the address, negative ends included', () => {
  const brush = { volatility: { low: 0.1, high: 0.12 }, excess_return: { low: -0.03, high: 0 } };
  expect(readBrush(writeBrush(brush))).toEqual(brush);
  expect(writeBrush({ volatility: null })).toBeNull();
});

test('an unreadable part selects nothing away', () => {
  expect(readBrush('volatility:0.1..0.2;colour:1..2;drawdown:x')).toEqual({
    volatility: { low: 0.1, high: 0.2 },
  });
});

test('a point is selected when it lies within every range, ends included', () => {
  expect(inRanges(POINT, { volatility: { low: 0.11, high: 0.12 }, drawdown: { low: 0.1, high: 0.2 } })).toBe(
    true,
  );
  expect(inRanges(POINT, { volatility: { low: 0.11, high: 0.12 }, drawdown: { low: 0.21, high: 0.3 } })).toBe(
    false,
  );
});
