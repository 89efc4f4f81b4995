import { expect, test } from 'vitest';

import type { Explanation } from '../api/results';
import { evidenceNeeds } from './numbers';

test('what green and amber need is said once where it is the same', () => {
  const needs = (requirement: string, amber: string) =>
    evidenceNeeds({ requirement, amber_requirement: amber } as Explanation['evidence'][number]);
  expect(needs('below 5%', 'below 15%')).toBe('green needs below 5%, amber below 15%');
  expect(needs('above -1.645', 'above -1.645')).toBe('green and amber need above −1.645');
  expect(needs('below 5%', '')).toBe('green needs below 5%');
});
