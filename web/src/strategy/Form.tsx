import {
  Button,
  Collapse,
  Group,
  MultiSelect,
  Select,
  SimpleGrid,
  Stack,
  Text,
  TextInput,
} from '@mantine/core';
import { memo, useState } from 'react';

import { FieldInput } from '../app/FieldInput';
import { NumberField } from '../app/NumberField';
import { IconChevronDown, IconChevronUp } from '../app/icons';
import { plural, title } from '../numbers/format';
import { fieldsOf, inactive, valueOf, type Draft, type Part } from './draft';
import { ImportPrices } from './ImportPrices';
import { Options } from './Options';
import type { LaunchEstimate } from './requests';
import type { Catalogue, Field } from '../api/catalogue';

interface Props {
  draft: Draft;
  catalogue: Catalogue;
  /** Names of the scenarios at hand. */
  scenarios: readonly string[];
  /** By path, from the last refusal. */
  errors: Record<string, string>;
  advanced: boolean;
  setAdvanced: (open: boolean) => void;
  defaultLimits: LaunchEstimate['default_limits'] | undefined;
  change: (draft: Draft) => void;
}

const BASIC: readonly [Part, string][] = [
  ['mandate', 'target_volatility'],
  ['config', 'lookback_days'],
  ['config', 'rebalancing'],
  ['mandate', 'transaction_cost_bps'],
  ['mandate', 'min_weight'],
  ['mandate', 'max_weight'],
  ['mandate', 'risk_aversion'],
];
const ADVANCED: readonly [Part, string][] = [
  ['config', 'estimator'],
  ['config', 'decay'],
  ['config', 'no_trade_band'],
  ['mandate', 'decision_lag'],
  ['mandate', 'max_change'],
  ['mandate', 'borrow_spread_bps'],
  ['mandate', 'expected_premium'],
];
const DEFAULT_SCENARIOS = 5;

/** What a data set holds, such as `1 asset, 1990 to 2022`. */
function periodOf({ symbols, first, last }: Catalogue['data'][number]): string {
  const years = first && last ? `, ${first.slice(0, 4)} to ${last.slice(0, 4)}` : '';
  return plural(symbols.length, 'asset') + years;
}

/** The fields of spec order: the basic ones, those of the chosen function beside it, the others on request. */
export const Form = memo(function Form(props: Props) {
  const { draft, catalogue, scenarios, errors, advanced, setAdvanced, defaultLimits, change } = props;
  const [importing, setImporting] = useState(false);
  const chosen = catalogue.weight_functions.find(({ name }) => name === draft.config.weight_function);
  const field = (part: Part, name: string): Field | undefined =>
    fieldsOf(catalogue, part).find((each) => each.name === name);
  const prices = catalogue.data.find(({ name }) => name === draft.universe);
  const input = ([part, name]: readonly [Part, string]) => {
    const row = field(part, name);
    if (row === undefined) return null;
    return (
      <FieldInput
        key={name}
        field={row}
        value={part === 'config' ? valueOf(row, draft) : (draft.mandate[name] ?? null)}
        inactive={inactive(row, draft)}
        error={errors[`${part}.${name}`]}
        change={(value) => change({ ...draft, [part]: { ...draft[part], [name]: value } })}
      />
    );
  };
  return (
    <Stack gap="sm">
      <TextInput
        label="Name"
        required
        withAsterisk={false}
        maxLength={64}
        value={draft.name}
        error={errors.name ?? (draft.name.trim() === '' ? 'A strategy needs a name' : undefined)}
        onChange={(event) => change({ ...draft, name: event.currentTarget.value })}
      />
      <Group gap="xs" align="flex-end" wrap="nowrap">
        <Select
          flex={1}
          label="Prices"
          description={prices && periodOf(prices)}
          data={catalogue.data
            .filter(({ kind }) => kind === 'prices')
            .map(({ name }) => ({ value: name, label: name }))}
          allowDeselect={false}
          value={draft.universe}
          error={errors.universe}
          onChange={(universe) => change({ ...draft, universe: universe ?? draft.universe })}
        />
        <Button variant="default" onClick={() => setImporting(true)}>
          Use your own
        </Button>
      </Group>
      {importing && (
        <ImportPrices
          close={() => setImporting(false)}
          imported={(universe) => change({ ...draft, universe })}
        />
      )}
      <Select
        label="Weight function"
        description={chosen ? `weight = ${chosen.formula.replaceAll('_', ' ')}` : undefined}
        data={catalogue.weight_functions.map(({ name, title: words }) => ({
          value: name,
          label: title(words),
        }))}
        allowDeselect={false}
        value={String(draft.config.weight_function)}
        onChange={(name) => change({ ...draft, config: { ...draft.config, weight_function: name } })}
      />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm" verticalSpacing="sm">
        {(chosen?.parameters ?? []).map((name) => input(['config', name]))}
        {BASIC.map(input)}
      </SimpleGrid>
      <Button
        variant="subtle"
        size="compact-sm"
        w="fit-content"
        aria-expanded={advanced}
        rightSection={
          advanced ? <IconChevronUp size={14} aria-hidden /> : <IconChevronDown size={14} aria-hidden />
        }
        onClick={() => setAdvanced(!advanced)}
      >
        Advanced
      </Button>
      <Collapse expanded={advanced}>
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm" verticalSpacing="sm">
          {ADVANCED.map(input)}
        </SimpleGrid>
      </Collapse>
      <div>
        <Text fw={600} size="sm" mb={4}>
          The search
        </Text>
        <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
          <NumberField
            label="Candidates"
            description="Rules that the search may try; more take longer, and raise the bar against luck"
            min={10}
            max={5000}
            step={10}
            allowDecimal={false}
            filled
            value={draft.trials}
            error={errors.trials}
            onChange={(trials) => typeof trials === 'number' && change({ ...draft, trials })}
          />
          <MultiSelect
            label="Scenarios"
            description="Simulated worlds in which every rule is tried, beside real prices"
            data={scenarios.map((name) => ({ value: name, label: title(name) }))}
            value={draft.scenarios ?? scenarios.slice(0, DEFAULT_SCENARIOS)}
            error={errors.scenarios ?? (draft.scenarios?.length === 0 ? 'At least one' : undefined)}
            onChange={(names) => change({ ...draft, scenarios: names })}
          />
        </SimpleGrid>
      </div>
      <Options
        draft={draft}
        catalogue={catalogue}
        scenarios={draft.scenarios ?? scenarios.slice(0, DEFAULT_SCENARIOS)}
        errors={errors}
        defaultLimits={defaultLimits}
        change={change}
      />
    </Stack>
  );
});
