/** What a user has typed about a strategy, and the requests that it means. */

import { fieldsOf as fieldsOfGroup, type Catalogue, type Field } from '../api/catalogue';
import { errorOf, labelOf, type Options, type Value, type Values } from '../app/fields';
import type { RunRequest } from '../api/jobs';
import type { Content, EvaluationRequest, SearchRequest, Template, Version } from './requests';

export type Part = 'mandate' | 'config';

export type Scenario = NonNullable<SearchRequest['scenarios']>[number];

/** Groups of the catalogue whose fields a search takes by default. */
export type OptionGroup = 'request' | 'split' | 'space';

export interface Draft {
  name: string;
  universe: string;
  mandate: Values;
  config: Values;
  trials: number;
  /** Names of the scenarios of a search; null for those that it takes by default. */
  scenarios: string[] | null;
  /** Scenarios of the run that it began from; the library may hold others under these names. */
  searched?: Scenario[];
  /** What differs from the defaults of the service. */
  request: Options;
  split: Options;
  space: Options;
  limits: Record<string, Options>;
}

const TRIALS = 100;
const LONGEST_NAME = 64;
const PREVIEWED = new Set(['cash', 'safe', 'exchange_rate', 'volatility_index']);

export function draftOf(rule: Template['rule'], name: string, universe = 'sp500'): Draft {
  return {
    name,
    universe,
    mandate: { ...(rule.mandate as Values) },
    config: { ...(rule.config as Values) },
    trials: TRIALS,
    scenarios: null,
    request: {},
    split: {},
    space: {},
    limits: {},
  };
}

/** The draft that a stored version of a strategy means. */
export function draftOfVersion({ rule, universe, search }: Version, name: string): Draft {
  const begun = draftOf(rule, name, universe);
  const { trials, scenarios, split, space, limits, ...request } = search as Partial<Draft> & Options;
  return {
    ...begun,
    trials: trials ?? begun.trials,
    scenarios: scenarios ?? null,
    request,
    split: split ?? {},
    space: space ?? {},
    limits: limits ?? {},
  };
}

/** The name of what is begun from a run of this name: after `Core` comes `Core (2)`, and then `Core (3)`. */
export function nextName(name: string): string {
  const [, base = name, count = '1'] = /^(.+) \((\d{1,3})\)$/.exec(name) ?? [];
  const ending = ` (${Number(count) + 1})`;
  return base.slice(0, LONGEST_NAME - ending.length) + ending;
}

/** The draft whose search is that of a run, under the next name. */
export function draftOfRun(run: RunRequest, catalogue: Catalogue): Draft {
  const chosen = (group: OptionGroup, values: object = {}) =>
    differing(fieldsOfGroup(catalogue, group), values as Options);
  const rule = { config: run.current_rule, mandate: run.mandate } as Template['rule'];
  const begun = draftOf(rule, run.name === undefined ? '' : nextName(run.name), run.universe);
  return {
    ...begun,
    trials: run.trials ?? begun.trials,
    scenarios: run.scenarios?.map(({ name }) => name) ?? null,
    searched: run.scenarios ?? [],
    request: differing(
      fieldsOfGroup(catalogue, 'request').filter(({ name }) => !(name in begun)),
      run as unknown as Options,
    ),
    split: chosen('split', run.split),
    space: chosen('space', run.space),
    limits: Object.fromEntries(
      Object.entries(run.limits ?? {}).flatMap(([name, limit]) =>
        limit ? [[name, differing(fieldsOfGroup(catalogue, 'limits'), limit as unknown as Options)]] : [],
      ),
    ),
  };
}

/** The values of the fields that are not what the service takes by default. */
function differing(fields: readonly Field[], values: Options): Options {
  const own = fields.filter(({ name, default: usual }) => {
    const value = values[name] ?? null;
    return value !== null && JSON.stringify(value) !== JSON.stringify(usual);
  });
  return Object.fromEntries(own.map(({ name }) => [name, values[name] ?? null]));
}

/** What a version stores of the draft. */
export function contentOf(draft: Draft, catalogue: Catalogue): Content {
  const { trials, scenarios, request, ...groups } = draft;
  const named = { split: groups.split, space: groups.space, limits: groups.limits };
  return {
    rule: { config: configOf(draft, catalogue), mandate: draft.mandate },
    universe: draft.universe,
    search: {
      ...(trials === TRIALS ? {} : { trials }),
      ...(scenarios === null ? {} : { scenarios }),
      ...request,
      ...Object.fromEntries(Object.entries(named).filter(([, values]) => Object.keys(values).length > 0)),
    },
  } as Content; // the service checks the values
}

