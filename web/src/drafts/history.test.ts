import { expect, test } from 'vitest';

import { began, changedTo, redone, undone } from './history';

const START = { name: 'a', size: 1 };

test('typing in one field is one step, the next field another', () => {
  const typed = ['b', 'bc'].reduce((steps, name) => changedTo(steps, { ...START, name }), began(START));
  const sized = changedTo(typed, { name: 'bc', size: 2 });
  expect(undone(sized).present).toEqual({ name: 'bc', size: 1 });
  expect(undone(undone(sized)).present).toEqual(START);
  expect(undone(undone(undone(sized))).present).toEqual(START);
  expect(redone(undone(sized)).present).toEqual(sized.present);
  expect(redone(sized)).toEqual(sized);
});

test('a new change ends what could be done again, and no change is no step', () => {
  const back = undone(changedTo(began(START), { ...START, size: 2 }));
  expect(changedTo(back, START)).toEqual(back);
  expect(changedTo(back, { ...START, size: 3 }).future).toEqual([]);
});
