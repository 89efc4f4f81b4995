import { expect, test } from 'vitest';

import { errorText } from './figure';

test('a standard error is in the unit of its figure, and never nothing', () => {
  expect(errorText(45.46, 'bps')).toBe('45 bps');
  expect(errorText(0.0017, 'percent')).toBe('0.2 percentage points');
  expect(errorText(0.0001, 'percent')).toBe('less than 0.1 percentage points');
});
