import { Accordion, MultiSelect, SimpleGrid, Stack } from '@mantine/core';
import { type ReactNode, useState } from 'react';

import { fieldsOf, type Catalogue, type Field } from '../api/catalogue';
import { labelOf, type Option } from '../app/fields';
import { OptionInput } from '../app/OptionInput';
import { title } from '../numbers/format';
import type { Draft, OptionGroup } from './draft';
import type { LaunchEstimate } from './requests';

interface Props {
  draft: Draft;
  catalogue: Catalogue;
  /** Of the scenarios of the search. */
  scenarios: readonly string[];
  /** By path, from the last refusal. */
  errors: Record<string, string>;
  /** Limits of the goal, which apply where none is set; undefined until the service has told. */
  defaultLimits: LaunchEstimate['default_limits'] | undefined;
  change: (draft: Draft) => void;
}

const SEARCH = ['goal', 'stopping', 'max_minutes', 'max_dollars', 'worlds', 'engine_parameters', 'seed'];
const MONEY = ['cash', 'cash_day_count', 'safe', 'exchange_rate', 'dividend_yield', 'cash_rate_after'];
const DAYS = ['first_day', 'last_day', 'benchmark', 'volatility_index'];
const HISTORY = 'history';

/** What a search takes by default, and may be asked otherwise. */
export function Options(props: Props) {
  const { draft, catalogue, errors, change } = props;
  const [open, setOpen] = useState(() => chosenParts(draft));
  const input = (group: OptionGroup, field: Field) => (
    <OptionInput
      key={field.name}
      field={field}
      label={group === 'space' ? `${labelOf(field.name)}, values tried` : labelOf(field.name)}
      value={draft[group][field.name]}
      error={errors[group === 'request' ? field.name : `${group}.${field.name}`]}
      change={(value) => change({ ...draft, [group]: without(draft[group], field.name, value) })}
    />
  );
  const named = (names: readonly string[]) =>
    names.flatMap((name) => fieldsOf(catalogue, 'request').filter((field) => field.name === name));
  const parts: readonly [name: string, label: string, columns: number, inputs: ReactNode][] = [
    ['search', 'Goal and budgets', 1, named(SEARCH).map((field) => input('request', field))],
    ['limits', 'Limits', 2, <Limits key="limits" {...props} />],
    ['money', 'Cash, safe leg and currency', 1, named(MONEY).map((field) => input('request', field))],
    [
      'days',
      'Days and comparisons',
      1,
      [
        ...named(DAYS).map((field) => input('request', field)),
        ...fieldsOf(catalogue, 'split').map((field) => input('split', field)),
      ],
    ],
    ['space', 'What is searched', 1, fieldsOf(catalogue, 'space').map((field) => input('space', field))],
  ];
  return (
    <Accordion multiple chevronPosition="left" order={3} value={open} onChange={setOpen}>
      {parts.map(([name, label, columns, inputs]) => (
        <Accordion.Item key={name} value={name}>
          <Accordion.Control>{label}</Accordion.Control>
          <Accordion.Panel>
            <SimpleGrid cols={{ base: 1, xs: columns }} spacing="sm" verticalSpacing="sm">
              {open.includes(name) && inputs}
            </SimpleGrid>
          </Accordion.Panel>
        </Accordion.Item>
      ))}
    </Accordion>
  );
}

/** The parts that hold something other than what a search takes by default; they begin open. */
function chosenParts({ request, split, space, limits }: Draft): string[] {
  const within = (names: readonly string[]) => names.some((name) => request[name] !== undefined);
  const filled = (values: object) => Object.keys(values).length > 0;
  return [
    ...(within(SEARCH) ? ['search'] : []),
    ...(filled(limits) ? ['limits'] : []),
    ...(within(MONEY) ? ['money'] : []),
    ...(within(DAYS) || filled(split) ? ['days'] : []),
    ...(filled(space) ? ['space'] : []),
  ];
}

/** The bound of each limit; where it must hold once it has one. */
function Limits({ draft, catalogue, scenarios, errors, defaultLimits, change }: Props) {
  const [bound, , tolerated] = ['bound', 'scenarios', 'tolerated'].map((name) =>
    fieldsOf(catalogue, 'limits').find((field) => field.name === name),
  );
  return catalogue.limits.map(({ name, label, unit }) => {
    const limit = draft.limits[name] ?? {};
    const put = (field: string, value: Option | undefined) => {
      const next = field === 'bound' && value === undefined ? undefined : without(limit, field, value);
      change({ ...draft, limits: without(draft.limits, name, next) });
    };
    const given = typeof limit['bound'] === 'number';
    const where = limit['scenarios'];
    const standard = defaultLimits?.find((each) => each.limit === name);
    return (
      <Stack key={name} gap={6}>
        {bound !== undefined && (
          <OptionInput
            field={{ ...bound, unit, default: standard?.bound, meaning: standard?.words ?? '' }}
            empty={defaultLimits === undefined ? '' : 'No limit'}
            label={label}
            value={limit['bound']}
            error={errors[`limits.${name}.bound`] ?? errors[`limits.${name}`]}
            change={(value) => put('bound', value)}
          />
        )}
        {given && (
          <MultiSelect
            label={`${label} must hold in`}
            placeholder={where === undefined ? 'Base case, History' : ''}
            data={[HISTORY, ...scenarios].map((each) => ({ value: each, label: title(each) }))}
            value={Array.isArray(where) ? where.map(String) : []}
            error={errors[`limits.${name}.scenarios`]}
            onChange={(names) => put('scenarios', names.length === 0 ? undefined : names)}
          />
        )}
        {given && name === 'max_drawdown' && tolerated !== undefined && (
          <OptionInput
            field={tolerated}
            label="Tolerated probability"
            value={limit['tolerated']}
            error={errors[`limits.${name}.tolerated`]}
            change={(value) => put('tolerated', value)}
          />
        )}
      </Stack>
    );
  });
}

/** The record with the value at the name; without the name where there is no value. */
function without<Value>(from: Record<string, Value>, name: string, value: Value | undefined) {
  const { [name]: _, ...others } = from;
  return value === undefined ? others : { ...others, [name]: value };
}
