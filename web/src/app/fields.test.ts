import { expect, test } from 'vitest';

import type { Catalogue } from '../api/catalogue';
import { choicesInWords } from './fields';

const CATALOGUE = {
  groups: [
    {
      fields: [
        { name: 'weight_functions', choices: ['inverse_vol', 'sigmoid'] },
        { name: 'universe', choices: [] },
      ],
    },
  ],
} as unknown as Catalogue;

test('choices of a request are written as the forms name them, other values as they are', () => {
  const shown = (values: string, path: string) => choicesInWords(values, path, CATALOGUE);
  expect(shown('inverse_vol, sigmoid', 'space.weight_functions')).toBe('Inverse volatility, Sigmoid');
  expect(shown('base_case, history', 'limits.turnover.scenarios')).toBe('Base case, History');
  expect(shown('none', 'limits.turnover.scenarios')).toBe('none');
  expect(shown('my_prices', 'universe')).toBe('my_prices');
});
