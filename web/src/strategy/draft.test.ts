import { expect, test } from 'vitest';

import {
  configOf,
  contentOf,
  draftOf,
  draftOfVersion,
  evaluationOf,
  inactive,
  mistakesOf,
  nextName,
  searchOf,
  type Draft,
} from './draft';
import type { Catalogue, Field } from '../api/catalogue';
import type { Template, Version } from './requests';

const field = (name: string, more: Partial<Field> = {}): Field =>
  ({ name, type: 'number', many: false, meaning: name, effect: '', ...more }) as Field;
const FIELDS = [
  field('weight_function'),
  field('estimator', { weight_functions: ['inverse_vol', 'sigmoid'] }),
  field('lookback_days', {
    default: 63,
    weight_functions: ['inverse_vol', 'sigmoid'],
    estimators: ['rolling'],
  }),
  field('decay', { default: 0.94, weight_functions: ['inverse_vol', 'sigmoid'], estimators: ['ewma'] }),
  field('rebalancing'),
  field('no_trade_band', { default: 0 }),
  field('midpoint', { weight_functions: ['sigmoid'] }),
  field('constant_weight', { minimum: 0, weight_functions: ['constant'] }),
];
const CATALOGUE = {
  groups: [{ name: 'configuration', places: [], fields: FIELDS }],
  weight_functions: [
    { name: 'inverse_vol', parameters: [], volatility: true },
    { name: 'sigmoid', parameters: ['midpoint'], volatility: true },
    { name: 'constant', parameters: ['constant_weight'], volatility: false },
  ],
  estimators: [
    { name: 'rolling', parameter: 'lookback_days' },
    { name: 'ewma', parameter: 'decay' },
  ],
} as unknown as Catalogue;

function draft(config: Draft['config']): Draft {
  const rule = { config: {}, mandate: { target_volatility: 0.1 } } as unknown as Template['rule'];
  const base = {
    weight_function: 'inverse_vol',
    estimator: 'rolling',
    lookback_days: 252,
    rebalancing: 'monthly',
  };
  return { ...draftOf(rule, 'Core'), config: { ...base, ...config } };
}

test('what begins from a run has another name', () => {
  expect(['Core', 'Core (2)', 'Core (9)'].map(nextName)).toEqual(['Core (2)', 'Core (3)', 'Core (10)']);
  expect(nextName('n'.repeat(64))).toBe(`${'n'.repeat(60)} (2)`);
});

test('only parameters with an effect are sent, and new ones begin with their default', () => {
  const common = { rebalancing: 'monthly', no_trade_band: 0 };
  expect(configOf(draft({}), CATALOGUE)).toEqual({
    weight_function: 'inverse_vol',
    estimator: 'rolling',
    lookback_days: 252,
    ...common,
  });
  expect(configOf(draft({ estimator: 'ewma' }), CATALOGUE)).toMatchObject({ estimator: 'ewma', decay: 0.94 });
  expect(configOf(draft({ weight_function: 'sigmoid' }), CATALOGUE)).toMatchObject({ midpoint: 0.1 });
  expect(configOf(draft({ weight_function: 'constant', constant_weight: 0.6 }), CATALOGUE)).toEqual({
    weight_function: 'constant',
    constant_weight: 0.6,
    ...common,
  });
});

test('a field without effect says why', () => {
  const byName = (name: string) => FIELDS.find((each) => each.name === name) ?? field(name);
  expect(inactive(byName('decay'), draft({}))).toBe('No effect with this estimator');
  expect(inactive(byName('midpoint'), draft({}))).toBe('No effect with this weight function');
  expect(inactive(byName('lookback_days'), draft({}))).toBeNull();
  expect(
    inactive(field('risk_aversion', { weight_functions: ['merton'], effect: 'In the goal' }), draft({})),
  ).toBeNull();
});

test('a search takes what differs from the defaults, and the preview the same days and safe leg', () => {
  const asked: Draft = {
    ...draft({}),
    request: { max_minutes: 5, cash: '0.02', safe: 'BOND', first_day: '2005-01-01' },
    limits: { max_drawdown: { bound: 0.2, tolerated: 0.1 } },
    space: { lookback_days: [21, 63] },
  };
  expect(searchOf(asked, CATALOGUE, [])).toMatchObject({
    max_minutes: 5,
    cash: '0.02',
    first_day: '2005-01-01',
    limits: { max_drawdown: { bound: 0.2, tolerated: 0.1 } },
    space: { lookback_days: [21, 63] },
  });
  const preview = evaluationOf(asked, CATALOGUE);
  expect(preview).toMatchObject({ cash: '0.02', safe: 'BOND', window: { first_day: '2005-01-01' } });
  expect(preview).not.toHaveProperty('max_minutes');
  expect(evaluationOf(draft({}), CATALOGUE)).not.toHaveProperty('window');
});

test('mistakes are named by the labels and units of the form', () => {
  const groups = [
    {
      name: 'mandate',
      places: [],
      fields: [field('target_volatility', { unit: 'fraction_per_year', minimum: 0.05, maximum: 0.2 })],
    },
    { name: 'request', places: [], fields: [field('first_day')] },
  ];
  const catalogue = { ...CATALOGUE, groups } as unknown as Catalogue;
  const typed = { ...draft({}), mandate: { target_volatility: 9.99 } };
  const errors = {
    'mandate.target_volatility': '9.99 is not allowed; expected 0.05 to 0.2',
    'mandate.min_weight': 'min_weight 0.9 is above max_weight 0.5',
  };
  expect(mistakesOf(errors, typed, catalogue)).toBe(
    'Target volatility: 999% is not possible: 5% to 20%. ' +
      'Smallest weight: smallest weight 0.9 is above largest weight 0.5',
  );
});

test('a saved version is the draft that was saved', () => {
  const typed: Draft = {
    ...draft({ no_trade_band: 0 }),
    universe: 'core',
    trials: 250,
    scenarios: ['bear_market'],
    request: { cash: '0.02', max_minutes: 5 },
    split: { training: 0.5 },
    limits: { max_drawdown: { bound: 0.2 } },
  };
  const { rule, universe, search } = contentOf(typed, CATALOGUE);
  expect(search).toMatchObject({ trials: 250, cash: '0.02', limits: { max_drawdown: { bound: 0.2 } } });
  expect(search).not.toHaveProperty('space');
  expect(draftOfVersion({ rule, universe, search } as Version, 'Core')).toEqual(typed);
  const plain = contentOf(draft({ no_trade_band: 0 }), CATALOGUE);
  expect(plain.search).toEqual({});
  expect(draftOfVersion({ ...plain } as Version, 'Core')).toEqual(draft({ no_trade_band: 0 }));
});
