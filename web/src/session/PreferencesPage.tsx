import { Button, Group, Radio, SegmentedControl, Select, SimpleGrid, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';

import { problemOf } from '../api/problem';
import type { Failure } from '../api/service';
import {
  usePreferencesQuery,
  useSavePreferencesMutation,
  type Preferences,
  type StoredPreferences,
} from '../api/session';
import { NumberField } from '../app/NumberField';
import { Page, Panel } from '../app/Page';
import { Answered } from '../app/states';
import { RISK_AVERSION } from './preferences';

const NUMBERS: Preferences['number_format'][] = ['1,234.56', '1.234,56', '1 234,56', '1’234.56'];
const DATES: Preferences['date_format'][] = ['YYYY-MM-DD', 'DD.MM.YYYY', 'DD/MM/YYYY', 'MM/DD/YYYY'];

export function Component() {
  const stored = usePreferencesQuery();
  return (
    <Page
      title="Preferences"
      lead="How this application looks and writes for you, on every device, and what forms propose."
    >
      <Answered query={stored}>{(data) => <Form key={data.version} stored={data} />}</Answered>
    </Page>
  );
}

function Form({ stored }: { stored: StoredPreferences }) {
  const [draft, setDraft] = useState(stored.preferences);
  const [save, { isLoading }] = useSavePreferencesMutation();
  const change = (part: Partial<Preferences>) => setDraft({ ...draft, ...part });
  const changed = JSON.stringify(draft) !== JSON.stringify(stored.preferences);
  const keep = async () => {
    const answer = await save({ preferences: draft, version: stored.version });
    if (answer.error === undefined) {
      notifications.show({ message: 'Your preferences are saved.' });
      return;
    }
    const { title, text } = problemOf(answer.error as Failure);
    notifications.show({ title, message: text });
  };
  return (
    <Stack>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <Panel title="Display">
          <Stack gap="sm">
            <Radio.Group
              label="Theme"
              value={draft.theme}
              onChange={(theme) => change({ theme: theme as Preferences['theme'] })}
            >
              <Group mt={4}>
                <Radio value="system" label="As the system" />
                <Radio value="light" label="Light" />
                <Radio value="dark" label="Dark" />
              </Group>
            </Radio.Group>
            <div>
              <Text size="sm" fw={600} id="density" mb={4}>
                Density of tables
              </Text>
              <SegmentedControl
                aria-labelledby="density"
                data={[
                  { value: 'comfortable', label: 'Comfortable' },
                  { value: 'compact', label: 'Compact' },
                ]}
                value={draft.density}
                onChange={(density) => change({ density: density as Preferences['density'] })}
              />
            </div>
            <Select
              label="Numbers"
              data={NUMBERS}
              allowDeselect={false}
              value={draft.number_format}
              onChange={(value) =>
                change({ number_format: NUMBERS.find((form) => form === value) ?? draft.number_format })
              }
            />
            <Select
              label="Dates"
              data={DATES}
              allowDeselect={false}
              value={draft.date_format}
              onChange={(value) =>
                change({ date_format: DATES.find((form) => form === value) ?? draft.date_format })
              }
            />
          </Stack>
        </Panel>
        <Panel title="What forms propose">
          <Stack gap="sm">
            <NumberField
              label="Investment horizon"
              description="Years that simulations look ahead; none leaves it to each form"
              placeholder="None"
              suffix=" years"
              allowDecimal={false}
              min={1}
              max={30}
              value={draft.horizon_years ?? ''}
              onChange={(value) => change({ horizon_years: typeof value === 'number' ? value : null })}
            />
            <Select
              label="Risk tolerance"
              description={`A new strategy begins with a risk aversion of ${RISK_AVERSION.low} if it is low, ${RISK_AVERSION.medium} if medium, ${RISK_AVERSION.high} if high`}
              placeholder="None"
              clearable
              clearButtonProps={{ 'aria-label': 'Clear the risk tolerance' }}
              data={[
                { value: 'low', label: 'Low' },
                { value: 'medium', label: 'Medium' },
                { value: 'high', label: 'High' },
              ]}
              value={draft.risk_tolerance}
              onChange={(value) => change({ risk_tolerance: value as Preferences['risk_tolerance'] })}
            />
          </Stack>
        </Panel>
      </SimpleGrid>
      <Group>
        <Button onClick={() => void keep()} loading={isLoading} disabled={!changed}>
          Save
        </Button>
        {changed && (
          <Button variant="default" onClick={() => setDraft(stored.preferences)}>
            Discard
          </Button>
        )}
      </Group>
    </Stack>
  );
}
