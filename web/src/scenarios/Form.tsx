import { Fieldset, SimpleGrid, Stack } from '@mantine/core';

import { fieldsOf, type Catalogue, type Field } from '../api/catalogue';
import type { Scenario } from '../api/scenarios';
import { FieldInput } from '../app/FieldInput';
import type { Value } from '../app/fields';
import { title } from '../numbers/format';

interface Props {
  scenario: Scenario;
  catalogue: Catalogue;
  /** By path, from the last refusal. */
  errors: Record<string, string>;
  readOnly?: boolean;
  change?: (scenario: Scenario) => void;
}

const NOT_SHOWN = new Set(['name']);
const WITH_STATES = new Set(['mu', 'sigma']);
const WITHOUT_EFFECT = 'Follows from the states below';

const ignore = () => undefined;

/** The fields that have an effect under the chosen engine, and the states where it moves through them. */
export function Form({ scenario, catalogue, errors, readOnly = false, change = ignore }: Props) {
  const states = scenario.states ?? [];
  const fields = fieldsOf(catalogue, 'scenario').filter(
    ({ name, engines }) =>
      !NOT_SHOWN.has(name) &&
      (engines === null || engines === undefined || engines.some((each) => each === scenario.engine)),
  );
  const set = (name: string, value: Value) => {
    const next = { ...scenario, [name]: value } as Scenario; // the service checks the value
    change(name === 'engine' && value !== 'regime_switching' ? { ...next, states: [] } : next);
  };
  const input = (field: Field, from: Record<string, unknown>, path: string, put: (value: Value) => void) => (
    <FieldInput
      key={path}
      field={field}
      value={(from[field.name] ?? field.default ?? null) as Value}
      inactive={states.length > 0 && WITH_STATES.has(path) ? WITHOUT_EFFECT : null}
      error={errors[path]}
      readOnly={readOnly}
      change={put}
    />
  );
  return (
    <Stack gap="sm">
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm" verticalSpacing="sm">
        {fields.map((field) => input(field, { ...scenario }, field.name, (value) => set(field.name, value)))}
      </SimpleGrid>
      {states.map((state, place) => (
        <Fieldset key={state.name} legend={title(state.name)}>
          <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
            {fieldsOf(catalogue, 'state')
              .filter(({ name }) => !NOT_SHOWN.has(name))
              .map((field) =>
                input(field, { ...state }, `states.${place}.${field.name}`, (value) =>
                  change({
                    ...scenario,
                    states: states.map((each, at) =>
                      at === place ? { ...each, [field.name]: value } : each,
                    ),
                  }),
                ),
              )}
          </SimpleGrid>
        </Fieldset>
      ))}
    </Stack>
  );
}
