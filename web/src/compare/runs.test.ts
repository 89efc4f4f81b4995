import { expect, test } from 'vitest';

import { asBaseline, runsOf } from './runs';

test('an address names each run once, five at most, and nothing else', () => {
  expect(runsOf('a,b,a,,c d,e')).toEqual(['a', 'b', 'e']);
  expect(runsOf('1,2,3,4,5,6')).toHaveLength(5);
  expect(runsOf(null)).toEqual([]);
});

test('a baseline comes first, the others keep their order', () => {
  expect(asBaseline(['a', 'b', 'c'], 'c')).toEqual(['c', 'a', 'b']);
});
