/** Labels, units and texts of the fields of a request, whose ranges and meanings are the catalogue's. */

import type { Catalogue, Field } from '../api/catalogue';
import { NOTHING, number, title } from '../numbers/format';

export type Value = string | number | boolean | null;
export type Values = Record<string, Value>;
/** A value, or a list of them, of a field that may stay empty. */
export type Option = Value | readonly (string | number)[];
export type Options = Record<string, Option>;

const PERCENT = 100;
const DIGITS = 3;
const LABELS: Record<string, string> = {
  garch_alpha: 'GARCH alpha',
  garch_beta: 'GARCH beta',
  garch_gamma: 'GARCH gamma',
  garch_nu: 'GARCH degrees of freedom',
  label: 'Kind of days',
  lookback_days: 'Look-back',
  cost_bps: 'Cost a year',
  max_drawdown: 'Maximum drawdown',
  tolerated: 'tolerated probability',
  scenarios: 'Scenarios',
  max_change: 'Largest change',
  max_weight: 'Largest weight',
  min_weight: 'Smallest weight',
  mu: 'Mean return',
  no_trade_band: 'No-trade band',
  borrow_spread_bps: 'Borrowing spread',
  cash: 'Cash earns',
  cash_day_count: 'Days of a cash year',
  cash_rate_after: 'Cash rate after the series',
  engine_parameters: 'Parameters of the engines',
  first_day: 'First day',
  last_day: 'Last day',
  max_dollars: 'At most dollars',
  max_minutes: 'At most minutes',
  safe: 'Safe leg',
  seed: 'Seed',
  stopping: 'Ends',
  training: 'Training days',
  validation: 'Validation days',
  worlds: 'Scenarios follow',
  sigma: 'Volatility',
  transaction_cost_bps: 'Transaction cost',
  universe: 'Prices',
  trials: 'Candidates',
  vol_of_vol: 'Volatility of volatility',
};
/** Plainer than those of the catalogue, which its other readers need as they are. */
const MEANINGS: Record<string, string> = {
  borrow_spread_bps: 'Yearly charge over cash on weights above 100%',
  engine_parameters:
    'Where the parameters of the engines come from: the scenarios themselves, or a fit to the training days',
  expected_premium: 'Assumed return over cash a year, for the Merton rule',
  goal: 'What the search maximises. Benefit: the utility gained over a constant weight of the same volatility, for weights of at most 100%. It and robust utility are means over the scenarios, less a part of the largest regret',
  leverage: 'Correlation of moves of the price and of its volatility (rho)',
  max_weight: 'Most held of the risky asset; above 100% is borrowed',
  mean_reversion: 'How fast the variance returns to its mean (kappa)',
  min_weight: 'Least held of the risky asset',
  premium_power: 'The return over cash grows with volatility to this power',
  risk_aversion: 'What risk costs in the score of a rule; more favours calmer rules',
  vol_of_vol: 'How much volatility itself moves (xi over the volatility)',
  worlds: 'What is taken from the training days: the volatility, the mean return as well, or neither',
};
const SUFFIXES: Record<NonNullable<Field['unit']>, string> = {
  fraction: '%',
  fraction_per_year: '%',
  basis_points: ' bps',
  sessions: ' sessions',
  years: ' years',
  count: '',
  number: '',
  per_year: ' a year',
};

const CHOICES: Record<string, string> = {
  ewma: 'EWMA',
  garch: 'GARCH',
  gbm: 'Geometric Brownian motion',
  converged: 'When it has converged',
  budget: 'After every candidate',
  calibrated: 'Volatility of the training days',
  historical: 'Mean and volatility of the training days',
  seed: 'Fixed numbers',
  benefit: 'Benefit over a constant weight',
  calmar: 'Calmar ratio',
  cvar_utility: 'Utility in the worst scenarios (CVaR)',
  sharpe: 'Sharpe ratio',
  volatility_error: 'Closeness to the target volatility',
  worst_case: 'Utility in the worst scenario alone',
  fitted: 'Fitted on the training days',
  default: 'As each scenario states',
};

/** Of a value of a choice, such as an engine. */
export const choiceName = (name: string | number): string => CHOICES[name] ?? title(String(name));

/** How the service writes that a setting has no value. */
const NONE = 'none';

/** The values of a choice at a path of a request, such as `current_rule.rebalancing`, as the forms name them. */
export function choicesInWords(values: string, path: string, catalogue: Catalogue | undefined): string {
  const name = path.slice(path.lastIndexOf('.') + 1);
  const fields = catalogue?.groups.flatMap((group) => group.fields) ?? [];
  const choices = fields.find((field) => field.name === name)?.choices ?? [];
  const isName = (value: string) => (name === 'scenarios' ? value !== NONE : choices.includes(value));
  return values
    .split(', ')
    .map((value) => (isName(value) ? choiceName(value) : value))
    .join(', ');
}

/** Of a field by its name or its path; a part of a limit by the name of the limit. */
export function labelOf(path: string): string {
  const [group, limit, part] = path.split('.');
  if (group === 'limits' && limit !== undefined) {
    return part === undefined || part === 'bound' ? nameOf(limit) : `${nameOf(limit)}: ${nameOf(part)}`;
  }
  const name = path.slice(path.lastIndexOf('.') + 1);
  return group === 'space' ? `${nameOf(name)}, values tried` : nameOf(name);
}

const nameOf = (name: string): string => LABELS[name] ?? title(name);

/** What a field means, and what it has an effect on. */
export function meaningOf({ name, meaning, effect }: Field): string {
  return MEANINGS[name] ?? [meaning, effect].filter(Boolean).join('. ').replaceAll('`', '');
}

/** What the value is multiplied by where it is shown. A decay is known as 0.94. */
export function scaleOf({ name, unit }: Field): number {
  return name !== 'decay' && (unit === 'fraction' || unit === 'fraction_per_year') ? PERCENT : 1;
}

/** The unit behind the value. */
export function suffixOf({ name, unit }: Field): string {
  return unit && name !== 'decay' ? SUFFIXES[unit] : '';
}

/** Names of fields in a sentence of the service, as the forms show them. */
const inForms = (sentence: string): string =>
  sentence.replaceAll(/\b[a-z]+(?:_[a-z]+)+\b/g, (name) => nameOf(name).toLowerCase());

/** What is wrong with a value, in the unit that its field shows. */
export function errorOf(
  error: string | undefined,
  value: unknown,
  field: Field | undefined,
): string | undefined {
  if (error === undefined) return undefined;
  const { minimum: low, maximum: high } = field ?? {};
  const range = [low, high].map((end) => textOf(end, field)).join(' to ');
  const outside =
    typeof value === 'number' &&
    typeof low === 'number' &&
    typeof high === 'number' &&
    (value < low || value > high);
  return outside ? `${textOf(value, field)} is not possible: ${range}` : inForms(error);
}

/** A value as text, in the unit of its field. */
export function textOf(value: unknown, field: Field | undefined): string {
  if (value === null || value === undefined || value === '') return NOTHING;
  if (Array.isArray(value)) return value.map((each) => textOf(each, field)).join(', ') || NOTHING;
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'object') return JSON.stringify(value);
  if (typeof value === 'string') return field?.type === 'choice' ? choiceName(value) : value;
  if (typeof value !== 'number') return NOTHING;
  const scaled = field === undefined ? value : Number((value * scaleOf(field)).toPrecision(12));
  const digits = Math.min(DIGITS, (String(scaled).split('.')[1] ?? '').length);
  return number(scaled, digits) + (field === undefined ? '' : suffixOf(field));
}