/** Why a field has no effect with the chosen weight function and estimator; null if it has one. */
export function inactive(field: Field, { config }: Draft): string | null {
  if (field.effect) return null;
  if (field.weight_functions && !field.weight_functions.some((name) => name === config.weight_function)) {
    return 'No effect with this weight function';
  }
  if (field.estimators && !field.estimators.some((name) => name === config.estimator)) {
    return 'No effect with this estimator';
  }
  return null;
}

/** The configuration with the parameters that have an effect; a new one begins with its default. */
export function configOf(draft: Draft, catalogue: Catalogue): EvaluationRequest['config'] {
  const chosen = catalogue.weight_functions.find(({ name }) => name === draft.config.weight_function);
  const estimator = catalogue.estimators.find(({ name }) => name === draft.config.estimator);
  const active = new Set<string>([
    'weight_function',
    'rebalancing',
    'no_trade_band',
    ...(chosen?.parameters ?? []),
  ]);
  if (chosen?.volatility) {
    active.add('estimator');
    if (estimator?.parameter) active.add(estimator.parameter);
  }
  const fields = fieldsOf(catalogue, 'config').filter(({ name }) => active.has(name));
  const values = fields.map((field) => [field.name, valueOf(field, draft)]);
  return Object.fromEntries(values) as EvaluationRequest['config']; // the service checks the values
}

/** The value of a field, or what it begins with. */
export function valueOf(field: Field, draft: Draft): Value {
  const typed = draft.config[field.name];
  if (typed !== undefined && typed !== null) return typed;
  if (field.name === 'midpoint') return draft.mandate.target_volatility ?? null; // as in the spreadsheet's sigmoid
  return (field.default as Value | undefined) ?? field.minimum ?? null;
}

export function fieldsOf(catalogue: Catalogue, part: Part): Field[] {
  return fieldsOfGroup(catalogue, part === 'config' ? 'configuration' : 'mandate');
}

/** The field at a path of a draft, such as `config.decay`; none for those that the catalogue does not describe. */
export function fieldOf(catalogue: Catalogue, path: string): Field | undefined {
  const [part = '', ...names] = path.split('.');
  const group = names.length === 0 ? 'request' : part === 'config' ? 'configuration' : part;
  if (part === 'limits') return limitField(catalogue, names);
  return fieldsOfGroup(catalogue, group).find((field) => field.name === (names.at(-1) ?? part));
}

/** The fields of a limit are those of every limit; its bound has the unit of the limit. */
function limitField(catalogue: Catalogue, [name, part]: readonly string[]): Field | undefined {
  const field = fieldsOfGroup(catalogue, 'limits').find((each) => each.name === part);
  const limit = catalogue.limits.find((each) => each.name === name);
  return field && limit && part === 'bound' ? { ...field, unit: limit.unit } : field;
}

/** What is wrong with a request, by path, as one text with the labels and units of the form. */
export function mistakesOf(errors: Record<string, string>, draft: Draft, catalogue: Catalogue): string {
  const typed = { ...draft, ...draft.request };
  return Object.entries(errors)
    .map(([path, error]) => {
      const value = path
        .split('.')
        .reduce<unknown>((from, name) => (from as Options | undefined)?.[name], typed);
      return `${labelOf(path)}: ${errorOf(error, value, fieldOf(catalogue, path)) ?? ''}`;
    })
    .join('. ');
}

/** The preview is on the same days and with the same safe leg as the search. */
export function evaluationOf(draft: Draft, catalogue: Catalogue): EvaluationRequest {
  const { first_day, last_day, ...others } = draft.request;
  const money = Object.entries(others).filter(([name]) => PREVIEWED.has(name));
  return {
    config: configOf(draft, catalogue),
    mandate: draft.mandate,
    universe: draft.universe,
    ...Object.fromEntries(money),
    ...((first_day ?? last_day) ? { window: { first_day, last_day } } : {}),
  } as EvaluationRequest; // the service checks the values
}

/** The library, with the scenarios of a run in place of those of the same name. */
export function scenariosAtHand(library: readonly Scenario[], searched: readonly Scenario[]): Scenario[] {
  const own = new Map(searched.map((scenario) => [scenario.name, scenario]));
  return [...new Map([...library.map((scenario) => [scenario.name, scenario] as const), ...own]).values()];
}

/** A search for the mandate, whose winner is compared with this strategy as the current rule. */
export function searchOf(draft: Draft, catalogue: Catalogue, scenarios: readonly Scenario[]): SearchRequest {
  return {
    name: draft.name.trim(),
    universe: draft.universe,
    mandate: draft.mandate,
    current_rule: configOf(draft, catalogue),
    trials: draft.trials,
    ...(draft.scenarios === null ? {} : { scenarios: [...scenarios] }),
    ...draft.request,
    split: draft.split,
    space: draft.space,
    limits: draft.limits,
  } as SearchRequest; // the service checks the values
}
