import { expect, test } from 'vitest';

import { asBaseline, namesApart, runsOf } from './runs';

test('an address names each run once, five at most, and nothing else', () => {
  expect(runsOf('a,b,a,,c d,e')).toEqual(['a', 'b', 'e']);
  expect(runsOf('1,2,3,4,5,6')).toHaveLength(5);
  expect(runsOf(null)).toEqual([]);
});

test('runs of one name are told apart by the time of their end and their verdict', () => {
  const run = (id: string, name: string, second: string, verdict?: string) => ({
    id,
    name,
    ended: `2026-03-04T12:00:${second}`,
    verdict,
  });
  const names = namesApart([
    run('a', 'Core', '01', 'Not proven'),
    run('b', 'Core', '02', undefined),
    run('c', 'Other', '03', 'Not proven'),
  ]);
  expect([...names]).toEqual([
    ['a', 'Core, 2026-03-04 12:00:01, Not proven'],
    ['b', 'Core, 2026-03-04 12:00:02'],
    ['c', 'Other'],
  ]);
});

test('a baseline comes first, the others keep their order', () => {
  expect(asBaseline(['a', 'b', 'c'], 'c')).toEqual(['c', 'a', 'b']);
});
